-- In the order in which statements of the version before take them.
LOCK TABLE interactions, agents, agent_work IN ACCESS EXCLUSIVE MODE;

-- What agents work on and worked on; an assignment without `ended_at` is what the agent does now. It takes the place of
-- `agent_work`, which forgot what was over, and kept one thing for an agent beside an index on `interactions`.
CREATE TABLE assignments (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interaction  uuid NOT NULL REFERENCES interactions,
    agent        text NOT NULL REFERENCES agents,
    role         text NOT NULL CHECK (role IN ('owner', 'consulted', 'conference', 'supervisor')),
    state        text NOT NULL CHECK (state IN ('offered', 'busy', 'wrap_up')),
    started_at   timestamptz NOT NULL,                   -- offered or picked up,
    busy_at      timestamptz,                            -- accepted,
    wrap_up_at   timestamptz,                            -- the call is over,
    ended_at     timestamptz,                            -- with it,
    end_reason   text,                                   -- the feed's word for what ended it
    CONSTRAINT ended_with_reason CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
-- I4: one offer, call or after-call work per agent
CREATE UNIQUE INDEX one_assignment_per_agent ON assignments (agent) WHERE ended_at IS NULL;
-- I2: one agent whose interaction it is
CREATE UNIQUE INDEX one_owner ON assignments (interaction) WHERE ended_at IS NULL AND role = 'owner' AND state <> 'wrap_up';

INSERT INTO assignments (interaction, agent, role, state, started_at, busy_at, wrap_up_at)
SELECT i.id, i.assigned_to, 'owner', CASE i.status WHEN 'connected' THEN 'busy' ELSE i.status END, at.since,
       CASE WHEN i.status <> 'offered' THEN at.since END, CASE WHEN i.status = 'wrap_up' THEN at.since END
  FROM interactions i LEFT JOIN agent_work w ON w.interaction = i.id AND w.agent = i.assigned_to,
       LATERAL (SELECT coalesce(w.since, i.updated_at) AS since) at
 WHERE i.status IN ('offered', 'connected', 'wrap_up');
DROP TABLE agent_work;
DROP INDEX one_interaction_per_agent;

-- What agents chose to be, or were made, until then; what they are now stands in `agents`.
CREATE TABLE agent_states (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent   text NOT NULL REFERENCES agents,
    state   text NOT NULL,
    reason  text,
    since   timestamptz NOT NULL,
    until   timestamptz NOT NULL
);

-- By the database itself, so that nothing that changes an agent can leave it out.
CREATE FUNCTION keep_agent_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO agent_states (agent, state, reason, since, until)
    VALUES (OLD.id, OLD.availability, OLD.reason, OLD.since, greatest(OLD.since, NEW.since));  -- a clock may jump
    RETURN NULL;
END $$;
CREATE TRIGGER agent_state_over AFTER UPDATE OF availability, reason ON agents FOR EACH ROW
    WHEN ((OLD.availability, OLD.reason) IS DISTINCT FROM (NEW.availability, NEW.reason))
    EXECUTE FUNCTION keep_agent_state();
