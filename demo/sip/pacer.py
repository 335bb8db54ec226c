"""One timer for all RTP streams of the process: a tick every 20 ms."""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

TICK = 0.02
_GIVE_UP_AFTER = 5
"""Ticks: a loop that was blocked longer leaves them out instead of sending a burst."""


class Stream(Protocol):
    def tick(self, number: int) -> None: ...


class Pacer:
    """Runs only while it has streams."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._streams: dict[Stream, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._start, self._number = 0.0, 0
        self.skipped = 0

    def add(self, stream: Stream) -> None:
        self._streams[stream] = None
        if self._timer is None:
            self._start, self._number = self._loop.time(), 0
            self._timer = self._loop.call_at(self._start, self._tick)

    def remove(self, stream: Stream) -> None:
        self._streams.pop(stream, None)
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        for stream in tuple(self._streams):
            stream.tick(self._number)
        self._number += 1
        late = int((self._loop.time() - self._start) / TICK) - self._number
        if late > _GIVE_UP_AFTER:
            self._number += late
            self.skipped += late
        if self._streams:
            self._timer = self._loop.call_at(self._start + self._number * TICK, self._tick)


_pacers: WeakKeyDictionary[asyncio.AbstractEventLoop, Pacer] = WeakKeyDictionary()


def pacer() -> Pacer:
    """The pacer of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _pacers:
        _pacers[loop] = Pacer(loop)
    return _pacers[loop]
