"""Received audio as a WAV file, with silence where packets were missing."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

from demo.sip.g711 import RATE, ULAW_SILENCE, decode

_LONGEST_FILL = 60 * RATE


class Capture:
    """`close` writes the file: 8 kHz, mono, 16 bit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._audio = bytearray()
        self._next: int | None = None

    def add(self, ulaw: bytes, timestamp: int) -> None:
        if self._next is not None:
            missing = (timestamp - self._next) & 0xFFFFFFFF
            if missing < _LONGEST_FILL:
                self._audio += bytes([ULAW_SILENCE]) * missing
        self._audio += ulaw
        self._next = (timestamp + len(ulaw)) & 0xFFFFFFFF

    def close(self) -> None:
        with wave.open(str(self._path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(struct.pack(f"<{len(self._audio)}h", *decode(bytes(self._audio))))
