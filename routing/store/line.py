"""The two sides the router brings together: the line, and the agents who are free."""

from datetime import datetime

import msgspec

from routing.interaction import Desk
from routing.matching import Free, InLine
from routing.store.database import Pool, connection

_FREE = """
SELECT a.id, a.idle_since, a.auto_answer, a.accept_mode, a.wrap_up,
       jsonb_object_agg(q.queue, q.penalty) AS queues
  FROM agents a JOIN agent_queues q ON q.agent = a.id
 WHERE a.availability = 'ready' AND a.deleted_at IS NULL
   AND NOT EXISTS (SELECT FROM agent_work w WHERE w.agent = a.id)
 GROUP BY a.id
"""

# The index `line` serves each queue's part in order, however long the queue is.
_LINE = """
SELECT i.* FROM unnest($1::text[]) AS q(name) CROSS JOIN LATERAL (
    SELECT id, queue, front, priority, queued_at, excluded FROM interactions
     WHERE queue = q.name AND status = 'open' AND (not_before IS NULL OR not_before <= $2)
     ORDER BY front DESC, priority DESC, queued_at, id LIMIT $3) i
"""


async def free_agents(pool: Pool) -> list[Free]:
    """Ready agents who have no work, with the queues they serve."""
    async with connection(pool) as c:
        rows = await c.fetch(_FREE)
    return [
        Free(
            row["id"],
            row["idle_since"],
            row["queues"],
            Desk(row["auto_answer"], row["accept_mode"], row["wrap_up"]),
        )
        for row in rows
    ]


async def in_line(pool: Pool, queues: list[str], now: datetime, most: int) -> list[InLine]:
    """The first `most` open interactions of each queue that may be offered now."""
    async with connection(pool) as c:
        rows = await c.fetch(_LINE, queues, now, most)
    return [
        InLine(
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
