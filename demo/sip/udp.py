"""A UDP socket on the event loop that knows when each datagram reached the kernel."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable

Peer = tuple[str, int]
OnDatagram = Callable[[bytes, Peer, float], None]

# Linux, asm-generic/socket.h; Python's socket module does not name it.
SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size)
_MAX_DATAGRAM = 65535
_OLDEST = 60.0


class UdpSocket:
    """Calls `on_datagram(data, peer, at)`; `at` is time.monotonic() of the datagram's arrival in the kernel,
    so a busy event loop does not spoil the measurement."""

    def __init__(self, host: str, port: int, on_datagram: OnDatagram, *, buffer: int = 1 << 18) -> None:
        self._on_datagram = on_datagram
        self._socket = _bound(host, port, buffer)
        self.port: int = self._socket.getsockname()[1]
        self.dropped = 0
        """Datagrams the kernel had no room for when we sent them."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, data: bytes, peer: Peer) -> None:
        try:
            self._socket.sendto(data, peer)
        except BlockingIOError:
            self.dropped += 1

    def ignore(self) -> None:
        """Read no more: what comes fills the kernel's buffer and is lost."""
        self._loop.remove_reader(self._socket.fileno())

    def close(self) -> None:
        """Closing twice is fine."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    @property
    def closed(self) -> bool:
        return self._socket.fileno() < 0

    def _readable(self) -> None:
        try:
            data, ancillary, _, peer = self._socket.recvmsg(_MAX_DATAGRAM, _ANCILLARY)
        except (BlockingIOError, ConnectionRefusedError):
            return
        self._on_datagram(data, peer, _arrival(ancillary))


def _bound(host: str, port: int, buffer: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{error.strerror}: UDP {host}:{port}") from error
    return sock


def _arrival(ancillary: list[tuple[int, int, bytes]]) -> float:
    """The kernel stamps wall-clock time; as an age it carries over to the monotonic clock. An age that cannot be
    shows that our wall clock is not the kernel's (it was set, or tests show us another): then now has to do."""
    now = time.monotonic()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            age: float = time.time_ns() / 1e9 - (seconds + nanoseconds / 1e9)
            return now - age if 0 <= age < _OLDEST else now
    return now
