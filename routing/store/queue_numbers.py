"""The numbers of the queues: as they are written, and every E.164 number that can be meant by that.

Written so, a queue is found whatever a trunk makes of the called number, and no two queues have one number.
"""

import json
from collections.abc import Iterable
from typing import Any

import structlog

from routing.core.errors import Invalid
from routing.core.events import NumberFormat
from routing.core.numbers import readings
from routing.core.queues import Queue

log = structlog.get_logger()


async def take(c: Any, queue: Queue) -> None:
    """Within a transaction; what it had before and has no more is free. Raises Invalid when another queue answers one
    of them."""
    await _take_as_written(c, queue)
    await _take_e164(c, queue)
    await set_own(c, queue.name, (*queue.numbers, queue.caller_id), queue.region)


async def _take_as_written(c: Any, queue: Queue) -> None:
    """In sorted order, so that two writers wait for each other instead of dead-locking."""
    numbers = sorted(queue.numbers)
    await c.execute("DELETE FROM queue_numbers WHERE queue = $1 AND number <> ALL($2)", queue.name, numbers)
    await c.execute(
        "INSERT INTO queue_numbers (number, queue) SELECT n, $1 FROM unnest($2::text[]) n ORDER BY n"
        " ON CONFLICT (number) DO NOTHING",
        queue.name,
        numbers,
    )
    taken = await c.fetchrow(
        "SELECT number, queue FROM queue_numbers WHERE number = ANY($2) AND queue <> $1 ORDER BY number LIMIT 1",
        queue.name,
        numbers,
    )
    if taken:
        raise Invalid(f"The queue {taken['queue']} answers {taken['number']} already.", "/numbers")


async def _take_e164(c: Any, queue: Queue) -> None:
    await answer(c, queue.name, queue.numbers, queue.region)
    meant = {e164: number for number in queue.numbers for e164 in readings(number, queue.region)}
    taken = await c.fetchrow(
        "SELECT e164, queue FROM answered_numbers WHERE e164 = ANY($2) AND queue <> $1 ORDER BY e164 LIMIT 1",
        queue.name,
        list(meant),
    )
    if taken:
        told = f"{meant[taken['e164']]} can be {taken['e164']}, which the queue {taken['queue']} answers already."
        raise Invalid(told, "/numbers")


async def answer(c: Any, queue: str, numbers: Iterable[str], region: str) -> None:
    """Have the queue answer these numbers in every form, but for those that another one has."""
    meant = sorted({e164 for number in numbers for e164 in readings(number, region)})
    await c.execute(
        "DELETE FROM answered_numbers WHERE queue = $1 AND (e164 <> ALL($2) OR region <> $3)", queue, meant, region
    )
    await c.execute(
        "INSERT INTO answered_numbers (e164, region, queue) SELECT e164, $3, $1 FROM unnest($2::text[]) e164"
        " ORDER BY e164 ON CONFLICT (e164) DO NOTHING",
        queue,
        meant,
        region,
    )


async def set_own(c: Any, queue: str, numbers: Iterable[str | None], region: str) -> None:
    """What it answers and what it shows, where that is a number anybody could call from outside: nobody is called
    there."""
    ours = sorted({e164 for number in numbers for e164 in readings(number, region)})
    await c.execute("DELETE FROM own_numbers WHERE queue = $1", queue)
    await c.execute("INSERT INTO own_numbers (number, queue) SELECT n, $1 FROM unnest($2::text[]) n", queue, ours)


async def release(c: Any, queues: Iterable[str]) -> None:
    """Free everything that these queues have."""
    names = list(queues)
    await c.execute("DELETE FROM queue_numbers WHERE queue = ANY($1)", names)
    await c.execute("DELETE FROM answered_numbers WHERE queue = ANY($1)", names)
    await c.execute("DELETE FROM own_numbers WHERE queue = ANY($1)", names)


async def answering(c: Any, dialled: str, written: NumberFormat) -> str | None:
    """The queue that has the number: as it is written, else the one queue that has a number which can be meant."""
    if exactly := await c.fetchval("SELECT queue FROM queue_numbers WHERE number = $1", dialled):
        return str(exactly)
    regions = await c.fetch("SELECT DISTINCT region FROM answered_numbers")
    pairs = [(e164, region) for (region,) in regions for e164 in readings(dialled, region, written)]
    found = await c.fetch(
        "SELECT DISTINCT queue FROM answered_numbers JOIN unnest($1::text[], $2::text[]) meant (e164, region)"
        " USING (e164, region)",
        [e164 for e164, _ in pairs],
        [region for _, region in pairs],
    )
    if len(found) > 1:
        log.warning("the called number can be several queues': set trunk_number_format", queues=[q for (q,) in found])
    return str(found[0]["queue"]) if len(found) == 1 else None


async def read_again(c: Any) -> None:
    """Of all queues: their rows may be older than `answered_numbers`, or than what is known of numbers now."""
    rows = await c.fetch(
        "SELECT q.name, v.config FROM queues q JOIN queue_versions v ON (v.name, v.version) = (q.name, q.version)"
        " WHERE q.deleted_at IS NULL ORDER BY q.name"
    )
    for name, stored in rows:
        config = json.loads(stored)
        numbers, region = config.get("numbers", ()), config.get("region", "DE")
        await answer(c, name, numbers, region)
        await set_own(c, name, (*numbers, config.get("caller_id")), region)
