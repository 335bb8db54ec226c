"""What `ringback apply` stores, in one transaction; and the line each time, by which a running service learns of it.

Counterparts: routing/cli/apply.py stores, routing/engine/apply_watch.py follows.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from routing.core.queues import Queue
from routing.store import agents, queue_numbers, queues
from routing.store.database import Pool, connection, transaction

_LOCK = 7_264_226  # advisory


@dataclass(frozen=True, slots=True)
class Applied:
    """One run of `ringback apply`: the queues and agents it created or changed, and the numbers it listed."""

    id: int
    queues: tuple[str, ...]
    agents: tuple[str, ...]
    numbers: tuple[str, ...]


@asynccontextmanager
async def applying(pool: Pool) -> AsyncIterator[Any]:
    """A connection in the one transaction of an apply. One at a time, so that their lines appear in order."""
    async with transaction(pool) as c:
        await c.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)  # the table's own lock takes a right to change it
        yield c


async def queues_now(c: Any, names: Iterable[str]) -> dict[str, Queue]:
    """Those of these queues there are. Nobody else changes them until the end, nor waits for what we wait for."""
    await c.execute("SELECT FROM queues WHERE name = ANY($1) ORDER BY name FOR UPDATE", list(names))
    rows = await c.fetch(
        "SELECT v.config FROM queues q JOIN queue_versions v ON (v.name, v.version) = (q.name, q.version)"
        " WHERE q.name = ANY($1) AND q.deleted_at IS NULL",
        list(names),
    )
    found = (queues.from_config(row["config"]) for row in rows)
    return {queue.name: queue for queue in found}


async def agents_now(c: Any, ids: Iterable[str]) -> dict[str, tuple[dict[str, Any], str | None]]:
    """Those of these agents there are: their settings, as the API spells them, and the digest secret."""
    rows = await c.fetch(f"{agents.AGENT} AND a.id = ANY($1)", list(ids))
    secrets = await c.fetch("SELECT id, sip_ha1 FROM agents WHERE id = ANY($1)", list(ids))
    ha1 = {row["id"]: row["sip_ha1"] for row in secrets}
    return {row["id"]: (as_table(agents.settings_of(row)), ha1[row["id"]]) for row in rows}


def as_table(settings: agents.Settings) -> dict[str, Any]:
    """To compare: queues by name, whatever their order."""
    table = asdict(settings)
    return {
        **table,
        "queues": {each.queue: each.penalty for each in settings.queues},
        "skills": list(settings.skills),
    }


async def release_numbers(c: Any, names: Iterable[str]) -> None:
    """So that queues of one apply may exchange numbers; they take theirs again when they are put."""
    await queue_numbers.release(c, names)


async def do_not_call(c: Any, numbers: dict[str, str | None], by: str) -> set[str]:
    """Put the numbers on the list, with the reason why; those that were not on it already."""
    rows = await c.fetch(
        "INSERT INTO do_not_call (number, reason, added_by) SELECT *, $3 FROM unnest($1::text[], $2::text[])"
        " ON CONFLICT (number) WHERE removed_at IS NULL DO NOTHING RETURNING number",
        list(numbers),
        list(numbers.values()),
        by,
    )
    return {row["number"] for row in rows}


async def note(c: Any, queues: list[str], agents: list[str], numbers: Iterable[str]) -> None:
    """The line the service looks for."""
    statement = "INSERT INTO applied (queues, agents, numbers) VALUES ($1, $2, $3)"
    await c.execute(statement, queues, agents, list(numbers))


async def last(pool: Pool) -> int:
    """The id of the last line there is; 0 without any."""
    async with connection(pool) as c:
        return int(await c.fetchval("SELECT coalesce(max(id), 0) FROM applied"))


async def since(pool: Pool, last: int) -> list[Applied]:
    """The lines after that one, in order."""
    async with connection(pool) as c:
        rows = await c.fetch("SELECT id, queues, agents, numbers FROM applied WHERE id > $1 ORDER BY id", last)
    return [Applied(row["id"], tuple(row["queues"]), tuple(row["agents"]), tuple(row["numbers"])) for row in rows]
