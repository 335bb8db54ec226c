"""Where HTTP comes in: no more connections at once than leave file descriptors for calls and Postgres, and no more
lines in the log about those who send what is no HTTP than a person would read.
"""

import asyncio
import logging
import resource
import time
from collections.abc import Callable

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError

from routing.core.bucket import Bucket

log = structlog.get_logger()

LINES = 5.0
"""So many a second are written about strangers; the others are left out."""


class Sparing:
    """Says whether one more line may be written."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._bucket = Bucket.full(LINES, now())

    def allows(self) -> bool:
        bucket, seconds = self._bucket.take(LINES, self._now())
        if seconds:
            return False
        self._bucket = bucket
        return True


_sparing = Sparing()


class ConnectionLimit(web.TCPSite):
    """Ends connections beyond `most` at once, without a word: whoever opens that many does not want one."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, most: int | None = None) -> None:
        super().__init__(runner, host, port)
        self._at = (host, port)
        self._most = most or resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2

    async def start(self) -> None:
        """Raises OSError."""
        logging.getLogger("aiohttp.server").addFilter(_told_briefly)
        await web.BaseSite.start(self)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._let_in, *self._at, reuse_address=True)

    def _let_in(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None
        if len(server.connections) < self._most:
            return server()
        if _sparing.allows():
            log.warning("connection refused: there are too many", most=self._most)
        return _Closed()


def _told_briefly(record: logging.LogRecord) -> bool:
    """What is no HTTP, or left before its answer, is nobody's fault here: a line, and no error with a traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError | ConnectionError):
        if not _sparing.allows():
            return False
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args = "request not taken: %s from %s", (type(error).__name__, *(record.args or ("?",)))
        record.exc_info = None
    return True


class _Closed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
