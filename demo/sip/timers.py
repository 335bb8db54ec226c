"""SIP's retransmission timers (RFC 3261 17): intervals that double, and when to give up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    t1: float = 0.5
    t2: float = 4.0
    reliable: bool = False
    """Over TLS nothing is sent twice."""

    @property
    def give_up(self) -> float:
        """Timers B, F, H: also how long a finished transaction is remembered."""
        return 64 * self.t1


def repeats(timing: Timing, longest: float) -> Iterator[float]:
    """Seconds after the first sending: t1, 3·t1, 7·t1 …, with intervals that double up to `longest`."""
    at, interval = timing.t1, timing.t1
    while not timing.reliable and at < timing.give_up:
        yield at
        interval = min(2 * interval, longest)
        at += interval


class Repeater:
    """Calls `again` at each of these moments, then `given_up` once."""

    def __init__(
        self,
        timing: Timing,
        again: Callable[[], object],
        given_up: Callable[[], object],
        longest: float | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._again, self._given_up = again, given_up
        self._reliable = timing.reliable
        self._start, self._end = self._loop.time(), timing.give_up
        self._moments = repeats(timing, longest or timing.t2)
        self._timer: asyncio.TimerHandle
        self._schedule()

    def stop(self) -> None:
        self._timer.cancel()

    def slow_down(self, interval: float) -> None:
        """A provisional response came: repeat at this pace only."""
        if self._reliable:
            return
        first = self._loop.time() - self._start + interval
        count = max(0, math.ceil((self._end - first) / interval))
        self._timer.cancel()
        self._moments = (first + n * interval for n in range(count))
        self._schedule()

    def _schedule(self) -> None:
        moment = next(self._moments, None)
        if moment is None:
            self._timer = self._loop.call_at(self._start + self._end, self._given_up)
        else:
            self._timer = self._loop.call_at(self._start + moment, self._fire)

    def _fire(self) -> None:
        self._schedule()
        self._again()
