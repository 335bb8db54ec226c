"""The line as Postgres serves it: in its order, without those who are held, whichever way it finds the due ones."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from routing.core.interaction import Subtype
from routing.core.matching import Candidate
from routing.core.queues import Queue
from routing.store import queues
from routing.store.database import Pool, connection
from routing.store.read import line

NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
QUEUES = ("sales", "support")
LOOKS = 7

_ROW = """
INSERT INTO interactions (id, shard, version, status, subtype, queue, queue_version, number, dialled_number, desk,
       priority, front, entered_at, queued_at, not_before, requested_at, case_data, waiting, deadlines, excluded,
       legs_asked, lines)
VALUES ($1, 'test', 1, $2, $3, $4, 1, $5, '600', '{}', $6, $7, $8, $8, $9, $8, '{}', '{}', '{}', '{}', 0, 0)
"""

Waiting = tuple[Candidate, Subtype]


async def lined_up(pool: Pool, rng: Random, least_due: int) -> list[Waiting]:
    """People of all sorts; those who may be offered now, in order."""
    free: list[Waiting] = []
    async with connection(pool) as c:
        await c.execute("INSERT INTO shards (name) VALUES ('test')")
        for n in range(200):
            subtype = rng.choice(list(Subtype))
            status = rng.choice(["open", "open", "open", "bot"])
            not_before = rng.choice([None, NOW, NOW + SECOND, NOW + 9 * SECOND, NOW - rng.randrange(60) * SECOND])
            at = NOW - rng.randrange(40) * SECOND
            each = Candidate(UUID(int=rng.getrandbits(128)), rng.choice(QUEUES), rng.random() < 0.1,
                          rng.choice([0, 0, 5]), at, {})  # fmt: skip
            await c.execute(
                _ROW, each.id, status, subtype, each.queue, f"+49151{10000000 + n}",
                each.priority, each.front, at, not_before,
            )  # fmt: skip
            if status == "open" and (not_before is None or not_before <= NOW):
                free.append((each, subtype))
    assert len(free) > least_due
    return sorted(free, key=lambda each: each[0].place)


@pytest.mark.parametrize("few", [0, 3, 40, 1000])
async def test_the_line_is_served_in_its_order_however_many_are_due(
    pool: Pool, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "_LINE", line._line(few))
    for name in QUEUES:
        await queues.put(pool, Queue(name=name))
    free = await lined_up(pool, Random(few), 80)
    assert await served(pool) == heads(free, 1000)
    assert await served(pool, LOOKS) == heads(free, LOOKS)
    await queues.switch(pool, "support", register=True, process=False)
    callers = [(each, kind) for each, kind in free if each.queue == "sales" or kind is Subtype.INBOUND]
    assert await served(pool, LOOKS) == heads(callers, LOOKS)


async def served(pool: Pool, most: int = 1000) -> list[Candidate]:
    found = await line.in_line(pool, [*QUEUES, "nowhere"], NOW, most)
    return [each for name in QUEUES for each in found if each.queue == name]


def heads(free: list[Waiting], most: int) -> list[Candidate]:
    return [each for name in QUEUES for each in [one for one, _ in free if one.queue == name][:most]]
