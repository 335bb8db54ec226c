-- How often one agent or one token asked for a call back over the API in the last hour, refused or not
-- (limits.requests_per_agent). A row each, so that of many requests at once the limit takes as many as it says.
CREATE TABLE requests_made (
    who  text PRIMARY KEY,                               -- agent:ID, or the digest of a token
    at   timestamptz[] NOT NULL
);
