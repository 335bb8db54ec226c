-- The first schema. Invariants (docs/lifecycle.md) live here too: CHECKs and partial unique indexes, each with its
-- number from the design. Times are timestamptz in UTC.

-- Who acts for which part of the calls. `epoch` grows with every change of owner; every write that can cause a
-- side effect names the epoch it believes in.
-- `telephones` is the life of Asterisk that the legs were last compared with: another one has none of them.
CREATE TABLE shards (
    name        text PRIMARY KEY,
    owner       text,
    epoch       bigint NOT NULL DEFAULT 0,
    until       timestamptz NOT NULL DEFAULT '-infinity',
    telephones  text
);

CREATE TABLE queues (
    name        text PRIMARY KEY,
    version     int NOT NULL,
    register    boolean NOT NULL DEFAULT true,           -- switches: callbacks are taken,
    process     boolean NOT NULL DEFAULT true,           -- are offered and dialled
    deleted_at  timestamptz
);

-- A change makes a new version; interactions keep the one they came in under.
CREATE TABLE queue_versions (
    name        text NOT NULL REFERENCES queues,
    version     int NOT NULL,
    config      jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

CREATE TABLE queue_numbers (
    number  text PRIMARY KEY,
    queue   text NOT NULL REFERENCES queues
);

-- Every number of ours in E.164, those answered and those shown: none of them is called back.
CREATE TABLE own_numbers (
    number  text NOT NULL,
    queue   text NOT NULL REFERENCES queues,
    PRIMARY KEY (number, queue)
);

-- Lines are never deleted: who put a number on the list and who took it off stays on record.
CREATE TABLE do_not_call (
    number      text NOT NULL CHECK (number ~ '^\+[1-9][0-9]{6,14}$'),
    reason      text,
    added_by    text NOT NULL,
    added_at    timestamptz NOT NULL DEFAULT now(),
    removed_by  text,
    removed_at  timestamptz,
    CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);
CREATE UNIQUE INDEX do_not_call_now ON do_not_call (number) WHERE removed_at IS NULL;

-- What `ringback apply` created or changed, a line each time: a running service looks here for news.
CREATE TABLE applied (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    queues  text[] NOT NULL,
    agents  text[] NOT NULL,
    numbers text[] NOT NULL                              -- that were put on the do-not-call list
);

CREATE TABLE agents (
    id             text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$'),
    name           text NOT NULL DEFAULT '',
    password_hash  text,
    sip_ha1        text CHECK (sip_ha1 ~ '^[0-9a-f]{32}$'),
    skills         text[] NOT NULL DEFAULT '{}',
    accept_mode    text CHECK (accept_mode IN ('manual', 'auto')),
    auto_answer    boolean NOT NULL DEFAULT false,
    wrap_up        double precision CHECK (wrap_up >= 0),
    availability   text NOT NULL DEFAULT 'logged_out' CHECK (availability IN ('logged_out', 'not_ready', 'ready')),
    reason         text,
    since          timestamptz NOT NULL DEFAULT now(),
    idle_since     timestamptz NOT NULL DEFAULT now(),   -- longest idle is offered first
    deleted_at     timestamptz
);

CREATE TABLE agent_queues (
    agent    text NOT NULL REFERENCES agents,
    queue    text NOT NULL REFERENCES queues,
    penalty  int NOT NULL DEFAULT 0,
    PRIMARY KEY (agent, queue)
);

CREATE TABLE tokens (
    hash        bytea PRIMARY KEY,                       -- SHA-256 of the token, never the token
    role        text NOT NULL CHECK (role IN ('agent', 'supervisor', 'admin', 'auditor')),
    agent       text REFERENCES agents,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    CHECK (role <> 'agent' OR agent IS NOT NULL)
);

-- What was answered to requests with an Idempotency-Key, for a day. `status` is null while one is being done.
CREATE TABLE idempotency_keys (
    who           text NOT NULL,                         -- whose key it is: agent:ID, or the digest of a token
    key           text NOT NULL,
    request       bytea NOT NULL,                        -- SHA-256 of method, path and body
    epoch         bigint NOT NULL,                       -- of the shard, when it was begun
    status        int,
    content_type  text NOT NULL DEFAULT '',
    body          bytea NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (who, key)
);
CREATE INDEX idempotency_age ON idempotency_keys (created_at);

CREATE TABLE interactions (
    id              uuid PRIMARY KEY,
    shard           text NOT NULL REFERENCES shards,
    version         int NOT NULL,
    status          text NOT NULL,
    stage           text,
    subtype         text NOT NULL,
    queue           text NOT NULL,
    queue_version   int NOT NULL,
    number          text CHECK (number ~ '^\+[1-9][0-9]{6,14}$'),
    dialled_number  text NOT NULL,
    assigned_to     text REFERENCES agents,
    desk            jsonb NOT NULL,
    priority        int NOT NULL,
    front           boolean NOT NULL,
    entered_at      timestamptz NOT NULL,
    queued_at       timestamptz NOT NULL,
    not_before      timestamptz,
    requested_at    timestamptz,
    promised_at     timestamptz,
    connected_at    timestamptz,
    closed_at       timestamptz,
    outcome         text,
    disposition     text,
    note            text,
    kind            text CHECK (kind IN ('queued', 'requested', 'scheduled')),
    name            text,
    callback_type   text,
    time_zone       text,
    case_data       jsonb NOT NULL,
    instructions    text,
    tried_before    int NOT NULL DEFAULT 0,              -- attempts the retry rules count no more
    waiting         jsonb NOT NULL,
    deadlines       jsonb NOT NULL,
    excluded        jsonb NOT NULL,
    legs_asked      int NOT NULL,
    lines           int NOT NULL,
    wake_at         timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT now(),

    FOREIGN KEY (queue, queue_version) REFERENCES queue_versions (name, version),
    CHECK (status IN ('open', 'bot', 'offered', 'connected', 'wrap_up', 'scheduled', 'closed')),
    CHECK (subtype IN ('inbound', 'callback')),
    -- I2: exactly one agent while somebody has it, nobody while nobody has it
    CONSTRAINT assigned_while_held
        CHECK (CASE WHEN status IN ('offered', 'connected', 'wrap_up') THEN assigned_to IS NOT NULL
                    WHEN status IN ('open', 'bot', 'scheduled') THEN assigned_to IS NULL
                    ELSE true END),
    -- I9: closed is final and says how
    CONSTRAINT closed_with_outcome CHECK ((status = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT outcome_at_the_end CHECK (status <> 'closed' OR outcome IS NOT NULL),
    CONSTRAINT callback_was_requested
        CHECK (subtype <> 'callback' OR (requested_at IS NOT NULL AND number IS NOT NULL)),
    CONSTRAINT promised_after_request CHECK (promised_at IS NULL OR promised_at >= requested_at),
    CONSTRAINT scheduled_is_due CHECK (status <> 'scheduled' OR wake_at IS NOT NULL)
);

-- I4: one offer, call or after-call work per agent
CREATE UNIQUE INDEX one_interaction_per_agent ON interactions (assigned_to)
    WHERE status IN ('offered', 'connected', 'wrap_up');
-- I7: one pending callback per number and queue, from the key that asks for it until it is worked on
CREATE UNIQUE INDEX one_pending_callback ON interactions (queue, number)
    WHERE requested_at IS NOT NULL AND status NOT IN ('wrap_up', 'closed');
-- The line, in the order it is served: who may be offered since ever, who may be offered from a time on; and those
-- by that time, so that nobody reads past a million who are held until the morning
CREATE INDEX line ON interactions (queue, subtype, front DESC, priority DESC, queued_at, id)
    WHERE status = 'open' AND not_before IS NULL;
CREATE INDEX line_later ON interactions (queue, subtype, front DESC, priority DESC, queued_at, id)
    WHERE status = 'open' AND not_before IS NOT NULL;
CREATE INDEX held ON interactions (queue, subtype, not_before) WHERE status = 'open' AND not_before IS NOT NULL;
CREATE INDEX places ON interactions (queue, front DESC, priority DESC, queued_at, id)
    WHERE status IN ('open', 'bot', 'offered');
CREATE INDEX in_hand ON interactions (id) WHERE status IN ('bot', 'offered', 'connected');
CREATE INDEX due ON interactions (shard, wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX home_list ON interactions (entered_at DESC, id DESC);
CREATE INDEX living ON interactions (entered_at DESC, id DESC) WHERE status <> 'closed';
-- The list of all queues in the order they are served (home_list.Order.LINE)
CREATE INDEX in_order ON interactions ((NOT front), (-priority), queued_at, id) WHERE status <> 'closed';
-- With the time, as a number may have a long history: the limit on requests looks at one day of it.
CREATE INDEX by_number ON interactions (number, requested_at);
-- Requests for numbers that share their first seven digits, for the limit on them
CREATE INDEX by_prefix ON interactions (left(number, 8), requested_at) WHERE requested_at IS NOT NULL;

-- Every channel we care about; id is the channel id. A leg that has `ended_at` may still be told to hang up.
CREATE TABLE legs (
    id           text PRIMARY KEY,
    interaction  uuid NOT NULL REFERENCES interactions,
    role         text NOT NULL CHECK (role IN ('caller', 'agent', 'customer')),
    party        text NOT NULL,
    state        text NOT NULL CHECK (state IN ('asked', 'ringing', 'up')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz
);
CREATE INDEX by_caller ON legs (party, created_at) WHERE role = 'caller';
CREATE UNIQUE INDEX one_live_leg_per_role ON legs (interaction, role) WHERE ended_at IS NULL;

CREATE TABLE attempts (
    id           text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),   -- the customer leg's channel id
    interaction  uuid NOT NULL REFERENCES interactions,
    n            int NOT NULL,
    agent        text NOT NULL REFERENCES agents,
    started_at   timestamptz NOT NULL,
    answered_at  timestamptz,
    ended_at     timestamptz,
    outcome      text,
    sip_cause    int,
    UNIQUE (interaction, n),
    CONSTRAINT ended_with_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
-- I3: one attempt under way per interaction
CREATE UNIQUE INDEX one_live_attempt ON attempts (interaction) WHERE ended_at IS NULL;

-- The one thing an agent is doing. A second one is refused by one_interaction_per_agent above.
CREATE TABLE agent_work (
    agent        text PRIMARY KEY REFERENCES agents,
    interaction  uuid NOT NULL REFERENCES interactions,
    role         text NOT NULL CHECK (role IN ('offered', 'busy', 'wrap_up')),
    since        timestamptz NOT NULL DEFAULT now()
);

-- The story of every interaction; append only. `cursor` orders it across interactions for the live stream.
CREATE TABLE feed (
    cursor       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interaction  uuid NOT NULL REFERENCES interactions,
    seq          int NOT NULL,
    at           timestamptz NOT NULL,
    event        text NOT NULL,
    actor        text NOT NULL,
    status       text NOT NULL,
    data         jsonb NOT NULL,
    UNIQUE (interaction, seq)
);
