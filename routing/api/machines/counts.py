"""How many interactions there are, for /metrics: counted now and then, however many ask, as anybody may."""

import asyncio
import time
from collections.abc import Callable

from routing.store.database import Pool
from routing.store.read import home_list

Counted = list[tuple[str, str, int]]

FRESH = 5.0
"""Seconds a count is told before there is another: of a million rows it takes a third of a second."""


class Counts:
    """Those who ask at the same time wait for the same count."""

    def __init__(self, pool: Pool, now: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._now = now
        self._counted: Counted = []
        self._until = float("-inf")
        self._counting: asyncio.Task[Counted] | None = None

    async def interactions(self) -> Counted:
        """As `home_list.counts`. Raises Unavailable, which is not remembered."""
        if self._now() < self._until:
            return self._counted
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._count(), name="counts")
        return await asyncio.shield(self._counting)  # who goes away takes it from nobody

    async def _count(self) -> Counted:
        self._counted = await home_list.counts(self._pool)
        self._until = self._now() + FRESH
        return self._counted
