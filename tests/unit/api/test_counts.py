"""Counting a million rows costs something, and /metrics is public: it is done now and then, however many ask."""

import asyncio
from typing import Any

import pytest

from routing.api.machines import counts
from routing.api.machines.counts import FRESH, Counts
from routing.core.errors import Unavailable

ONE = [("open", "callback", 1)]


class Table:
    """`home_list.counts`: how often it was asked; answers when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.fails = False
        self.go_on = asyncio.Event()
        monkeypatch.setattr(counts.home_list, "counts", self._count)

    async def _count(self, pool: Any) -> counts.Counted:
        self.asked += 1
        await self.go_on.wait()
        if self.fails:
            raise Unavailable("Postgres does not answer.")
        return [("open", "callback", self.asked)]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(monkeypatch)


async def test_who_asks_at_the_same_time_waits_for_the_same_count(table: Table) -> None:
    them = Counts(None)  # type: ignore[arg-type]  # nobody asks the pool
    asking = [asyncio.create_task(them.interactions()) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    table.go_on.set()
    assert await asyncio.gather(*asking[1:]) == [ONE] * 49 and table.asked == 1


async def test_a_count_is_told_for_a_few_seconds(table: Table) -> None:
    now = 1000.0
    them = Counts(None, lambda: now)  # type: ignore[arg-type]
    table.go_on.set()
    assert await them.interactions() == ONE
    now += FRESH - 0.1
    assert await them.interactions() == ONE and table.asked == 1
    now += 0.2
    assert await them.interactions() == [("open", "callback", 2)]


async def test_a_count_that_failed_is_not_remembered(table: Table) -> None:
    them = Counts(None)  # type: ignore[arg-type]
    table.fails = True
    table.go_on.set()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await them.interactions()
    table.fails = False
    assert await them.interactions() == [("open", "callback", 3)]
