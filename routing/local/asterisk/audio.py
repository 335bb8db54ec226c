"""Sounds made by arithmetic: tones, a tune for holding, half the sampling rate. Asterisk plays 8 kHz, 16 bit, mono.

Samples are floats from -1 to 1. Counterpart: prompts.py makes files of them.
"""

import array
import math
import sys
import wave
from collections.abc import Sequence
from pathlib import Path

RATE = 8000
_FADE = 40  # samples (5 ms) at both ends of a tone, against clicks


def tone(frequency: float, seconds: float, level: float = 0.35) -> list[float]:
    """A sine that fades in and out."""
    length = round(seconds * RATE)
    step = 2 * math.pi * frequency / RATE
    return [level * min(1.0, n / _FADE, (length - n) / _FADE) * math.sin(step * n) for n in range(length)]


def endless_tone(frequency: int, seconds: int, level: float = 0.35) -> list[float]:
    """A sine without fades whose end fits its beginning, as whole hertz and seconds do."""
    step = 2 * math.pi * frequency / RATE
    return [level * math.sin(step * n) for n in range(seconds * RATE)]


def halved(samples: Sequence[float]) -> list[float]:
    """The same sound at half the sampling rate (16 kHz to 8 kHz), band-limited first by a half-band filter."""
    padded = [0.0] * _REACH + list(samples) + [0.0] * _REACH
    result = []
    for middle in range(_REACH, len(padded) - _REACH, 2):
        value = 0.5 * padded[middle]
        for offset, weight in _HALF_BAND:
            value += weight * (padded[middle - offset] + padded[middle + offset])
        result.append(value)
    return result


def _half_band(taps: int) -> list[tuple[int, float]]:
    """(offset, weight) of a windowed sinc at a quarter of the rate; the even offsets but 0 are all zero."""
    reach = 2 * taps
    return [
        (n, math.sin(math.pi * n / 2) / (math.pi * n) * (0.54 + 0.46 * math.cos(math.pi * n / reach)))
        for n in range(1, reach, 2)
    ]


_HALF_BAND = _half_band(8)
_REACH = 16


def hold_music() -> list[float]:
    """A quiet tune of 32 s, plucked notes over four chords, twice; it runs into its own beginning."""
    length = 32 * RATE
    tune = [0.0] * length
    for start, pitch, level in _notes():
        _pluck(tune, round(start * RATE), 440 * 2 ** ((pitch - 69) / 12), level)
    loudest = max(map(abs, tune))
    return [0.3 * sample / loudest for sample in tune]


# One line per chord of 4 s, as MIDI pitches: a bass note, then what is plucked over it, half a second each.
_CHORDS = (
    (48, (64, 67, 72, 76, 74, 72, 67, 64)),
    (45, (64, 69, 72, 76, 72, 69, 67, 64)),
    (41, (65, 69, 72, 77, 76, 72, 69, 65)),
    (43, (62, 67, 71, 74, 79, 74, 71, 67)),
    (48, (64, 67, 72, 79, 76, 72, 67, 64)),
    (45, (60, 64, 69, 72, 76, 72, 69, 64)),
    (41, (60, 65, 69, 72, 69, 65, 60, 57)),
    (43, (62, 67, 71, 74, 71, 67, 65, 62)),
)


def _notes() -> list[tuple[float, int, float]]:
    """(start in seconds, pitch, level)"""
    notes = []
    for bar, (bass, melody) in enumerate(_CHORDS):
        notes += [(4.0 * bar, bass + 12, 0.8), (4.0 * bar + 2, bass + 12, 0.5)]
        notes += [(4.0 * bar + beat / 2, pitch, 0.55) for beat, pitch in enumerate(melody)]
    return notes


def _pluck(tune: list[float], start: int, frequency: float, level: float) -> None:
    """Add a note of 2 s that dies away; what hangs over the end sounds at the beginning."""
    step = 2 * math.pi * frequency / RATE
    for n in range(2 * RATE):
        envelope = level * min(1.0, n / 80) * math.exp(-n / (0.55 * RATE)) * min(1.0, (2 * RATE - n) / 400)
        angle = step * n
        tune[(start + n) % len(tune)] += envelope * (math.sin(angle) + 0.25 * math.sin(2 * angle))


def read_wav(path: Path) -> tuple[int, list[float]]:
    """(sampling rate, samples) of a mono file of 16 bit."""
    with wave.open(str(path), "rb") as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError("not mono with 16 bit")
        pcm = array.array("h", file.readframes(file.getnframes()))
        if sys.byteorder == "big":
            pcm.byteswap()
        return file.getframerate(), [sample / 32768 for sample in pcm]


def write_wav(path: Path, samples: Sequence[float]) -> None:
    """Write at 8 kHz."""
    pcm = array.array("h", (max(-32767, min(32767, round(32767 * sample))) for sample in samples))
    if sys.byteorder == "big":
        pcm.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())
