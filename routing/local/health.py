"""How the service is doing, seen from `up` through its HTTP API: alive (/healthz) and ready (/readyz)."""

import asyncio
import time

import aiohttp
import structlog

log = structlog.get_logger(__name__)

_EAGER, _CALM = 0.02, 1.0  # seconds between looks: until it is ready, and after


class Health:
    """`ready` is set once /readyz said 200 since the last `reset()`. `watch()` runs as a task."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._seen = time.monotonic()
        self.ready = asyncio.Event()

    def reset(self) -> None:
        """A new service was started."""
        self.ready.clear()

    def gone_for(self) -> float:
        """Seconds since the service last said it is alive."""
        return time.monotonic() - self._seen

    async def watch(self) -> None:
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                await self._look(session)
                await asyncio.sleep(_CALM if self.ready.is_set() else _EAGER)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        if await self._ok(session, "/healthz"):
            self._seen = time.monotonic()
            if not self.ready.is_set() and await self._ok(session, "/readyz"):
                self.ready.set()
                log.info("service_ready")

    async def _ok(self, session: aiohttp.ClientSession, path: str) -> bool:
        try:
            async with session.get(self._url + path) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
