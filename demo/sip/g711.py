"""G.711: both laws as tables of 256 entries. Inside demo.sip all audio is µ-law bytes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

RATE = 8000
FRAME = 160
"""Samples, and bytes, in the 20 ms of one packet."""
ULAW_SILENCE = 0xFF


def _ulaw(code: int) -> int:
    inverted = ~code & 0xFF
    magnitude = (((inverted & 0x0F) << 3) + 132 << (inverted >> 4 & 7)) - 132
    return -magnitude if inverted & 0x80 else magnitude


def _alaw(code: int) -> int:
    toggled = code ^ 0x55
    segment, step = toggled >> 4 & 7, toggled & 0x0F
    magnitude = (step << 4) + 8 if segment == 0 else (step << 4) + 264 << segment - 1
    return magnitude if toggled & 0x80 else -magnitude


ULAW: tuple[int, ...] = tuple(_ulaw(code) for code in range(256))
ALAW: tuple[int, ...] = tuple(_alaw(code) for code in range(256))


def _encoder(table: Sequence[int]) -> tuple[list[int], list[int]]:
    pairs = sorted({value: code for code, value in enumerate(table)}.items())
    return [value for value, _ in pairs], [code for _, code in pairs]


def _nearest(values: list[int], codes: list[int], sample: int) -> int:
    right = min(bisect_left(values, sample), len(values) - 1)
    left = max(right - 1, 0)
    return codes[left] if sample - values[left] < values[right] - sample else codes[right]


_ULAW_ENCODER = _encoder(ULAW)
_ALAW_ENCODER = _encoder(ALAW)

ALAW_TO_ULAW = bytes(_nearest(*_ULAW_ENCODER, value) for value in ALAW)
ULAW_TO_ALAW = bytes(_nearest(*_ALAW_ENCODER, value) for value in ULAW)

LOUDNESS_LIMIT = 300
"""Of 32,124: about -40 dB. DegradedMode noise and codec hiss stay below."""
_LOUD = bytes(abs(value) > LOUDNESS_LIMIT for value in ULAW)


def encode(samples: Sequence[int]) -> bytes:
    """16-bit samples to µ-law."""
    return bytes(_nearest(*_ULAW_ENCODER, sample) for sample in samples)


def decode(ulaw: bytes) -> list[int]:
    return [ULAW[code] for code in ulaw]


def is_loud(ulaw: bytes) -> bool:
    """More than a tenth of the samples stand out. Two calls into C: cheap enough for every packet."""
    return ulaw.translate(_LOUD).count(1) * 10 > len(ulaw)
