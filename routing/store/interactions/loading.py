"""Interactions read whole, and which there are: what lives, what is due, what is pending."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from routing.core.errors import NotFound
from routing.core.interaction import Interaction
from routing.store.database import Pool, connection
from routing.store.interactions.rows import interaction, readable

LOAD = """
SELECT i.*,
       (SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.created_at, l.id), '[]') FROM legs l
         WHERE l.interaction = i.id AND l.ended_at IS NULL) AS live_legs,
       (SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.n), '[]') FROM attempts a
         WHERE a.interaction = i.id) AS all_attempts
  FROM interactions i
"""

_LOAD_ONE = f"{LOAD} WHERE i.id = $1"


async def load(pool: Pool, interaction_id: UUID) -> Interaction:
    """The interaction with its live legs and attempts. Raises NotFound."""
    async with connection(pool) as c:
        row = await c.fetchrow(_LOAD_ONE, interaction_id)
    if row is None:
        raise NotFound("There is no such interaction.")
    return interaction(row)


# A UNION, as with OR the whole table would be read, however long the line.
_LIVING = f"""{LOAD}
 WHERE i.shard = $1 AND i.id IN (SELECT id FROM interactions WHERE status IN ('bot', 'offered', 'connected')
                                 UNION SELECT interaction FROM legs WHERE ended_at IS NULL)
"""  # noqa: S608  # of the constant above


@dataclass(frozen=True, slots=True)
class Unread:
    """What belongs to rows that cannot be read: a newer version wrote them, and their calls are not ours to touch."""

    interactions: frozenset[UUID] = frozenset()
    legs: frozenset[str] = frozenset()


async def load_living(pool: Pool, shard: str) -> tuple[list[Interaction], Unread]:
    """Every interaction of the shard that has a live channel or is in somebody's hands: what recovery looks at. One
    row that cannot be read costs only itself."""
    async with connection(pool) as c:
        rows = await c.fetch(_LIVING, shard)
    found = [(row, readable(row)) for row in rows]
    lost = [row for row, it in found if it is None]
    legs = frozenset(leg["id"] for row in lost for leg in row["live_legs"])
    return [it for _, it in found if it], Unread(frozenset(UUID(str(row["id"])) for row in lost), legs)


async def pending(pool: Pool, queue: str, number: str) -> UUID | None:
    """The callback that is pending for this number in this queue."""
    async with connection(pool) as c:
        found = await c.fetchval(
            "SELECT id FROM interactions WHERE queue = $1 AND number = $2"
            " AND requested_at IS NOT NULL AND status NOT IN ('wrap_up', 'closed')",
            queue,
            number,
        )
    return found and UUID(str(found))


async def known_legs(pool: Pool, ids: list[str]) -> set[str]:
    """Which of these channels we have ever had to do with."""
    async with connection(pool) as c:
        return {row["id"] for row in await c.fetch("SELECT id FROM legs WHERE id = ANY($1)", ids)}


async def due_until(pool: Pool, shard: str, until: datetime) -> list[tuple[UUID, datetime]]:
    """What has to be woken by then."""
    async with connection(pool) as c:
        rows = await c.fetch(
            "SELECT id, wake_at FROM interactions WHERE shard = $1 AND wake_at <= $2 ORDER BY wake_at LIMIT 5000",
            shard,
            until,
        )
    return [(row["id"], row["wake_at"]) for row in rows]


# In the order in which none overtakes another meanwhile.
_BEFORE_JUMP = """
SELECT id FROM interactions WHERE shard = $1 AND status <> 'closed' AND shift <> $2
 ORDER BY CASE WHEN shift < $2 THEN -extract(epoch FROM queued_at) ELSE extract(epoch FROM queued_at) END, id LIMIT $3
"""


async def stored_before_jump(pool: Pool, shard: str, shift: float, most: int) -> list[UUID]:
    """What was stored before Postgres' clock jumped, and is not closed."""
    async with connection(pool) as c:
        return [UUID(str(row["id"])) for row in await c.fetch(_BEFORE_JUMP, shard, shift, most)]
