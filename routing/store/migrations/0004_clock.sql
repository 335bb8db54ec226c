-- Postgres' clock may jump (docs/decisions.md). `shift` counts, in seconds, how far it has jumped in all while the shard
-- had an owner; a row says at which count it was stored, so that its spans can be told from its calendar times and be
-- put right whenever it is read.
ALTER TABLE shards ADD COLUMN shift double precision NOT NULL DEFAULT 0;
ALTER TABLE interactions ADD COLUMN shift double precision NOT NULL DEFAULT 0;
