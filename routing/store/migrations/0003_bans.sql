-- Who guessed SIP passwords, and where agents' phones are, which is nowhere to be banned (routing/bans.py).

CREATE TABLE bans (
    network cidr        PRIMARY KEY,
    account text        NOT NULL, -- the last one whose password was guessed at
    since   timestamptz NOT NULL DEFAULT now(),
    until   timestamptz NOT NULL
);

CREATE TABLE phone_networks (
    network cidr        PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now() -- the last right answer to a challenge
);
