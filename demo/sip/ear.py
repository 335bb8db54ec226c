"""What a phone hears: tones that somebody waits for, silences, gaps between packets."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from demo.sip import g711, tones
from demo.sip.errors import MediaEnded

_MIN_SHARE = 0.4
"""Of the power: two tones of equal strength, as in a conference, are both heard."""
_MIN_RUN = 2
"""Packets in a row, 40 ms: speech holds no 50 Hz step that steadily by chance."""
_REMEMBERED = 100
"""Packets, 2 s: so a listener may ask from a moment in the past."""


@dataclass(frozen=True)
class Heard:
    frequency: int
    at: float
    """time.monotonic() when the first packet of the tone arrived."""


@dataclass(frozen=True)
class Gaps:
    """Longest stretches in seconds, since the media started or `reset_gaps`; one still open counts."""

    silence: float
    """Without sound: quiet packets or none."""
    packets: float
    """Without any packet."""


class Follower(Protocol):
    """Whoever is given every audio packet as µ-law (`follow`)."""

    def feed(self, payload: bytes, at: float) -> None: ...
    def give_up(self) -> None:
        """Nothing more will come."""


class _Listener:
    def __init__(self, frequencies: Iterable[int]) -> None:
        self.found: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._runs: dict[int, list[float]] = {frequency: [] for frequency in frequencies}

    def feed(self, payload: bytes, at: float) -> None:
        samples = g711.decode(payload) if g711.is_loud(payload) else []
        for frequency, run in self._runs.items():
            if samples and tones.share(samples, frequency) >= _MIN_SHARE:
                run.append(at)
            else:
                run.clear()
            if len(run) == _MIN_RUN and not self.found.done():
                self.found.set_result(Heard(frequency, run[0]))

    def give_up(self) -> None:
        if not self.found.done():
            self.found.set_exception(MediaEnded())


class Ear:
    """Fed with every audio packet as µ-law. Measures tones only while somebody listens."""

    def __init__(self) -> None:
        self._listeners: set[Follower] = set()
        self._recent: deque[tuple[float, bytes]] = deque(maxlen=_REMEMBERED)
        self.packets = 0
        self._closed_at: float | None = None
        self.reset_gaps()

    def close(self) -> None:
        """Nothing more will come: listeners are told, gaps stop to grow."""
        self._closed_at = time.monotonic()
        for listener in tuple(self._listeners):
            listener.give_up()

    def reset_gaps(self) -> None:
        """Begin to measure anew, from now."""
        self._last_packet = self._last_loud = time.monotonic()
        self._longest_silence = self._longest_without = 0.0

    def gaps(self) -> Gaps:
        moment = self._closed_at or time.monotonic()
        return Gaps(
            silence=max(self._longest_silence, moment - self._last_loud),
            packets=max(self._longest_without, moment - self._last_packet),
        )

    def packet(self, at: float) -> None:
        """Of whatever kind: while a digit is sent there is no audio."""
        self._longest_without = max(self._longest_without, at - self._last_packet)
        self._last_packet = max(at, self._last_packet)

    def receive(self, payload: bytes, at: float) -> None:
        self.packets += 1
        self.packet(at)
        if g711.is_loud(payload):
            self._longest_silence = max(self._longest_silence, at - self._last_loud)
            self._last_loud = max(at, self._last_loud)
        self._recent.append((at, payload))
        for listener in tuple(self._listeners):
            listener.feed(payload, at)

    def follow(self, follower: Follower) -> None:
        """From now on until the end."""
        self._listeners.add(follower)

    async def hear_any(self, frequencies: Iterable[int], since: float | None = None) -> Heard:
        """The first of these tones, from now on or from a moment at most 2 s ago. Raises MediaEnded."""
        listener = _Listener(frequencies)
        if since is not None:
            for at, payload in self._recent:
                if at >= since:
                    listener.feed(payload, at)
        if self._closed_at is not None:
            listener.give_up()
        self._listeners.add(listener)
        try:
            return await listener.found
        finally:
            self._listeners.discard(listener)

    async def quiet(self, seconds: float) -> float:
        """Until nothing was heard for so long, from now on; when that silence began."""
        began = time.monotonic()
        while True:
            since = max(began, self._last_loud)
            if (left := since + seconds - time.monotonic()) <= 0:
                return since
            await asyncio.sleep(left)

    def describe(self) -> str:
        if not self._recent:
            return "no audio packet ever came"
        at, payload = self._recent[-1]
        age = f"{self.packets} audio packets, the last {time.monotonic() - at:.3f} s ago"
        if not g711.is_loud(payload):
            return f"{age}, silent"
        frequency, share = tones.strongest(g711.decode(payload))
        return f"{age}, {share:.0%} of its power at {frequency} Hz"
