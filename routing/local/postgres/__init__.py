"""A Postgres of our own: its server, who may be who in it, and what the service finds in it."""
