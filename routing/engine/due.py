"""Which rows are due: a slow look at the table makes the timers a guarantee, at once after a jump of the clock."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import structlog

from routing.core.errors import Unavailable
from routing.engine.clock import Clock
from routing.engine.lease import Lease
from routing.engine.timers import HORIZON, Timers
from routing.store import interactions
from routing.store.database import Pool

log = structlog.get_logger()

OVERDUE = timedelta(seconds=2)
"""How long a deadline may have passed before the row is read again."""

LOOK_EVERY = HORIZON / 6
"""Seconds between two looks at the table."""

AT_A_TIME, PUT_RIGHT_EVERY = 500, 0.2
"""So many rows are put right together after the clock jumped, and the seconds until the next: calls go first."""


class DueRows:
    """`wake` lets a row find out what time has to tell it, `read_again` forgets what is in memory of it, `wait`
    waits a while for those who were woken."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        lease: Lease,
        timers: Timers,
        wake: Callable[[UUID], None],
        read_again: Callable[[UUID], None],
        wait: Callable[[], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._lease = lease
        self._timers = timers
        self._wake = wake
        self._read_again = read_again
        self._wait = wait
        self._look = asyncio.Event()
        self._some_before_jump = True

    def clock_jumped(self) -> None:
        """Those that were stored before are put right."""
        self._some_before_jump = True
        self._look.set()

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            self._look.clear()
            try:
                await self._set_timers()
                pause = await self._put_right() if self._some_before_jump else LOOK_EVERY
            except Unavailable:
                log.warning("due rows not read: Postgres does not answer")
                pause = LOOK_EVERY
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._look.wait()

    async def _set_timers(self) -> None:
        now = self._clock.now()
        until = now + timedelta(seconds=HORIZON)
        for interaction_id, at in await interactions.due_until(self._pool, self._lease.ownership.shard, until):
            overdue = at < now - OVERDUE
            if overdue:
                self._read_again(interaction_id)
            if overdue or not self._timers.has(interaction_id):
                self._timers.set(interaction_id, at)

    async def _put_right(self) -> float:
        """Rows that were stored before a jump are woken, some at a time, which stores them by the clock as it goes
        now (`lifecycle.jumped`). Returns the seconds until the next look."""
        shard, shift = self._lease.ownership.shard, self._clock.shift
        ids = await interactions.stored_before_jump(self._pool, shard, shift, AT_A_TIME)
        self._some_before_jump = bool(ids) or shift != self._clock.shift
        for interaction_id in ids:
            self._wake(interaction_id)
        await self._wait()
        return PUT_RIGHT_EVERY if self._some_before_jump else LOOK_EVERY
