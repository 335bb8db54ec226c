"""F32: no file descriptors are left in the service: its calls go on, and afterwards it answers again. Asterisk
refuses the calls its descriptors are not enough for."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from demo.sip.outgoing import OutgoingCall
from demo.stage import scratch_stage
from routing.local.asterisk.prompts import TONES
from tests.calls.auditor import Auditor
from tests.calls.desk import hear_each_other, talk
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.limits import limited
from tests.faults.rig import Rig
from tests.faults.scenes import PATIENT

FEW, ROOM = 300, 30
"""Descriptors for each process, and how many calls in they are enough for."""

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextmanager
def few_left(pid: int, how_many: int) -> Iterator[None]:
    """The process can open so many more and no further."""
    used = max(int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()) + 1
    with limited(pid, "nofile", used + how_many):
        yield


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


async def test_f32_asterisk_with_few_descriptors_lets_in_as_many_calls_as_they_are_enough_for(
    figures: Figures,
) -> None:
    async with scratch_stage("few", under=("prlimit", f"--nofile={FEW}")) as stage:
        line = AuditedLine(stage, "fault-few", "8700", 970, auditor=Auditor(stage))
        await line.settings(**PATIENT)
        calls = [await line.caller().call(line.dnis) for _ in range(ROOM + 10)]
        told = Counter([await call.final() for call in calls])
        assert told == {200: ROOM, 503: 10}
        waiting = [call for call in calls if call.final_status == 200]
        await talk_beside(line, waiting)
        silences = [call.gaps.silence for call in waiting]
        figures.note("F32", "Asterisk: silence heard by those let in", silences, unit="s", limit=2)
        figures.note("F32", "Asterisk: existing calls lost", sum(bool(call.end) for call in waiting), limit=0)
        assert await line.auditor.check() == []


async def talk_beside(line: AuditedLine, waiting: list[OutgoingCall]) -> None:
    """There is room for an agent and a customer, too."""
    await asyncio.gather(*(call.hear(TONES["music"]) for call in waiting))
    await waiting.pop().hangup()  # makes room for the one who wants to be called back
    await talk(line)


async def _asks(http: aiohttp.ClientSession, url: str) -> None:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=5)) as response:
            await response.read()
