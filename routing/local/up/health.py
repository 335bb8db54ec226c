"""How the service is doing, seen from `up` through its HTTP API: alive (/healthz) and ready (/readyz)."""

import asyncio
import time

import aiohttp
import structlog

log = structlog.get_logger(__name__)

_EAGER, _CALM = 0.02, 0.5  # seconds between looks: until it is ready, and after
_PATIENCE = 0.8  # seconds for an answer
_MISSES = 3  # looks in a row without one, by which a service that was alive is known to hang


class Health:
    """`ready` is set once /readyz said 200 since the last `reset()`, `hung` when the service was alive since then and
    answers no more: /healthz is its own pulse, whatever Postgres and Asterisk do. `watch()` runs as a task."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._seen = time.monotonic()
        self._alive = False
        self._misses = 0
        self.ready = asyncio.Event()
        self.hung = asyncio.Event()

    def reset(self) -> None:
        """A new service was started."""
        self._alive, self._misses = False, 0
        self.ready.clear()
        self.hung.clear()

    def gone_for(self) -> float:
        """Seconds since the service last said it is alive."""
        return time.monotonic() - self._seen

    async def watch(self) -> None:
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                await self._look(session)
                await asyncio.sleep(_CALM if self.ready.is_set() and not self._misses else _EAGER)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        began = time.monotonic()
        if await self._ok(session, "/healthz"):
            self._seen, self._alive, self._misses = time.monotonic(), True, 0
            if not self.ready.is_set() and await self._ok(session, "/readyz"):
                self.ready.set()
                log.info("service_ready")
        elif self._alive and time.monotonic() - began >= _PATIENCE:  # who refuses is dead, which is seen elsewhere
            self._misses += 1
            if self._misses >= _MISSES:
                self.hung.set()

    async def _ok(self, session: aiohttp.ClientSession, path: str) -> bool:
        try:
            async with session.get(self._url + path) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
