"""F32: no file descriptors are left in the service: its calls go on, and afterwards it answers again."""

import asyncio
import contextlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.desk import hear_each_other, talk
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig
from tests.faults.scenes import PATIENT

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextmanager
def few_left(pid: int, how_many: int) -> Iterator[None]:
    """The process can open so many more and no further."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + how_many, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


async def test_f32_the_service_without_descriptors_keeps_its_calls_and_answers_again_afterwards(
    rig: Rig, line: AuditedLine, figures: Figures
) -> None:
    await line.settings(**PATIENT)
    going_on = await talk(line)
    pid = rig.pid("service")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        with few_left(pid, 3):
            asking = [asyncio.create_task(_asks(http, f"{rig.url}/healthz")) for _ in range(30)]
            call = await line.in_menu(line.caller())
            await hear_each_other(going_on.offer, going_on.back)
            await call.hangup()
        await asyncio.gather(*asking)
    await rig.gets_ready()
    lost = int(not rig.alive("service") or rig.pid("service") != pid)
    figures.note("F32", "service: existing calls lost", lost, limit=0)
    await going_on.back.hangup()


async def _asks(http: aiohttp.ClientSession, url: str) -> None:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=5)) as response:
            await response.read()
