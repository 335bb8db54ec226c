"""The statement that stores a decision, put together from what the decision touches.

Most decisions touch no attempt, no agent and no rule, and none of those is paid for then. A value is called by its
name here, and gets its place ($1, $2 …) where it is first named.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache

from routing.core.interaction import Deadline
from routing.core.requirements import Moment
from routing.store import number_rules

_COLUMNS = (
    "queue, queue_version, kind, name, callback_type, time_zone, tried_before, shift,"
    " status, stage, subtype, number, assigned_to, desk, priority, front, queued_at, not_before, requested_at,"
    " promised_at, connected_at, closed_at, outcome, disposition, note, case_data, instructions, waiting, deadlines,"
    " hears, excluded, legs_asked, lines, wake_at, version"
)
COLUMNS = tuple(name.strip() for name in _COLUMNS.split(","))
"""Those of `interactions` that a decision may change; each is also the name of its value."""

# A newer version may have put more into these: its keys stay (routing.store.lenient).
_MERGED = {
    "desk": "interactions.desk || ",
    "waiting": "interactions.waiting || ",
    "deadlines": f"interactions.deadlines - '{{{{{','.join(Deadline)}}}}}'::text[] || ",
}
_VALUES = ", ".join(f"{{{name}}}" for name in COLUMNS)
_CHANGED = ", ".join(f"{_MERGED.get(name, '')}{{{name}}}" for name in COLUMNS)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a decision touches. `new`: its row is not there yet; `moves`: it comes into a queue; `asks`: which number
    rules; `assigns`, `releases`: the agent; `continues`: with something else; `rests`: who is released is not ready
    any more."""

    new: bool = False
    moves: bool = False
    asks: Moment | None = None
    legs: bool = False
    attempts: bool = False
    assigns: bool = False
    continues: bool = False
    releases: bool = False
    rests: bool = False
    feed: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """`names` are those of its values, by their places."""

    sql: str
    names: tuple[str, ...]


@cache
def statement(parts: Parts) -> Statement:
    """Its row has `id`, None where nothing was stored, and `cursor`; `rule` and `until` where it `asks`; `gone` where
    it `moves`: the queue was deleted."""
    steps = (*_first(parts), *(_INSERT if parts.new else _UPDATE), *_beside(parts))
    conditions = "".join(_conditions(parts))
    template = f"WITH {','.join(steps)} SELECT {', '.join(_told(parts))}".replace("<conditions>", conditions)
    places = _Places()
    return Statement(template.format_map(places), tuple(places))


class _Places(dict[str, str]):
    def __missing__(self, name: str) -> str:
        self[name] = place = f"${len(self) + 1}"
        return place


# What has to be so

# Whoever comes into a queue locks it until the commit: who deletes it waits for that, and the other way round. What
# is closed waits for nobody.
_THERE = """
there AS MATERIALIZED (
    SELECT q.name FROM queues q WHERE q.name = {queue} AND q.deleted_at IS NULL FOR KEY SHARE OF q
)"""
_MAY_COME = "({status} = 'closed' OR EXISTS (SELECT FROM there))"


def _first(parts: Parts) -> Iterator[str]:
    if parts.asks:
        yield number_rules.guard(parts.asks, "{check}", "{now}::timestamptz", "{id}::uuid")
    if parts.moves:
        yield _THERE


def _conditions(parts: Parts) -> Iterator[str]:
    if parts.moves:
        yield f" AND {_MAY_COME}"
    if parts.asks:
        yield " AND NOT EXISTS (SELECT FROM refused)"


def _told(parts: Parts) -> Iterator[str]:
    yield "(SELECT id FROM saved) AS id"
    yield "(SELECT max(cursor) FROM written) AS cursor" if parts.feed else "0::bigint AS cursor"
    if parts.asks:
        yield "(SELECT rule FROM refused) AS rule, (SELECT until FROM refused) AS until"
    if parts.moves:
        yield f"NOT {_MAY_COME} AS gone"


# Its row

_SAME = "id = {id} AND version = {version} - 1 AND status = {before}"

# The row is locked before the epoch is looked at, and the shard until the commit: whoever waited for the row notices
# that the shard has another owner by then, and who takes the shard waits for those who did not.
_UPDATE = (
    f"""
held AS MATERIALIZED (
    SELECT id FROM interactions WHERE {_SAME} FOR NO KEY UPDATE
)""",
    """
owned AS MATERIALIZED (
    SELECT s.name FROM shards s
     WHERE s.name = {shard} AND s.epoch = {epoch} AND EXISTS (SELECT FROM held)
       FOR KEY SHARE OF s
)""",
    f"""
saved AS (
    UPDATE interactions SET ({", ".join(COLUMNS)}, updated_at) = ({_CHANGED}, {{now}})
     WHERE {_SAME} AND EXISTS (SELECT FROM owned) <conditions>
    RETURNING id
)""",
)
_INSERT = (
    """
owned AS MATERIALIZED (
    SELECT s.name FROM shards s WHERE s.name = {shard} AND s.epoch = {epoch} FOR KEY SHARE OF s
)""",
    f"""
saved AS (
    INSERT INTO interactions (id, shard, {", ".join(COLUMNS)}, dialled_number, entered_at)
    SELECT {{id}}, {{shard}}, {_VALUES}, {{dialled_number}}, {{now}}
     WHERE EXISTS (SELECT FROM owned) <conditions>
    RETURNING id
)""",
)

