"""Queues as rows: every change is a new version, and interactions keep the one they came in under."""

from dataclasses import dataclass
from typing import Any

from routing.core.errors import Invalid, NotFound
from routing.core.events import NumberFormat
from routing.core.queues import Queue, Switches
from routing.store import queue_numbers
from routing.store.database import Pool, connection, transaction

_CURRENT = """
SELECT v.version, v.config, q.register, q.process
  FROM queues q JOIN queue_versions v ON (v.name, v.version) = (q.name, q.version)
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A queue, the number of its current version, and what of its callbacks goes on."""

    queue: Queue
    version: int
    switches: Switches = Switches()


async def put(pool: Pool, queue: Queue) -> Stored:
    """Create or change it; the same settings again make no new version.

    Raises Invalid when another queue answers one of its numbers.
    """
    async with transaction(pool) as c:
        return await put_in(c, queue)


async def put_in(c: Any, queue: Queue) -> Stored:
    """The same, within a transaction."""
    config = queue.model_dump(mode="json")
    known = await c.fetchrow(
        "INSERT INTO queues AS q (name, version) VALUES ($1, 0)"
        " ON CONFLICT (name) DO UPDATE SET deleted_at = NULL RETURNING q.version, q.register, q.process",
        queue.name,
    )
    version = int(known["version"])
    if version == 0 or await _config(c, queue.name, version) != config:
        version += 1
        await _add_version(c, queue.name, version, config)
    await queue_numbers.take(c, queue)
    return Stored(queue, version, Switches(known["register"], known["process"]))


async def _config(c: Any, name: str, version: int) -> Any:
    return await c.fetchval("SELECT config FROM queue_versions WHERE name = $1 AND version = $2", name, version)


async def _add_version(c: Any, name: str, version: int, config: dict[str, Any]) -> None:
    await c.execute("INSERT INTO queue_versions (name, version, config) VALUES ($1, $2, $3)", name, version, config)
    await c.execute("UPDATE queues SET version = $2 WHERE name = $1", name, version)


async def get(pool: Pool, name: str) -> Stored:
    """The current version. Raises NotFound."""
    async with connection(pool) as c:
        row = await c.fetchrow(f"{_CURRENT} WHERE q.name = $1 AND q.deleted_at IS NULL", name)
    if row is None:
        raise NotFound("There is no such queue.")
    return _stored(row)


async def every(pool: Pool, *, limit: int, after: str = "", only: frozenset[str] | None = None) -> list[Stored]:
    """Up to `limit` queues by name, those after `after`; `only` of these names."""
    async with connection(pool) as c:
        rows = await c.fetch(
            f"{_CURRENT} WHERE q.deleted_at IS NULL AND q.name > $1 AND ($2::text[] IS NULL OR q.name = ANY($2))"
            " ORDER BY q.name LIMIT $3",
            after,
            None if only is None else sorted(only),
            limit,
        )
    return [_stored(row) for row in rows]


async def by_number(pool: Pool, dialled: str, written: NumberFormat = NumberFormat.AUTO) -> tuple[Queue, int] | None:
    """The queue that answers the dialled number, however that is written, and its current version, or None."""
    async with connection(pool) as c:
        if (name := await queue_numbers.answering(c, dialled, written)) is None:
            return None
        row = await c.fetchrow(f"{_CURRENT} WHERE q.name = $1 AND q.deleted_at IS NULL", name)
    return (from_config(row["config"]), row["version"]) if row else None


async def regions(pool: Pool) -> list[str]:
    """Those that the queues are in."""
    async with connection(pool) as c:
        rows = await c.fetch(
            "SELECT DISTINCT v.config ->> 'region' AS region FROM queues q"
            " JOIN queue_versions v ON (v.name, v.version) = (q.name, q.version) WHERE q.deleted_at IS NULL"
        )
    return [row["region"] for row in rows]


async def version(pool: Pool, name: str, version: int) -> Queue:
    """One version, current or not. Raises NotFound."""
    async with connection(pool) as c:
        config = await _config(c, name, version)
    if config is None:
        raise NotFound("There is no such version of this queue.")
    return from_config(config)


async def current(pool: Pool, name: str) -> tuple[Queue, int]:
    """The current version, also of a deleted queue: who waited for it may still be about. Raises NotFound."""
    async with connection(pool) as c:
        row = await c.fetchrow(f"{_CURRENT} WHERE q.name = $1", name)
    if row is None:
        raise NotFound("There is no such queue.")
    return from_config(row["config"]), row["version"]


async def switch(pool: Pool, name: str, *, register: bool | None, process: bool | None) -> Switches:
    """Turn them on or off; None stays. From the commit on every statement that promises or dials knows. Raises
    NotFound."""
    async with connection(pool) as c:
        row = await c.fetchrow(
            "UPDATE queues SET register = coalesce($2, register), process = coalesce($3, process)"
            " WHERE name = $1 AND deleted_at IS NULL RETURNING register, process",
            name,
            register,
            process,
        )
    if row is None:
        raise NotFound("There is no such queue.")
    return Switches(**row)


async def delete(pool: Pool, name: str) -> None:
    """Let nobody in any more. Raises NotFound, or Invalid while somebody still waits for this queue.

    A caller who comes in at the same instant is let in or turned away; a call back promised is never lost.
    """
    async with transaction(pool) as c:
        known = await c.fetchval("SELECT name FROM queues WHERE name = $1 AND deleted_at IS NULL FOR UPDATE", name)
        if known is None:
            raise NotFound("There is no such queue.")
        living = await c.fetchval("SELECT count(*) FROM interactions WHERE queue = $1 AND status <> 'closed'", name)
        if living:
            raise Invalid(f"{living} interactions of this queue are not closed yet.")
        await queue_numbers.release(c, [name])
        await c.execute("DELETE FROM agent_queues WHERE queue = $1", name)
        await c.execute("UPDATE queues SET deleted_at = now() WHERE name = $1", name)


def _stored(row: Any) -> Stored:
    return Stored(from_config(row["config"]), row["version"], Switches(row["register"], row["process"]))


def from_config(config: Any) -> Queue:
    """Leniently: a newer version may have stored keys that this one does not know."""
    return Queue.model_validate(config, extra="ignore")
