"""The time everything is decided by: Postgres' time at the start plus the monotonic time since."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from routing.store.database import Pool, connection


class Clock:
    """Never jumps with the machine's wall clock, and agrees with other processes on the same Postgres.

    `monotonic` is what all of an engine measures durations by, in seconds from an unknown beginning.
    """

    def __init__(self, at_start: datetime, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._start = at_start
        self._started = monotonic()

    @classmethod
    async def of(cls, pool: Pool, monotonic: Callable[[], float] = time.monotonic) -> "Clock":
        async with connection(pool) as c:
            return cls(await c.fetchval("SELECT clock_timestamp()"), monotonic)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic() - self._started)
