"""The two sides the router brings together, the line and the agents who are free; and the places in the line."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from routing.core.interaction import IN_LINE, AgentPreferences, Interaction
from routing.core.matching import Candidate, IdleAgent
from routing.store.database import Pool, connection

_FREE = """
SELECT a.id, a.idle_since, a.auto_answer, a.accept_mode, a.wrap_up,
       jsonb_object_agg(q.queue, q.penalty) AS queues
  FROM agents a JOIN agent_queues q ON q.agent = a.id
 WHERE a.availability = 'ready' AND a.deleted_at IS NULL
   AND NOT EXISTS (SELECT FROM assignments w WHERE w.agent = a.id AND w.ended_at IS NULL)
 GROUP BY a.id
"""

FEW = 1000
"""Interactions whose `not_before` has passed are put in order up to so many; more are looked for in order."""

_ORDER = "front DESC, priority DESC, queued_at, id"
_HEAD = """SELECT id, queue, front, priority, queued_at, excluded FROM interactions
         WHERE queue = q.name AND subtype = kinds.subtype AND status = 'open'"""


def _line(few: int) -> str:
    """Each queue's head, however long the line is, and however many of it are held: out of the index `line` who was
    never held; of those whose time has come all of them, out of `held`, or the first of them, out of `line_later`.
    A queue whose callbacks are switched off (`process`) has callers only."""
    return f"""
SELECT i.* FROM queues q CROSS JOIN LATERAL (
    SELECT head.* FROM (VALUES ('inbound'), ('callback')) kinds (subtype)
     CROSS JOIN LATERAL (
        SELECT count(*) > {few} AS many FROM (
            SELECT FROM interactions
             WHERE queue = q.name AND subtype = kinds.subtype AND status = 'open' AND not_before <= $2
             LIMIT {few} + 1) found) due
     CROSS JOIN LATERAL (
        ({_HEAD} AND not_before IS NULL ORDER BY {_ORDER} LIMIT $3)
        UNION ALL
        ({_HEAD} AND not_before <= $2 AND NOT due.many ORDER BY not_before LIMIT {few})
        UNION ALL
        ({_HEAD} AND not_before <= $2 AND due.many ORDER BY {_ORDER} LIMIT $3)) head
     WHERE kinds.subtype <> 'callback' OR q.process
     ORDER BY {_ORDER} LIMIT $3) i
 WHERE q.name = ANY($1)
"""  # noqa: S608  # of the constants above


_LINE = _line(FEW)


async def free_agents(pool: Pool) -> list[IdleAgent]:
    """Ready agents who have no work, with the queues they serve."""
    async with connection(pool) as c:
        rows = await c.fetch(_FREE)
    return [
        IdleAgent(
            row["id"],
            row["idle_since"],
            row["queues"],
            AgentPreferences(row["auto_answer"], row["accept_mode"], row["wrap_up"]),
        )
        for row in rows
    ]


async def in_line(pool: Pool, queues: list[str], now: datetime, most: int) -> list[Candidate]:
    """The first `most` open interactions of each queue that may be offered now."""
    async with connection(pool) as c:
        rows = await c.fetch(_LINE, queues, now, most)
    return [
        Candidate(
            row["id"],
            row["queue"],
            row["front"],
            row["priority"],
            row["queued_at"],
            {agent: msgspec.convert(until, datetime) for agent, until in row["excluded"].items()},
        )
        for row in rows
    ]


async def is_ready(pool: Pool, agent: str) -> bool:
    """Whether the agent still wants work."""
    async with connection(pool) as c:
        return bool(await c.fetchval("SELECT availability = 'ready' FROM agents WHERE id = $1", agent))


async def offered_callbacks(pool: Pool, queue: str) -> list[tuple[UUID, str]]:
    """The queue's callbacks that are offered, each with its agent."""
    async with connection(pool) as c:
        rows = await c.fetch(
            "SELECT id, assigned_to FROM interactions"
            " WHERE queue = $1 AND status = 'offered' AND subtype = 'callback'",
            queue,
        )
    return [(UUID(str(row["id"])), row["assigned_to"]) for row in rows]


MOST_PLACES = 1000
"""Who is further back has no place yet: finding it out would mean to count the whole line."""

# The head of each line concerned, out of the index `places`.
_PLACES = """
SELECT line.id, line.place FROM unnest($1::text[]) AS q(name) CROSS JOIN LATERAL (
    SELECT head.id, row_number() OVER (ORDER BY front DESC, priority DESC, queued_at, head.id) AS place FROM (
        SELECT id, front, priority, queued_at FROM interactions
         WHERE queue = q.name AND status IN ('open', 'bot', 'offered')
         ORDER BY front DESC, priority DESC, queued_at, id LIMIT $2) head) line
 WHERE line.id = ANY($3)
"""


async def places(pool: Pool, interactions: Iterable[Interaction]) -> dict[UUID, int]:
    """The place in line of those who wait: live callers and callbacks counted together, 1 is next."""
    waiting = {it.id: it.queue for it in interactions if it.status in IN_LINE}
    if not waiting:
        return {}
    async with connection(pool) as c:
        rows = await c.fetch(_PLACES, sorted(set(waiting.values())), MOST_PLACES, list(waiting))
    return {UUID(str(row["id"])): row["place"] for row in rows}
