-- What the legs hear, by their ids, and the version of the row that said so: where that is not the row's own, another
-- version of the service has written since, which did not know of it (routing.store.interactions.hearing).
ALTER TABLE interactions ADD COLUMN hears jsonb NOT NULL DEFAULT '{}';
