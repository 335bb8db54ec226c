-- Who may do what: nothing but what stands here. `ringback migrate` carries it out anew after the migrations, in one
-- transaction. The owner made the tables and may do everything; ringback_service is the service and its commands,
-- ringback_privacy erases personal values, ringback_reports reads what is neither personal nor secret.
-- A test fails for a table that is not named here.

REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, ringback_service, ringback_privacy, ringback_reports;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, ringback_service, ringback_privacy, ringback_reports;
GRANT USAGE ON SCHEMA public TO ringback_service, ringback_privacy, ringback_reports;

-- The service: what has happened it may add to and not change; nothing of an interaction is ever deleted.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO ringback_service;
GRANT INSERT (interaction, seq, at, event, actor, status, data) ON feed TO ringback_service;
GRANT INSERT, UPDATE ON interactions TO ringback_service;
GRANT INSERT, UPDATE (interaction, state, ended_at) ON legs TO ringback_service;
GRANT INSERT, UPDATE (answered_at, ended_at, outcome, sip_cause) ON attempts TO ringback_service;
GRANT INSERT (interaction, agent, role, state, started_at, busy_at, wrap_up_at),
    UPDATE (state, started_at, busy_at, wrap_up_at, ended_at, end_reason) ON assignments TO ringback_service;
GRANT INSERT (agent, state, reason, since, until) ON agent_states TO ringback_service;
GRANT INSERT, UPDATE ON shards TO ringback_service;
GRANT INSERT, UPDATE ON queues TO ringback_service;
GRANT INSERT ON queue_versions TO ringback_service;
GRANT INSERT, UPDATE, DELETE ON queue_numbers, answered_numbers, own_numbers TO ringback_service;
GRANT INSERT, UPDATE (reason, removed_at, removed_by) ON do_not_call TO ringback_service;
GRANT INSERT (queues, agents, numbers) ON applied TO ringback_service;
GRANT INSERT, UPDATE ON agents TO ringback_service;
GRANT INSERT, UPDATE, DELETE ON agent_queues TO ringback_service;
GRANT INSERT, UPDATE (expires_at), DELETE ON tokens TO ringback_service;
GRANT INSERT, UPDATE, DELETE ON idempotency_keys TO ringback_service;
GRANT INSERT, UPDATE ON requests_made TO ringback_service;
GRANT INSERT, UPDATE, DELETE ON bans, phone_networks TO ringback_service;

-- Privacy: finds what is old enough, and erases what is personal in it.
GRANT SELECT (id, status, subtype, queue, number, name, note, case_data, instructions, entered_at, closed_at)
    ON interactions TO ringback_privacy;
GRANT UPDATE (number, name, note, case_data, instructions) ON interactions TO ringback_privacy;
GRANT SELECT (id, interaction, role, party, created_at, ended_at), UPDATE (party) ON legs TO ringback_privacy;
GRANT SELECT (who, key, created_at), DELETE ON idempotency_keys TO ringback_privacy;

-- Reports: no number, no name, no note, no password, no token.
GRANT SELECT ON shards, queues, queue_versions, queue_numbers, answered_numbers, own_numbers, agent_queues, attempts,
    assignments, agent_states, schema_migrations TO ringback_reports;
GRANT SELECT (id, name, skills, accept_mode, auto_answer, wrap_up, availability, reason, since, idle_since, deleted_at)
    ON agents TO ringback_reports;
GRANT SELECT (id, shard, version, status, stage, subtype, queue, queue_version, dialled_number, assigned_to, priority,
    front, entered_at, queued_at, not_before, requested_at, promised_at, connected_at, closed_at, outcome, disposition,
    kind, callback_type, time_zone, tried_before, lines, wake_at, updated_at) ON interactions TO ringback_reports;
GRANT SELECT (id, interaction, role, state, created_at, ended_at) ON legs TO ringback_reports;
GRANT SELECT (cursor, interaction, seq, at, event, actor, status) ON feed TO ringback_reports;
