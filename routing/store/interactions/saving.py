"""Saving a decision in one statement.

A save is a compare-and-set on (id, version, status), guarded by the shard's epoch, and writes legs, attempts, the
agent's work and the feed in the same transaction; being one statement, it is one round trip including its commit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from routing.core.errors import Conflict, DuplicateCallback, Invalid
from routing.core.interaction import Attempt, Deadline, Interaction, Leg, Status
from routing.core.lifecycle import Decision
from routing.core.numbers.moments import Moment
from routing.store import number_rules, requests_made
from routing.store.database import Pool, connection
from routing.store.interactions.loading import pending
from routing.store.number_rules import Check

_COLUMNS = (
    "queue, queue_version, kind, name, callback_type, time_zone, tried_before, shift,"
    " status, stage, subtype, number, assigned_to, desk, priority, front, queued_at, not_before, requested_at,"
    " promised_at, connected_at, closed_at, outcome, disposition, note, case_data, instructions, waiting, deadlines,"
    " excluded, legs_asked, lines, wake_at, version"
)
_FIELDS = tuple(name.strip() for name in _COLUMNS.split(","))
_PLACES = tuple(f"${i}" for i in range(9, 9 + len(_FIELDS)))
_PLACE = dict(zip(_FIELDS, _PLACES, strict=True))

# A newer version may have put more into these: its keys stay (routing.store.lenient).
_MERGED = {
    "desk": "interactions.desk || ",
    "waiting": "interactions.waiting || ",
    "deadlines": f"interactions.deadlines - '{{{','.join(Deadline)}}}'::text[] || ",
}
_CHANGED = ", ".join(_MERGED.get(name, "") + at for name, at in _PLACE.items())

# $1 id, $2 shard, $3 epoch, $4 legs, $5 attempts, $6 feed, $7 now, $8 what became of the agent; then _COLUMNS
_REST = """,
the_legs AS (
    INSERT INTO legs (id, interaction, role, party, state, created_at, ended_at)
    SELECT l.id, s.id, l.role, l.party, l.state, $7, l.ended_at
      FROM saved s, jsonb_to_recordset($4) AS l(id text, role text, party text, state text, ended_at timestamptz)
     ORDER BY l.ended_at NULLS LAST
    ON CONFLICT (id) DO UPDATE SET interaction = excluded.interaction, state = excluded.state,
                                   ended_at = excluded.ended_at
    RETURNING 1
),
the_attempts AS (
    INSERT INTO attempts (id, interaction, n, agent, started_at, answered_at, ended_at, outcome, sip_cause)
    SELECT a.id, s.id, a.n, a.agent, a.started_at, a.answered_at, a.ended_at, a.outcome, a.sip_cause
      FROM saved s, jsonb_to_recordset($5) AS a(id text, n int, agent text, started_at timestamptz,
           answered_at timestamptz, ended_at timestamptz, outcome text, sip_cause int)
    ON CONFLICT (id) DO UPDATE SET answered_at = excluded.answered_at, ended_at = excluded.ended_at,
                                   outcome = excluded.outcome, sip_cause = excluded.sip_cause
    RETURNING 1
),
taken AS (
    INSERT INTO agent_work AS w (agent, interaction, role, since)
    SELECT $8::jsonb ->> 'agent', s.id, $8::jsonb ->> 'role', $7 FROM saved s WHERE $8::jsonb ->> 'role' IS NOT NULL
    ON CONFLICT (agent) DO UPDATE SET role = excluded.role, since = excluded.since
     WHERE w.interaction = excluded.interaction AND w.role <> excluded.role
    RETURNING 1
),
freed AS (
    DELETE FROM agent_work w USING saved s
     WHERE w.interaction = s.id AND $8::jsonb ->> 'freed' IS NOT NULL RETURNING w.agent
),
rested AS (
    UPDATE agents a SET
           idle_since   = $7,
           availability = CASE WHEN $8::jsonb ->> 'reason' IS NOT NULL AND a.availability = 'ready'
                               THEN 'not_ready' ELSE a.availability END,
           since        = CASE WHEN $8::jsonb ->> 'reason' IS NOT NULL AND a.availability = 'ready'
                               THEN $7 ELSE a.since END,
           reason       = CASE WHEN $8::jsonb ->> 'reason' IS NOT NULL AND a.availability = 'ready'
                               THEN $8::jsonb ->> 'reason' ELSE a.reason END
     WHERE a.id IN (SELECT agent FROM freed)
    RETURNING 1
),
written AS (
    INSERT INTO feed (interaction, seq, at, event, actor, status, data)
    SELECT s.id, f.seq, $7, f.event, f.actor, f.status, f.data
      FROM saved s, jsonb_to_recordset($6) AS f(seq int, event text, actor text, status text, data jsonb)
           -- Last of all: who waited for a row after drawing a cursor would appear behind a reader's back.
     WHERE (SELECT count(*) FROM the_legs) + (SELECT count(*) FROM the_attempts)
         + (SELECT count(*) FROM taken) + (SELECT count(*) FROM rested) >= 0
     ORDER BY f.seq
    RETURNING cursor
)
SELECT (SELECT id FROM saved) AS id, (SELECT max(cursor) FROM written) AS cursor
"""


# Whoever comes into a queue locks it until the commit: who deletes it waits for that, and the other way round. What
# is closed waits for nobody.
_THERE = f"""there AS MATERIALIZED (
    SELECT q.name FROM queues q WHERE q.name = {_PLACE["queue"]} AND q.deleted_at IS NULL FOR KEY SHARE OF q
),
"""  # noqa: S608  # of the constants above
_MAY_COME = f"({_PLACE['status']} = 'closed' OR EXISTS (SELECT FROM there))"
_GONE = f", NOT {_MAY_COME} AS gone\n"


def _guard(moment: Moment | None) -> tuple[str, str, str]:
    """How a statement asks the number rules too: the question, the condition, what it tells. The Check comes last."""
    if moment is None:
        return "", "", ""
    question = number_rules.guard(moment, f"${10 + len(_FIELDS)}", "$7::timestamptz", "$1::uuid")
    told = ", (SELECT rule FROM refused) AS rule, (SELECT until FROM refused) AS until\n"
    return f"{question},\n", "AND NOT EXISTS (SELECT FROM refused)", told


def _save(moment: Moment | None, *, moves: bool) -> str:
    """The row is locked before the epoch is looked at, and the shard until the commit: whoever waited for the row
    notices that the shard has another owner by then, and who takes the shard waits for those who did not. `moves`: it
    comes into another queue."""
    question, condition, told = _guard(moment)
    there, comes, gone = (_THERE, f"AND {_MAY_COME}", _GONE) if moves else ("", "", "")
    same = f"id = $1 AND version = ${8 + len(_FIELDS)} - 1 AND status = ${9 + len(_FIELDS)}"
    return f"""
