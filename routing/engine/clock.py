"""The time everything is decided by: what Postgres' clock said last, carried on by the monotonic clock.

A difference below TOLERANCE is drift, and is taken over little by little. More than that is a jump: somebody set
Postgres' clock, or this machine was suspended. Spans do not follow a jump, calendar times do (decision 142).
Counterpart: `timekeeping`, which looks at Postgres' clock again and again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from routing.store import clock
from routing.store.clock import Sight
from routing.store.database import Pool

TOLERANCE = 1.0
SLEW = 0.01
"""Seconds of drift taken over at each look: nobody notices, and a day's slewing is followed."""


def boottime() -> float:
    """Seconds from an unknown beginning that go on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine's clocks, in seconds. `monotonic` is what all of an engine measures durations by; it stands still
    while the machine is suspended, as `boottime` does not. `wall` anybody may set."""

    monotonic: Callable[[], float] = time.monotonic
    boottime: Callable[[], float] = boottime
    wall: Callable[[], float] = time.time


THIS = Machine()


class Clock:
    """Agrees with other processes on the same Postgres. `shift` counts by how many seconds Postgres' clock has jumped
    in all (`Interaction.shift`)."""

    def __init__(self, at_start: datetime, machine: Machine = THIS, shift: float = 0.0) -> None:
        self.machine = machine
        self.monotonic = machine.monotonic
        self.shift = shift
        self._known = at_start
        self._known_at = self.monotonic()

    @classmethod
    async def of(cls, pool: Pool, shard: str, machine: Machine = THIS) -> "Clock":
        sight = await clock.look(pool, machine.monotonic)
        made = cls(sight.said, machine)
        made.shift = await clock.shift(pool, shard)
        return made

    def now(self) -> datetime:
        return self.at(self.monotonic())

    def at(self, second: float) -> datetime:
        """The time it is, or was, at this second of the monotonic clock."""
        return self._known + timedelta(seconds=second - self._known_at)

    def off(self, sight: Sight) -> float:
        """By how many seconds Postgres is ahead of us."""
        return (sight.said - self.at(sight.middle)).total_seconds()

    def slew(self, off: float) -> None:
        """Take over some of a small difference."""
        self._known += timedelta(seconds=max(-SLEW, min(SLEW, off)))

    def jump(self, by: float, shift: float) -> None:
        """Take over a big one, at once."""
        self._known += timedelta(seconds=by)
        self.shift = shift