# What is beside it

_LEGS = """
the_legs AS (
    INSERT INTO legs (id, interaction, role, party, state, created_at, ended_at)
    SELECT l.id, s.id, l.role, l.party, l.state, {now}, l.ended_at
      FROM saved s, jsonb_to_recordset({legs}) AS l(id text, role text, party text, state text, ended_at timestamptz)
     ORDER BY l.ended_at NULLS LAST
    ON CONFLICT (id) DO UPDATE SET interaction = excluded.interaction, state = excluded.state,
                                   ended_at = excluded.ended_at
    RETURNING 1
)"""
_ATTEMPTS = """
the_attempts AS (
    INSERT INTO attempts (id, interaction, n, agent, started_at, answered_at, ended_at, outcome, sip_cause)
    SELECT a.id, s.id, a.n, a.agent, a.started_at, a.answered_at, a.ended_at, a.outcome, a.sip_cause
      FROM saved s, jsonb_to_recordset({attempts}) AS a(id text, n int, agent text, started_at timestamptz,
           answered_at timestamptz, ended_at timestamptz, outcome text, sip_cause int)
    ON CONFLICT (id) DO UPDATE SET answered_at = excluded.answered_at, ended_at = excluded.ended_at,
                                   outcome = excluded.outcome, sip_cause = excluded.sip_cause
    RETURNING 1
)"""
# It has one owner: who is released is counted, so that this comes first.
_ASSIGNED = """
taken AS (
    INSERT INTO assignments (interaction, agent, role, state, started_at, busy_at)
    SELECT s.id, {assigned}, 'owner', {work}, {now}, CASE WHEN {work} = 'busy' THEN {now}::timestamptz END
      FROM saved s <released>
    RETURNING 1
)"""
_CONTINUED = """
continued AS (
    UPDATE assignments a SET
           state      = {work},
           busy_at    = CASE WHEN {work} = 'busy' THEN {now} ELSE a.busy_at END,
           wrap_up_at = CASE WHEN {work} = 'wrap_up' THEN {now} ELSE a.wrap_up_at END
      FROM saved s WHERE a.interaction = s.id AND a.agent = {continues} AND a.ended_at IS NULL
    RETURNING 1
)"""
_RELEASED = """
freed AS (
    UPDATE assignments a SET ended_at = {now}, end_reason = {why}
      FROM saved s WHERE a.interaction = s.id AND a.agent = {released} AND a.ended_at IS NULL
    RETURNING a.agent
)"""
_IDLE = """
idle AS (
    UPDATE agents a SET idle_since = {now} WHERE a.id IN (SELECT agent FROM freed) RETURNING 1
)"""
_RESTED = """
rested AS (
    UPDATE agents a SET
           idle_since   = {now},
           availability = CASE WHEN a.availability = 'ready' THEN 'not_ready' ELSE a.availability END,
           since        = CASE WHEN a.availability = 'ready' THEN {now} ELSE a.since END,
           reason       = CASE WHEN a.availability = 'ready' THEN {reason} ELSE a.reason END
     WHERE a.id IN (SELECT agent FROM freed)
    RETURNING 1
)"""


def _beside(parts: Parts) -> Iterator[str]:
    steps = {
        "the_legs": _LEGS if parts.legs else "",
        "the_attempts": _ATTEMPTS if parts.attempts else "",
        "freed": _RELEASED if parts.releases else "",
        "taken": _assigned(parts) if parts.assigns else "",
        "continued": _CONTINUED if parts.continues else "",
        "rested": _RESTED if parts.releases and parts.rests else "",
        "idle": _IDLE if parts.releases and not parts.rests else "",
    }
    present = {name: step for name, step in steps.items() if step}
    yield from present.values()
    if parts.feed:
        yield _feed(present.keys())


def _assigned(parts: Parts) -> str:
    return _ASSIGNED.replace("<released>", "WHERE (SELECT count(*) FROM freed) >= 0" if parts.releases else "")


def _feed(before: Collection[str]) -> str:
    """Last of all: who waited for a row after drawing a cursor would appear behind a reader's back."""
    done = " + ".join(f"(SELECT count(*) FROM {name})" for name in ("saved", *before))
    return f"""
written AS (
    INSERT INTO feed (interaction, seq, at, event, actor, status, data)
    SELECT s.id, f.seq, {{now}}, f.event, f.actor, f.status, f.data
      FROM saved s, jsonb_to_recordset({{feed}}) AS f(seq int, event text, actor text, status text, data jsonb)
     WHERE {done} > 0
     ORDER BY f.seq
    RETURNING cursor
)"""