WITH {question}{there}held AS MATERIALIZED (
    SELECT id FROM interactions WHERE {same} FOR NO KEY UPDATE
),
owned AS MATERIALIZED (
    SELECT s.name FROM shards s
     WHERE s.name = $2 AND s.epoch = $3 AND EXISTS (SELECT FROM held)
       FOR KEY SHARE OF s
),
saved AS (
    UPDATE interactions SET ({_COLUMNS}, updated_at) = ({_CHANGED}, $7)
     WHERE {same} AND EXISTS (SELECT FROM owned) {comes} {condition}
    RETURNING id
){_REST}{told}{gone}
"""  # noqa: S608  # put together from the constants above, once


def _insert(moment: Moment | None) -> str:
    question, condition, told = _guard(moment)
    return f"""
WITH {question}{_THERE}owned AS MATERIALIZED (
    SELECT s.name FROM shards s WHERE s.name = $2 AND s.epoch = $3 FOR KEY SHARE OF s
),
saved AS (
    INSERT INTO interactions (id, shard, {_COLUMNS}, dialled_number, entered_at)
    SELECT $1, $2, {", ".join(_PLACES)}, ${9 + len(_FIELDS)}, $7
     WHERE EXISTS (SELECT FROM owned) AND {_MAY_COME} {condition}
    RETURNING id
){_REST}{told}{_GONE}
"""  # noqa: S608


_SAVE = {(moment, moves): _save(moment, moves=moves) for moment in (None, *Moment) for moves in (False, True)}
_INSERT = {moment: _insert(moment) for moment in (None, *Moment)}


@dataclass(frozen=True, slots=True)
class Ownership:
    """The shard we act for and the epoch we hold it in."""

    shard: str
    epoch: int


async def create(pool: Pool, owner: Ownership, decision: Decision, now: datetime, check: Check | None = None) -> int:
    """Store a new interaction. Returns the feed's cursor; raises DuplicateCallback, Invalid when its queue was
    deleted, or Conflict when it exists or the shard is not ours; with a `check` also NumberBlocked, RateLimited or
    Stale."""
    statement = _INSERT[check and check.moment]
    return await _write(pool, statement, owner, None, decision, now, (decision.interaction.dialled_number,), check)


async def save(
    pool: Pool, owner: Ownership, before: Interaction, decision: Decision, now: datetime, check: Check | None = None
) -> int:
    """Store what became of `before`. Returns the feed's cursor; raises Conflict when another writer was first,
    Invalid when the queue it comes into was deleted, with a `check` also NumberBlocked, RateLimited or Stale."""
    statement = _SAVE[check and check.moment, decision.interaction.queue != before.queue]
    return await _write(pool, statement, owner, before, decision, now, (before.status,), check)


async def _write(
    pool: Pool,
    statement: str,
    owner: Ownership,
    before: Interaction | None,
    decision: Decision,
    now: datetime,
    extra: tuple[Any, ...],
    check: Check | None,
) -> int:
    after = decision.interaction
    values = (
        after.id,
        owner.shard,
        owner.epoch,
        _legs(before, after, now),
        _attempts(before, after),
        _feed(decision),
        now,
        _work(before, decision),
        *_values(after),
        *extra,
        *((check,) if check else ()),
    )
    try:
        async with connection(pool) as c:
            row = await c.fetchrow(statement, *values)
    except DuplicateCallback as error:
        if check and check.asker:
            await requests_made.count(pool, check, now)
        error.existing = await pending(pool, after.queue, after.number or "")
        raise
    if row["id"] is None:
        if check and row["rule"]:
            number_rules.refuse(row["rule"], row["until"], now)
        if row.get("gone"):
            raise Invalid("There is no such queue.", "/queue")
        raise Conflict
    return int(row["cursor"] or 0)


def _values(it: Interaction) -> Iterable[Any]:
    plain = {name: getattr(it, name) for name in _FIELDS if name not in ("wake_at", "desk", "waiting")}
    plain["version"] = it.version + 1
    plain["wake_at"] = it.wake_at
    plain["desk"] = it.desk
    plain["waiting"] = it.waiting
    return (plain[name] for name in _FIELDS)


def _legs(before: Interaction | None, after: Interaction, now: datetime) -> list[dict[str, Any]]:
    known = {leg.id: leg for leg in (before.legs if before else ())}
    kept = {leg.id for leg in after.legs}
    changed = [_leg_row(leg, None) for leg in after.legs if known.get(leg.id) != leg]
    ended = [_leg_row(leg, now) for leg in known.values() if leg.id not in kept]
    return ended + changed


def _leg_row(leg: Leg, ended_at: datetime | None) -> dict[str, Any]:
    return {"id": leg.id, "role": leg.role, "party": leg.party, "state": leg.state, "ended_at": ended_at}


def _attempts(before: Interaction | None, after: Interaction) -> list[Attempt]:
    known = before.attempts if before else ()
    return [each for each in after.attempts if each not in known]


def _feed(decision: Decision) -> list[dict[str, Any]]:
    first = decision.interaction.lines - len(decision.feed) + 1
    return [
        {"seq": first + i, "event": line.event, "actor": line.actor, "status": line.status, "data": dict(line.data)}
        for i, line in enumerate(decision.feed)
    ]


_ROLE = {Status.OFFERED: "offered", Status.CONNECTED: "busy", Status.WRAP_UP: "wrap_up"}


def _work(before: Interaction | None, decision: Decision) -> dict[str, str | None]:
    """What the decision means for the agent: an entry in agent_work, or none any more."""
    after = decision.interaction
    role = _ROLE.get(after.status)
    was = before.assigned_to if before and before.status in _ROLE else None
    freed = "yes" if was and (role is None or was != after.assigned_to) else None
    reason = decision.not_ready.reason if decision.not_ready else None
    return {"agent": after.assigned_to if role else None, "role": role, "freed": freed, "reason": reason}
