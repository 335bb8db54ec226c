"""Looks at Postgres' clock again and again, and has the engine follow it when it jumps.

The jump is stored before it is acted upon, like every decision: a successor counts the same jumps. Told in the log,
in `/readyz` and to Prometheus. Counterpart: `routing.engine.clock`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from routing.core.errors import Unavailable
from routing.engine.clock import TOLERANCE, Clock
from routing.engine.lease import Lease
from routing.runtime import metrics
from routing.store import clock as stored
from routing.store.clock import Sight
from routing.store.database import Pool

log = structlog.get_logger()

EVERY = 1.0
"""Seconds between two looks."""

BLURRED = 0.25
"""Seconds of uncertainty with which a look tells nothing: Postgres, or we, were held up just then."""


@dataclass(frozen=True, slots=True)
class Jump:
    """`at`: by the clock afterwards. `seconds` is how far it went, `slept` how much of that this machine was
    suspended."""

    at: datetime
    seconds: float
    slept: float


class Timekeeper:
    """`follow` is called when the engine's clock has jumped. `ahead` says by how many seconds this machine's clock is
    ahead of Postgres'; None before the first look."""

    def __init__(self, pool: Pool, clock: Clock, lease: Lease, follow: Callable[[], None]) -> None:
        self._pool = pool
        self._clock = clock
        self._lease = lease
        self._follow = follow
        self._slept = self._asleep()
        self.jumps = 0
        self.last_jump: Jump | None = None
        self.ahead: float | None = None

    async def keep(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except Unavailable:
                log.warning("Postgres' clock not read: Postgres does not answer")

    async def look(self) -> None:
        """Raises Unavailable."""
        sight = await stored.look(self._pool, self._clock.monotonic)
        if sight.blur > BLURRED:
            return
        self._compare_machine(sight)
        off = self._clock.off(sight)
        if abs(off) <= TOLERANCE:
            self._clock.slew(off)
            self._slept = self._asleep()
        else:
            await self._jump(off)

    async def _jump(self, by: float) -> None:
        """Not ours to follow without the shard."""
        slept = min(max(0.0, self._asleep() - self._slept), max(0.0, by))
        then = self._clock.now()
        before = self._clock.shift
        shift = await stored.jumped(self._pool, self._lease.ownership, before, by, slept, then)
        if shift is None:
            return
        self._clock.jump(by, shift)
        self._slept = self._asleep()
        self._tell(Jump(self._clock.now(), round(by, 3), round(slept, 3)))
        self._follow()

    def _tell(self, jump: Jump) -> None:
        self.jumps += 1
        self.last_jump = jump
        metrics.CLOCK_JUMPS.labels(direction="forward" if jump.seconds > 0 else "back").inc()
        metrics.CLOCK_SHIFT.set(self._clock.shift)
        log.warning("clock jumped", seconds=jump.seconds, slept=jump.slept)

    def _compare_machine(self, sight: Sight) -> None:
        """Nothing is decided by this machine's clock; but whoever reads its log wants to know."""
        ahead = self._clock.machine.wall() - (self._clock.monotonic() - sight.middle) - sight.said.timestamp()
        if abs(ahead - (self.ahead or 0.0)) > TOLERANCE:
            log.warning("this machine's clock is not Postgres'", ahead=round(ahead, 3))
        self.ahead = ahead
        metrics.CLOCK_AHEAD.set(ahead)

    def _asleep(self) -> float:
        """Seconds this machine has been suspended in all; only differences tell something."""
        return self._clock.machine.boottime() - self._clock.monotonic()
