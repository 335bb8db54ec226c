"""Kills the service, which `ringback up` then starts again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time

import aiohttp

from demo.stage import Stage

_READY_WITHIN = 15.0
_LOOK_EVERY = 0.01


async def kill_service(stage: Stage) -> float:
    """SIGKILL; seconds until another one is ready and owns the calls. Raises AssertionError when none comes."""
    dead, at = stage.pid("service"), time.monotonic()
    os.kill(dead, signal.SIGKILL)
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        while not await _ready(session, f"{stage.url}/readyz"):
            if time.monotonic() > at + _READY_WITHIN:
                raise AssertionError(f"expected /readyz within {_READY_WITHIN:g} s after the kill, saw none")
            await asyncio.sleep(_LOOK_EVERY)
    if stage.pid("service") == dead:
        raise AssertionError(f"expected another service, saw the same ({dead})")
    return time.monotonic() - at


async def _ready(session: aiohttp.ClientSession, url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(url) as response:
            return response.status == 200
    return False
