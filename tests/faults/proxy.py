"""A proxy for TCP that can break: what stands between the parts in the fault rig. Switched while it runs."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

Upstream = tuple[str, int] | Path
"""Host and port, or the path of a unix socket."""

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Way:
    """One direction. What comes while it is shut arrives when it opens, as TCP repeats itself."""

    delay: float = 0.0
    """Seconds that everything takes longer."""
    is_open: asyncio.Event = field(default_factory=asyncio.Event)

    async def through(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        await self.is_open.wait()


class Proxy:
    """`async with Proxy(upstream) as proxy:` listens on 127.0.0.1, at `proxy.port`; passes everything at first."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.port = 0
        self.up, self.down = Way(), Way()
        """From those who connect, and back to them."""
        self.accepted = 0
        self.tap: Callable[[bytes], None] | None = None
        """Is shown what passes upwards."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.heal_ways()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What may be wrong

    async def heal(self) -> None:
        """Everything passes again, at once; connections that were cut stay cut."""
        self.heal_ways()
        await self.listen()

    def heal_ways(self) -> None:
        for way in (self.up, self.down):
            way.delay = 0.0
            way.is_open.set()

    def delay(self, seconds: float) -> None:
        """What is sent up arrives so much later; the answers come as they were."""
        self.up.delay = seconds

    def cut(self) -> None:
        """Reset every connection there is. New ones are let in."""
        for writer in tuple(self._writers):
            _reset(writer)

    def half_open(self) -> None:
        """A hole both ways: nothing arrives any more and nobody is told, neither of old connections nor of new."""
        self.drop_up()
        self.drop_down()

    def drop_up(self) -> None:
        """Nothing arrives that those who connected send; they go on hearing."""
        self.up.is_open.clear()

    def drop_down(self) -> None:
        """Those who connected hear nothing any more, and are heard."""
        self.down.is_open.clear()

    async def refuse(self) -> None:
        """Cut everything, and refuse who comes."""
        if self._server:
            self._server.close()
            self._server = None
        self.cut()

    async def listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port, limit=_CHUNK)
            self.port = self._server.sockets[0].getsockname()[1]

    # Passing on

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self.up.is_open.wait()
            far_reader, far_writer = await self._connect()
            self._writers.add(far_writer)
            try:
                await asyncio.gather(
                    _pass(reader, far_writer, self.up, self._show),
                    _pass(far_reader, writer, self.down),
                )
            finally:
                self._end(far_writer)
        except OSError:
            _reset(writer)  # as if there were no proxy: the end behind it is not there
        except asyncio.CancelledError:
            pass  # the rig ends; a server's callback must not be cancelled, or it is logged
        finally:
            self._end(writer)
            self._tasks.discard(task)

    def _show(self, data: bytes) -> None:
        if self.tap:
            self.tap(data)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.upstream, Path):
            return await asyncio.open_unix_connection(str(self.upstream), limit=_CHUNK)
        return await asyncio.open_connection(*self.upstream, limit=_CHUNK)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()


async def _pass(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    way: Way,
    show: Callable[[bytes], None] = lambda _: None,
) -> None:
    """Until the end, which is passed on too. Raises OSError when either side is reset."""
    while data := await reader.read(_CHUNK):
        await way.through()
        show(data)
        writer.write(data)
        await writer.drain()
    await way.through()
    with contextlib.suppress(OSError):
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close it with RST instead of FIN."""
    if (sock := writer.get_extra_info("socket")) and sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
