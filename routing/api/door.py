"""Where HTTP comes in: no more connections at once than leave file descriptors for calls and Postgres."""

import asyncio
import resource

import structlog
from aiohttp import web

log = structlog.get_logger()


class Door(web.TCPSite):
    """Ends connections beyond `most` at once, without a word: whoever opens that many does not want one."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, most: int | None = None) -> None:
        super().__init__(runner, host, port)
        self._at = (host, port)
        self._most = most or resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2

    async def start(self) -> None:
        """Raises OSError."""
        await web.BaseSite.start(self)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._let_in, *self._at, reuse_address=True)

    def _let_in(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None
        if len(server.connections) < self._most:
            return server()
        log.warning("connection refused: there are too many", most=self._most)
        return _Closed()


class _Closed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
