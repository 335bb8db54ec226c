"""Tones: rendered into frames to send, found in what was received."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import mul

from demo.sip.g711 import FRAME, RATE, ULAW_SILENCE, encode

AMPLITUDE = 8000
SILENCE = (bytes([ULAW_SILENCE]) * FRAME,)
PROBED = range(200, 3400, 50)


@lru_cache(maxsize=256)
def frames(frequency: int) -> tuple[bytes, ...]:
    """µ-law frames of 20 ms that loop without a seam: one for multiples of 50 Hz, at most 50."""
    count = 50 // math.gcd(frequency, 50)
    step = 2 * math.pi * frequency / RATE
    tone = encode([round(AMPLITUDE * math.sin(step * n)) for n in range(FRAME * count)])
    return tuple(tone[start : start + FRAME] for start in range(0, len(tone), FRAME))


@lru_cache(maxsize=1024)
def _waves(frequency: int, length: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    step = 2 * math.pi * frequency / RATE
    return (
        tuple(math.cos(step * n) for n in range(length)),
        tuple(math.sin(step * n) for n in range(length)),
    )


def share(samples: Sequence[int], frequency: int) -> float:
    """How much of the power lies in this tone, 0 … 1.

    One bin of the Fourier transform, as Goertzel's; over cached waves `sum(map(mul, …))` is faster in Python
    than his recursion. In 20 ms, tones that differ by a multiple of 50 Hz do not disturb each other.
    """
    total = sum(map(mul, samples, samples))
    if not total:
        return 0.0
    cosine, sine = _waves(frequency, len(samples))
    real, imaginary = sum(map(mul, samples, cosine)), sum(map(mul, samples, sine))
    return float(2 * (real * real + imaginary * imaginary) / (len(samples) * total))


def strongest(samples: Sequence[int]) -> tuple[int, float]:
    """The 50 Hz step with the most power, and its share. Slow: for explanations only."""
    return max(((frequency, share(samples, frequency)) for frequency in PROBED), key=lambda found: found[1])
