"""The Home List: interactions by filter, page after page by keyset."""

import base64
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from routing.core.errors import Invalid
from routing.core.interaction import Interaction, Status, Subtype
from routing.store.database import Pool, connection
from routing.store.interactions.loading import LOAD as LOAD
from routing.store.interactions.rows import readable


class Order(StrEnum):
    NEWEST = "-entered_at"
    OLDEST = "entered_at"
    LINE = "line"  # as they are served: front, priority, time in the queue


@dataclass(frozen=True, slots=True)
class Filter:
    """None: any. Without `status` everything that is not closed.

    `queues` and `agent` bound what the viewer may see: interactions of these queues, and the agent's own.
    `q` is looked for in notes, instructions, disposition, outcome and number. `numbers`, any of them, and `q` find by
    the number only what the viewer sees it of: with `reads_numbers` everything, else the agent's own.
    """

    status: tuple[Status, ...] = ()
    subtype: Subtype | None = None
    queue: str | None = None
    assigned_to: str | None = None
    numbers: tuple[str, ...] | None = None
    q: str | None = None
    reads_numbers: bool = False
    queues: frozenset[str] | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Interaction]
    next_cursor: str | None


_WHERE = """
 WHERE ($1::text[] IS NULL OR i.status = ANY($1))
   AND ($2::text IS NULL OR i.subtype = $2)
   AND ($3::text IS NULL OR i.queue = $3)
   AND ($4::text IS NULL OR i.assigned_to = $4)
   AND ($5::text[] IS NULL OR (i.number = ANY($5) AND ($7 OR i.assigned_to = $9)))
   AND ($6::text IS NULL OR concat_ws(' ', i.note, i.instructions, i.disposition, i.outcome) ILIKE $6
        OR (i.number LIKE $6 AND ($7 OR i.assigned_to = $9)))
   AND ($8::text[] IS NULL OR i.queue = ANY($8) OR i.assigned_to = $9)
"""
# Said in so many words, so that an index on what is not closed can serve it.
_LIVING = "   AND i.status <> 'closed'\n"

_ENTERED = "(i.entered_at, i.id)"
_LINE = "(NOT i.front, -i.priority, i.queued_at, i.id)"
_ORDER: dict[Order, tuple[str, str]] = {
    Order.NEWEST: (f"{_ENTERED} < ($11, $12)", "i.entered_at DESC, i.id DESC"),
    Order.OLDEST: (f"{_ENTERED} > ($11, $12)", "i.entered_at, i.id"),
    Order.LINE: (f"{_LINE} > ($11, $12, $13, $14)", "NOT i.front, -i.priority, i.queued_at, i.id"),
}
_KEY_TYPES: dict[Order, Any] = {
    Order.NEWEST: tuple[datetime, UUID],
    Order.OLDEST: tuple[datetime, UUID],
    Order.LINE: tuple[bool, int, datetime, UUID],
}


async def page(
    pool: Pool, wanted: Filter, *, order: Order = Order.NEWEST, limit: int = 50, cursor: str | None = None
) -> Page:
    """Up to `limit` interactions. Raises Invalid for a cursor that is not of this order."""
    after = _read_cursor(order, cursor) if cursor else ()
    living = _LIVING if Status.CLOSED not in wanted.status else ""
    beyond, sorting = _ORDER[order]
    keyset = f"   AND {beyond}\n" if after else ""
    statement = f"{LOAD}{_WHERE}{living}{keyset} ORDER BY {sorting} LIMIT $10"
    async with connection(pool) as c:
        rows = await c.fetch(statement, *_values(wanted), limit + 1, *after)
    items = [it for row in rows[:limit] if (it := readable(row))]
    return Page(items, _write_cursor(order, rows[limit - 1]) if len(rows) > limit else None)


def _values(wanted: Filter) -> tuple[Any, ...]:
    return (
        list(wanted.status) or None,
        wanted.subtype,
        wanted.queue,
        wanted.assigned_to,
        wanted.numbers,
        _pattern(wanted.q) if wanted.q else None,
        wanted.reads_numbers,
        None if wanted.queues is None else sorted(wanted.queues),
        wanted.agent,
    )


def _pattern(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def _key(order: Order, row: Any) -> tuple[Any, ...]:
    if order is Order.LINE:
        return (not row["front"], -row["priority"], row["queued_at"], row["id"])
    return (row["entered_at"], row["id"])


def _write_cursor(order: Order, last: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([order, *_key(order, last)])).decode().rstrip("=")


def _read_cursor(order: Order, cursor: str) -> tuple[Any, ...]:
    try:
        told, *key = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if told != order:
            raise ValueError
        values: tuple[Any, ...] = msgspec.convert(key, _KEY_TYPES[order])
    except (ValueError, TypeError, msgspec.MsgspecError):
        raise Invalid("This is not a cursor of this list.", "/cursor") from None
    return values


async def counts(pool: Pool) -> list[tuple[str, str, int]]:
    """How many interactions are not closed, by status and subtype."""
    async with connection(pool) as c:
        rows = await c.fetch(
            "SELECT status, subtype, count(*) AS n FROM interactions WHERE status <> 'closed' GROUP BY 1, 2"
        )
    return [(row["status"], row["subtype"], row["n"]) for row in rows]
