"""Understands what a phone hears: Asterisk plays its files as they are, so every 20 ms can be looked up in them.

Counterpart: routing/local/asterisk/prompts.py, which makes the files.
"""

from __future__ import annotations

import array
import sys
import wave
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.sip import g711
from demo.sip.audible import SOON
from demo.sip.call import Call
from demo.sip.errors import CallFailed
from demo.sip.pacer import TICK
from demo.sip.waiting import Changes, deadline

MUSIC = "music"
UNKNOWN = "something else"
_SMALLEST_TALE = 3
"""Frames: what is shorter is not told in an explanation."""


def _ulaw(sample: int) -> int:
    """As Asterisk encodes: every value is cut off, not rounded, and -1 is a zero (measured on 22.10.1)."""
    magnitude = min(sample if sample >= 0 else ~sample, 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF


_ULAW = bytes(_ulaw(sample - 65536 if sample >= 32768 else sample) for sample in range(65536))
"""By the sample as an unsigned number."""


@dataclass(frozen=True)
class Frame:
    """20 ms of a file."""

    index: int
    left: int
    """How many follow in the file."""
    last: bool
    """Those are silent."""


_UNKNOWN: Mapping[str, Frame] = {UNKNOWN: Frame(0, 0, False)}


class Language:
    """Every frame that is no silence, of every prompt, digit and tune in a folder of sounds."""

    def __init__(self, sounds: Path) -> None:
        self._frames: dict[bytes, dict[str, Frame]] = {}
        for said, path in _files(sounds):
            self._learn(said, _encoded(path))

    def what(self, ulaw: bytes) -> Mapping[str, Frame]:
        """By the prompt: two that begin with the same words share frames."""
        return self._frames.get(ulaw, _UNKNOWN)

    def _learn(self, said: str, ulaw: bytes) -> None:
        starts = range(0, len(ulaw) - g711.FRAME + 1, g711.FRAME)
        frames = [ulaw[start : start + g711.FRAME] for start in starts]
        loud = [index for index, frame in enumerate(frames) if g711.is_loud(frame)]
        for index in loud:
            self._frames.setdefault(frames[index], {}).setdefault(
                said, Frame(index, len(frames) - 1 - index, index == loud[-1])
            )


def _files(sounds: Path) -> Iterator[tuple[str, Path]]:
    yield from ((path.stem, path) for path in sorted((sounds / "sounds/ringback/en").glob("*.wav")))
    yield from ((str(digit), sounds / f"sounds/en/digits/{digit}.wav") for digit in range(10))
    yield "+", sounds / "sounds/en/letters/plus.wav"
    yield from ((MUSIC, path) for path in sorted((sounds / "music").glob("*.wav")))


def _encoded(path: Path) -> bytes:
    """As the phone gets it; the files are 8 kHz, 16 bit, mono."""
    with wave.open(str(path), "rb") as file:
        samples = array.array("H", file.readframes(file.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    return bytes(_ULAW[sample] for sample in samples)


@dataclass
class Utterance:
    """One thing said. Times are time.monotonic()."""

    may_be: Mapping[str, Frame]
    """By the prompt: the last frame heard of it. More than one while all began with the same words."""
    began: float
    """When Asterisk began to play it, the silence at its beginning included."""
    until: float
    """The last frame heard so far that was no silence."""
    frames: int = 1
    ended: bool = False
    """Whether all of it was heard."""

    @property
    def said(self) -> str:
        return next(iter(self.may_be))

    @property
    def over(self) -> float:
        """When the file was or will have been played."""
        return self.until + self.may_be[self.said].left * TICK

    def goes_on(self, heard: Mapping[str, Frame], at: float) -> bool:
        """Take one more frame, unless it belongs to something else."""
        known = {said: frame for said, frame in heard.items() if self._precedes(said, frame)}
        if known:
            self.may_be, self.until, self.frames = known, at, self.frames + 1
            self.ended |= any(frame.last for frame in known.values())
        return bool(known)

    def _precedes(self, said: str, frame: Frame) -> bool:
        """A digit that is said twice begins anew; the tune plays round and round."""
        before = self.may_be.get(said)
        return before is not None and (said in (MUSIC, UNKNOWN) or frame.index > before.index)


class Understanding:
    """Follows a call from now on and knows what is said in it."""

    def __init__(self, language: Language, call: Call) -> None:
        self._language, self._call = language, call
        self._changes = Changes()
        self._over = False
        self.heard: list[Utterance] = []
        call.media.ear.follow(self)

    async def begins(self, said: str, within: float = SOON, *, after: float = 0.0) -> Utterance:
        """The first of it that begins after a moment."""
        return await self._first(said, within, lambda each: each.began > after)

    async def ends(self, said: str, within: float) -> Utterance:
        """The first of it that was heard to its end."""
        return await self._first(said, within, lambda each: each.ended)

    def between(self, first: str, last: str) -> list[str]:
        """What was said after the one and before the other."""
        names = [each.said for each in self.heard if each.said != MUSIC]
        return names[names.index(first) + 1 : names.index(last)]

    # What the ear hands over

    def feed(self, payload: bytes, at: float) -> None:
        if not g711.is_loud(payload):
            return
        frames = self._language.what(payload)
        if not (self.heard and self.heard[-1].goes_on(frames, at)):
            said, first = next(iter(frames.items()))
            began = at if said == MUSIC else at - first.index * TICK  # the tune goes on where it was
            self.heard.append(Utterance(frames, began, at))
        self._changes.notify()

    def give_up(self) -> None:
        self._over = True
        self._changes.notify()

    # Inside

    async def _first(self, said: str, within: float, fits: Callable[[Utterance], bool]) -> Utterance:
        def value() -> Utterance | None:
            found = next((each for each in self.heard if said in each.may_be and fits(each)), None)
            if found is None and self._over:
                raise CallFailed(f"the call ended first; {self._explain(said)}")
            return found

        async with deadline(within, lambda: self._explain(said)):
            return await self._changes.until(value)

    def _explain(self, said: str) -> str:
        told = [each.said for each in self.heard if each.frames >= _SMALLEST_TALE]
        return f"to hear “{said}”; heard {', '.join(told) or 'nothing'}\n{self._call.trace()}"
