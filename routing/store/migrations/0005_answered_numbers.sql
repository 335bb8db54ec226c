-- What the queues answer, in E.164: every number that can be meant by one of `queue_numbers`, in the queue's region. Two
-- queues never have one number, in whatever forms. Filled by `routing.store.queue_numbers`, as only that can read them.
CREATE TABLE answered_numbers (
    e164    text PRIMARY KEY,
    region  text NOT NULL,
    queue   text NOT NULL REFERENCES queues
);
CREATE INDEX answered_numbers_queue ON answered_numbers (queue);
