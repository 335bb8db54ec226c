"""A second service on the rig's shard, and what the first one still asks of Asterisk."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp

from tests.faults.rig import Rig

_COMMAND = re.compile(rb"((?:POST|PUT|DELETE) /ari/\S*|GET /ari/events\S*) HTTP")


@asynccontextmanager
async def successor(rig: Rig) -> AsyncIterator[str]:
    """Another service on the same Postgres and Asterisk, past both proxies; waits for the shard. Its address."""
    port, parts = rig.ports.http + 3, rig.parts
    process = rig.another_service(
        HTTP_PORT=str(port),
        ARI_URL=parts.asterisk.ari_url.removesuffix("/ari"),
        DATABASE_URL=parts.postgres.service_dsn,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await process.stop(signal.SIGTERM, patience=5)


async def is_up(url: str, path: str, within: float = 20) -> None:
    """Wait until this address says yes."""
    async with asyncio.timeout(within), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url + path) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.005)


async def waits_for_the_shard(rig: Rig, since: int) -> None:
    """Wait until a second service says so in the log, from byte `since` on."""
    async with asyncio.timeout(20):
        while "waiting for the shard's owner" not in rig.log_lines(since):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@contextmanager
def commands(rig: Rig) -> Iterator[list[str]]:
    """What is asked of Asterisk through the proxy that could change anything, or take the application."""
    seen: list[str] = []
    rig.ari.tap = lambda data: seen.extend(asked.decode() for asked in _COMMAND.findall(data))
    try:
        yield seen
    finally:
        rig.ari.tap = None
