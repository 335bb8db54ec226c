"""What a call sounds like: the half of Call that deals with its audio."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import TypeVar

from demo.sip.ear import Gaps, Heard
from demo.sip.errors import CallFailed, MediaEnded
from demo.sip.rtp import Quiet, RtpStream
from demo.sip.waiting import deadline

T = TypeVar("T")
SOON = 5.0
"""Seconds that every wait is given unless told otherwise."""


class Audible:
    """Every wait raises SipTimeout in the end, and CallFailed as soon as the call is over."""

    def __init__(self, host: str, tone: int | None, *, secure: bool = False) -> None:
        self._host, self._tone, self._secure = host, tone, secure
        self._media: RtpStream | None = None

    @property
    def media(self) -> RtpStream:
        """Made when first needed: a rejected call has none."""
        if self._media is None:
            self._refuse_when_over()
            self._media = RtpStream(self._host, secure=self._secure)
            self._media.play(self._tone)
        return self._media

    def trace(self, *, full: bool = False) -> str:
        raise NotImplementedError

    def play(self, frequency: int | None) -> None:
        """A tone in Hz from now on; None is silence."""
        self.media.play(frequency)

    def fall_silent(self, *, reports: float | None = None, noise: float | None = None) -> None:
        """Send no sound any more, not even silence; only, if told, RTCP or comfort noise every so many seconds."""
        self.media.fall_silent(Quiet(reports, noise))

    def speak(self) -> None:
        """The opposite."""
        self.media.speak()

    async def hear(self, frequency: int, within: float = SOON, *, since: float | None = None) -> float:
        """When the tone began. It must last 40 ms and begin after `since`: now, or at most 2 s ago."""
        return (await self.hear_any({frequency}, within, since=since)).at

    async def hear_any(
        self, frequencies: Iterable[int], within: float = SOON, *, since: float | None = None
    ) -> Heard:
        """The first of these tones."""
        wanted = sorted(frequencies)
        return await self._sound(self.media.ear.hear_any(wanted, since), within, f"hears none of {wanted} Hz")

    async def hear_nothing(self, seconds: float, within: float = SOON) -> float:
        """When a silence of that length, after now, began."""
        return await self._sound(self.media.ear.quiet(seconds), within, f"is never quiet for {seconds} s")

    @property
    def gaps(self) -> Gaps:
        """Longest silence and longest stretch without packets, since the media started or `reset_gaps`."""
        return self.media.ear.gaps()

    def reset_gaps(self) -> None:
        self.media.ear.reset_gaps()

    def capture(self, path: Path) -> None:
        """Keep what is heard from now on; the WAV is written when the call ends."""
        self.media.capture(path)

    async def dtmf(self, digits: str, duration: float = 0.08, gap: float = 0.08) -> None:
        """Press keys (RFC 4733). Returns when the last is released and its gap has passed.

        Asterisk stretches what is shorter than 80 ms, and with 45 ms between two digits: faster ones may be lost.
        """
        within = SOON + len(digits) * (duration + gap + 0.04)
        await self._sound(self.media.dial(digits, duration, gap), within, "could not send its digits")

    @property
    def digits(self) -> str:
        """Received so far."""
        return self.media.digits

    async def receive_digits(self, digits: str, within: float = SOON) -> None:
        """Until all that was received ends with these."""
        await self._sound(self.media.receive(digits), within, "did not get those digits")

    async def _sound(self, wait: Awaitable[T], within: float, failing: str) -> T:
        def explain() -> str:
            return f"{self} {failing}: {self.media.ear.describe()}\n{self.trace()}"

        try:
            async with deadline(within, explain):
                return await wait
        except MediaEnded:
            raise CallFailed(f"the call is over, {explain()}") from None

    def _refuse_when_over(self) -> None:
        raise NotImplementedError
