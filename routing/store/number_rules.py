"""The number rules that have to be looked up or counted, as part of the statement that promises or dials: a refusal
stores nothing. Counterpart: `routing.core.numbers`, the rules that need no looking up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from routing.core.errors import NumberBlocked, RateLimited
from routing.core.numbers import RULES, Rule
from routing.core.requirements import Moment
from routing.store.database import Pool, connection
from routing.store.requests_made import RULE as REQUESTS_PER_AGENT
from routing.store.requests_made import limited


class Stale(Exception):
    """The queue's settings are newer than those the pure rules were asked with. Not for people: ask them again."""


@dataclass(frozen=True, slots=True)
class Check:
    """`version` of the queue the pure rules were asked with; `source` is who asks, where that is another number.

    Limits are None for none; `foreign`: the limit per prefix applies. `asker`: the agent or token whose request
    counts against `requests_per_agent`, taken or refused, and for whom `most_over_api` may wait; None for who asks on
    the telephone.
    """

    moment: Moment
    queue: str
    version: int
    number: str
    source: str | None
    foreign: bool
    max_pending: int
    requests_per_number: int | None
    requests_per_source: int | None
    requests_per_prefix: int | None
    dials_per_number: int | None
    most_over_api: int = 0
    asker: str | None = None
    requests_per_agent: int | None = None


# {c} is a Check as jsonb, {now} the time, {id} the interaction it is for.
_ALWAYS = """
    SELECT 1 AS n, 'stale' AS rule, NULL::timestamptz AS until
     WHERE NOT EXISTS (SELECT FROM queues WHERE name = {c} ->> 'queue' AND version = ({c} ->> 'version')::int)
    UNION ALL
    SELECT 2, 'own_number', NULL WHERE EXISTS (SELECT FROM own_numbers WHERE number = {c} ->> 'number')
    UNION ALL
    SELECT 3, 'do_not_call', NULL
     WHERE EXISTS (SELECT FROM do_not_call WHERE number = {c} ->> 'number' AND removed_at IS NULL)
"""

_PROMISE = """
    UNION ALL
    SELECT 4, 'register', NULL FROM queues WHERE name = {c} ->> 'queue' AND (NOT register OR deleted_at IS NOT NULL)
    UNION ALL
    SELECT 5, 'max_pending', NULL FROM (
        SELECT FROM interactions WHERE queue = {c} ->> 'queue' AND id <> {id}
           AND requested_at IS NOT NULL AND status NOT IN ('wrap_up', 'closed')
         LIMIT ({c} ->> 'max_pending')::int) found HAVING count(*) >= ({c} ->> 'max_pending')::int
    UNION ALL
    SELECT 6, 'requests_per_number', NULL FROM (
        SELECT FROM interactions WHERE number = {c} ->> 'number' AND id <> {id}
           AND requested_at > {now} - interval '24 hours'
         LIMIT ({c} ->> 'requests_per_number')::int) found
    HAVING count(*) >= ({c} ->> 'requests_per_number')::int
    UNION ALL
    SELECT 7, 'requests_per_source', NULL FROM (
        SELECT FROM legs l JOIN interactions i ON i.id = l.interaction
         WHERE l.role = 'caller' AND l.party = {c} ->> 'source' AND l.created_at > {now} - interval '1 hour'
           AND i.requested_at IS NOT NULL AND i.number <> l.party AND i.id <> {id}
         LIMIT ({c} ->> 'requests_per_source')::int) found
    HAVING count(*) >= ({c} ->> 'requests_per_source')::int
    UNION ALL
    SELECT 8, 'requests_per_prefix', NULL FROM (
        SELECT FROM interactions WHERE left(number, 8) = left({c} ->> 'number', 8) AND id <> {id}
           AND requested_at > {now} - interval '1 hour' AND ({c} ->> 'foreign')::boolean
         LIMIT ({c} ->> 'requests_per_prefix')::int) found
    HAVING count(*) >= ({c} ->> 'requests_per_prefix')::int
"""

_DIAL = """
    UNION ALL
    SELECT 9, 'process', NULL FROM queues WHERE name = {c} ->> 'queue' AND NOT process
    UNION ALL
    (SELECT 10, 'dials_per_number', a.started_at + interval '24 hours'
       FROM attempts a JOIN interactions i ON i.id = a.interaction
      WHERE i.number = {c} ->> 'number' AND a.started_at > {now} - interval '24 hours'
        AND a.outcome IS DISTINCT FROM 'not_dialled' AND ({c} ->> 'dials_per_number') IS NOT NULL
        AND (a.interaction <> {id} OR a.ended_at IS NOT NULL)  -- its own under way is the one that is asked about
      ORDER BY a.started_at DESC OFFSET ({c} ->> 'dials_per_number')::int - 1 LIMIT 1)
"""

