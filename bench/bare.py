"""Starts the floor (`bench.floor`) beside the service and talks with it."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from bench.wire import Wire
from demo.stage import Stage
from routing.local.postgres.server import Postgres
from routing.local.system.home import Home


@contextlib.asynccontextmanager
async def floor(stage: Stage) -> AsyncIterator[Wire]:
    """The floor's HTTP connection, while the body runs."""
    dsn = Postgres(Home(stage.data_dir).postgres, Path()).dsn
    told = {"dsn": dsn, "ari": f"http://127.0.0.1:{stage.ports.ari}/ari", **stage.credentials["ari"]}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.floor", stdin=pipe, stdout=pipe)
    assert process.stdin and process.stdout
    try:
        process.stdin.write(json.dumps(told).encode() + b"\n")
        async with asyncio.timeout(15):
            port = int(await process.stdout.readline())
        wire = await Wire.open(port)
        yield wire
        wire.close()
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
