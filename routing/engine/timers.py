"""Wakes interactions when time has something to tell; what is due later, the engine finds in the table."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from routing.engine.clock import Clock

GRAIN = 0.001
"""Seconds: event loops count in milliseconds and may wake a little early; then the timer is simply set again."""

LATE, CATCH_UP = 0.2, 0.3
"""Seconds: who is woken so late stood still; what others did in time is still in the sockets and is read first. So it
is for what was due just before the end of a stall, hence hardly late."""

CATCH_UPS = 10
"""How often at most: on a machine that is always late, time has to pass all the same."""

READING = 0.01
"""Seconds that take what is in the sockets into the mailboxes: nobody knows that they stood still just now."""

HORIZON = 60.0
"""Seconds ahead for which timers are set in memory."""


class Timers:
    """One timer for each interaction that is due within the horizon. `woke_within` says whether nothing of this
    process ran until so many seconds ago."""

    def __init__(
        self, clock: Clock, wake: Callable[[UUID], None], woke_within: Callable[[float], bool] = lambda _: False
    ) -> None:
        self._clock = clock
        self._wake = wake
        self._woke_within = woke_within
        self._timers: dict[UUID, asyncio.TimerHandle] = {}

    def set(self, interaction_id: UUID, at: datetime | None) -> None:
        """Wake it then, and not at any time set before."""
        if before := self._timers.pop(interaction_id, None):
            before.cancel()
        if at is None:
            return
        seconds = (at - self._clock.now()).total_seconds()
        if seconds <= HORIZON:
            loop = asyncio.get_running_loop()
            at_loops = loop.time() + max(GRAIN, seconds)
            if seconds <= READING:  # nobody had time to do anything
                self._timers[interaction_id] = loop.call_at(at_loops, self._fire, interaction_id)
            else:
                self._timers[interaction_id] = loop.call_at(at_loops, self._due, interaction_id, at_loops, CATCH_UPS)

    def has(self, interaction_id: UUID) -> bool:
        return interaction_id in self._timers

    def cancel_all(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _due(self, interaction_id: UUID, at: float, catch_ups: int) -> None:
        """`at` is when, on the loop's clock, this should have been. First what has come in time is read."""
        loop = asyncio.get_running_loop()
        if catch_ups and (loop.time() - at > LATE or self._woke_within(CATCH_UP)):
            later = loop.time() + CATCH_UP
            self._timers[interaction_id] = loop.call_at(later, self._due, interaction_id, later, catch_ups - 1)
        else:
            self._timers[interaction_id] = loop.call_later(READING, self._fire, interaction_id)

    def _fire(self, interaction_id: UUID) -> None:
        self._timers.pop(interaction_id, None)
        self._wake(interaction_id)
