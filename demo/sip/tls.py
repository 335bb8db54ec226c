"""SIP over TLS with the same face as the UDP socket: one connection to each peer, made when first needed."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from demo.sip.udp import OnDatagram, Peer

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Tls:
    """`server` only for who is called without having connected before, as a carrier is."""

    client: ssl.SSLContext
    server: ssl.SSLContext | None = None

    @classmethod
    def trusting(cls, authority: Path, *, chain: Path | None = None, key: Path | None = None) -> Tls:
        """With `chain` and `key` it serves, too."""
        client = ssl.create_default_context(cafile=str(authority))
        if chain is None:
            return cls(client)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, key)
        return cls(client, server)


class TlsSocket:
    """Calls `on_message(data, peer, at)` for every whole SIP message."""

    def __init__(self, host: str, port: int, on_message: OnDatagram, tls: Tls) -> None:
        self.on_message = on_message
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._connections: dict[Peer, Connection] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listening = socket.create_server((host, port))
        self._host, self.port = host, int(self._listening.getsockname()[1])
        self._server: asyncio.Server | None = None
        if tls.server:
            self._do(self._serve(tls.server))

    def send(self, data: bytes, peer: Peer) -> None:
        if peer not in self._connections:
            made = self._connections[peer] = Connection(self, peer)
            self._do(self._connect(made, peer))
        self._connections[peer].send(data)

    def close(self) -> None:
        """Closing twice is fine."""
        for task in self._tasks:
            task.cancel()
        for connection in list(self._connections.values()):
            connection.abort()
        if self._server:
            self._server.close()
        self._listening.close()

    def add(self, connection: Connection, peer: Peer) -> None:
        self._connections.setdefault(peer, connection)

    def remove(self, connection: Connection) -> None:
        self._connections = {peer: each for peer, each in self._connections.items() if each is not connection}

    async def _serve(self, context: ssl.SSLContext) -> None:
        self._server = await self._loop.create_server(lambda: Connection(self), sock=self._listening, ssl=context)

    async def _connect(self, connection: Connection, peer: Peer) -> None:
        """What cannot connect is forgotten: the next message tries again."""
        try:
            await self._loop.create_connection(lambda: connection, *peer, ssl=self._tls.client)
        except OSError:
            self.remove(connection)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Connection(asyncio.Protocol):
    """Cuts the stream into messages (RFC 3261 18.3)."""

    def __init__(self, owner: TlsSocket, peer: Peer | None = None) -> None:
        self._owner, self._peer = owner, peer
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._buffer = b""

    def send(self, data: bytes) -> None:
        if self._transport:
            self._transport.write(data)
        else:
            self._waiting.append(data)

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._peer is None:
            self._peer = transport.get_extra_info("peername")[:2]
        self._owner.add(self, cast(Peer, self._peer))
        for data in self._waiting:
            self._transport.write(data)
        self._waiting.clear()

    def connection_lost(self, error: Exception | None) -> None:
        self._owner.remove(self)

    def data_received(self, data: bytes) -> None:
        at, self._buffer = time.monotonic(), self._buffer + data
        while (message := self._next()) is not None:
            self._owner.on_message(message, cast(Peer, self._peer), at)

    def _next(self) -> bytes | None:
        self._buffer = self._buffer.lstrip(b"\r\n")
        head, blank, _ = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        end = len(head) + len(blank) + (int(length[1]) if length else 0)
        if not blank or len(self._buffer) < end:
            return None
        message, self._buffer = self._buffer[:end], self._buffer[end:]
        return message
