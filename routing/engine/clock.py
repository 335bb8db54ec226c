"""The time everything is decided by: Postgres' time at the start plus the monotonic time since."""

import time
from datetime import datetime, timedelta

from routing.store.database import Pool, connection


class Clock:
    """Never jumps with the machine's wall clock, and agrees with other processes on the same Postgres."""

    def __init__(self, at_start: datetime) -> None:
        self._start = at_start
        self._started = time.monotonic()

    @classmethod
    async def of(cls, pool: Pool) -> "Clock":
        async with connection(pool) as c:
            return cls(await c.fetchval("SELECT clock_timestamp()"))

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._started)
