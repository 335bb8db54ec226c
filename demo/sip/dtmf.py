"""Telephone events (RFC 4733): one digit as the payloads of its packets, and back."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from demo.sip.g711 import FRAME

DIGITS = "0123456789*#ABCD"
_EVENT = struct.Struct("!BBH")
_END = 0x80
_VOLUME = 10


@dataclass(frozen=True)
class Event:
    digit: str
    ended: bool
    duration: int
    """In samples."""


def packets(digit: str, ticks: int) -> Iterator[tuple[bytes, ...]]:
    """What to send in each 20 ms: an update a tick, then the end thrice (RFC 4733 2.5.1.4)."""
    code = DIGITS.index(digit)
    for tick in range(1, ticks + 1):
        yield (_EVENT.pack(code, _VOLUME, tick * FRAME),)
    yield (_EVENT.pack(code, _END | _VOLUME, ticks * FRAME),) * 3


def parse(payload: bytes) -> Event | None:
    if len(payload) < _EVENT.size:
        return None
    code, flags, duration = _EVENT.unpack_from(payload)
    if code >= len(DIGITS):
        return None
    return Event(DIGITS[code], bool(flags & _END), duration)
