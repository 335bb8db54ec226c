"""RTCP, as much as shows that a phone is there: an empty receiver report with its source description (RFC 3550 6)."""

from __future__ import annotations

import struct

_VERSION_2 = 0x80
_RECEIVER_REPORT, _SOURCE_DESCRIPTION = 201, 202
_CNAME = 1


def report(ssrc: int) -> bytes:
    """What a phone sends that says nothing and has heard nothing."""
    name = b"phone"
    item = struct.pack("!IBB", ssrc, _CNAME, len(name)) + name
    item += b"\0" * (4 - len(item) % 4)
    return _packet(_VERSION_2, _RECEIVER_REPORT, struct.pack("!I", ssrc)) + _packet(
        _VERSION_2 | 1, _SOURCE_DESCRIPTION, item
    )


def _packet(first: int, kind: int, content: bytes) -> bytes:
    """Its length is told in words of 32 bits, the first not counted."""
    return struct.pack("!BBH", first, kind, len(content) // 4) + content
