"""The only SQL of Ringback. Postgres is the truth; everything else can be lost."""