_RULES = {Moment.PROMISE: _ALWAYS + _PROMISE, Moment.DIAL: _ALWAYS + _DIAL}
HISTORY = (Rule.REQUESTS_PER_NUMBER, Rule.REQUESTS_PER_SOURCE, Rule.REQUESTS_PER_PREFIX, Rule.DIALS_PER_NUMBER)
"""What they say tells whose call back was asked for or tried."""


def _first(rules: str, c: str, now: str, of: str) -> str:
    """The first rule that refuses, as one row (rule, until) or none."""
    return f"SELECT rule, until FROM ({_asked(rules, c, now, of)}) each_rule ORDER BY n LIMIT 1"  # noqa: S608


def _asked(rules: str, c: str, now: str, of: str) -> str:
    return rules.format(c=f"{c}::jsonb", now=now, id=of)


def guard(moment: Moment, c: str, now: str, of: str) -> str:
    """The parts of a statement that ask the rules; `refused` (rule, until) is what they say. The arguments are places
    of parameters."""
    question = _first(_RULES[moment], c, now, of)
    return limited(question, f"{c}::jsonb", now) if moment is Moment.PROMISE else f"refused AS ({question})"


_NOBODY = UUID(int=0)
_ASK = f"""
SELECT rule, until FROM ({_asked(_ALWAYS + _PROMISE + _DIAL, "$1", "$2::timestamptz", "$3::uuid")}) each_rule
 WHERE rule <> ALL($4) ORDER BY n LIMIT 1
"""  # noqa: S608  # of the constants above


async def ask(pool: Pool, check: Check, now: datetime, *, history: bool) -> None:
    """The questions of a promise and of a dial without storing anything; without `history` none of HISTORY. Raises
    NumberBlocked or Stale."""
    async with connection(pool) as c:
        row = await c.fetchrow(_ASK, check, now, _NOBODY, [] if history else list(HISTORY))
    if row:
        refuse(row["rule"], row["until"], now)


def refuse(rule: str, until: datetime | None, now: datetime) -> NoReturn:
    """Raise what the rule's name stands for."""
    if rule == "stale":
        raise Stale
    if rule == REQUESTS_PER_AGENT and until:
        seconds = (until - now).total_seconds()
        raise RateLimited(seconds, "You have requested as many callbacks as allowed in an hour.")
    raise blocked(RULES[rule], until)


def blocked(rule: Rule, until: datetime | None = None) -> NumberBlocked:
    return NumberBlocked(rule, rule.explanation, until)


@dataclass(frozen=True, slots=True)
class Entry:
    """A number on the do-not-call list."""

    number: str
    reason: str | None
    added_by: str
    added_at: datetime


_ENTRY = "number, reason, added_by, added_at"


async def do_not_call(pool: Pool, number: str, by: str, reason: str | None) -> Entry:
    """Put it on the list; on it already, it stays as it is."""
    async with connection(pool) as c:
        row = await c.fetchrow(
            f"INSERT INTO do_not_call AS d (number, reason, added_by) VALUES ($1, $2, $3)"  # noqa: S608
            f" ON CONFLICT (number) WHERE removed_at IS NULL DO UPDATE SET reason = coalesce(d.reason, $2)"
            f" RETURNING {_ENTRY}",
            number,
            reason,
            by,
        )
    return Entry(**row)


async def may_call_again(pool: Pool, number: str, by: str) -> bool:
    """Take it off the list; whether it was on it. The line stays as a record."""
    async with connection(pool) as c:
        taken = await c.fetchval(
            "UPDATE do_not_call SET removed_at = now(), removed_by = $2"
            " WHERE number = $1 AND removed_at IS NULL RETURNING number",
            number,
            by,
        )
    return taken is not None


async def list_do_not_call(pool: Pool, *, limit: int, after: str = "") -> list[Entry]:
    """By number, those after `after`."""
    async with connection(pool) as c:
        rows = await c.fetch(
            f"SELECT {_ENTRY} FROM do_not_call WHERE removed_at IS NULL AND number > $1"  # noqa: S608
            " ORDER BY number LIMIT $2",
            after,
            limit,
        )
    return [Entry(**row) for row in rows]


async def waiting_callbacks(pool: Pool, numbers: Iterable[str]) -> list[UUID]:
    """The callbacks of these numbers nobody works on."""
    async with connection(pool) as c:
        rows: Iterable[Any] = await c.fetch(
            "SELECT id FROM interactions WHERE number = ANY($1) AND subtype = 'callback'"
            " AND status IN ('open', 'scheduled')",
            list(numbers),
        )
    return [UUID(str(row["id"])) for row in rows]
