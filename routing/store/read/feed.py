"""The story of an interaction, and where a listener has to take up the thread again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from routing.core.interaction import Status
from routing.store.database import Pool, connection


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is stored and told."""

    seq: int
    at: datetime
    event: str
    actor: str
    status: Status
    data: dict[str, Any]


async def of_interaction(pool: Pool, interaction_id: UUID, *, after: int = 0, limit: int = 200) -> list[Line]:
    """Up to `limit` lines in their order, those after line `after`."""
    async with connection(pool) as c:
        rows = await c.fetch(
            "SELECT seq, at, event, actor, status, data FROM feed"
            " WHERE interaction = $1 AND seq > $2 ORDER BY seq LIMIT $3",
            interaction_id,
            after,
            limit,
        )
    return [Line(**{**row, "status": Status(row["status"])}) for row in rows]


async def last_cursor(pool: Pool) -> int:
    """Where the feed ends now."""
    async with connection(pool) as c:
        return int(await c.fetchval("SELECT coalesce(max(cursor), 0) FROM feed"))


async def changed_after(pool: Pool, cursor: int, limit: int = 500) -> tuple[list[UUID], int | None]:
    """Whose story went on in the next `limit` lines, and the cursor to go on from (None: that was all)."""
    async with connection(pool) as c:
        rows = await c.fetch(
            "SELECT cursor, interaction FROM feed WHERE cursor > $1 ORDER BY cursor LIMIT $2", cursor, limit
        )
    ids = list(dict.fromkeys(row["interaction"] for row in rows))
    return ids, rows[-1]["cursor"] if len(rows) == limit else None
