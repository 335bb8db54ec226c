"""`ringback up` itself is killed (-9). Asterisk, Postgres and every call live on, and the next `up` on the same data
directory adopts them: the people on the line go on as if nothing had been."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from demo.stage import Stage, scratch_stage
from routing.local.asterisk.prompts import TONES
from routing.local.system.processes import Process
from tests.calls.auditor import Auditor
from tests.calls.desk import hear_each_other
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.scenes import Scene, everywhere

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADOPTED = ("asterisk", "postgres")


@pytest_asyncio.fixture(loop_scope="session")
async def line() -> AsyncIterator[AuditedLine]:
    async with scratch_stage("adopt") as stage:
        auditor = Auditor(stage)
        yield AuditedLine(stage, "fault-up", "8700", 970, auditor=auditor)
        await auditor.end_all_calls()


async def killed(stage: Stage) -> list[str]:
    """kill -9 of `up`. Its command line, once its child, the service, is gone as well."""
    words = command_of(stage.up.pid)
    service = Process(stage.pid("service"))
    os.kill(stage.up.pid, signal.SIGKILL)
    await stage.up.wait()
    await asyncio.wait_for(service.wait(), 5)
    return words


def command_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")


@contextlib.asynccontextmanager
async def started(stage: Stage, command: list[str]) -> AsyncIterator[None]:
    """The next `up`, ready; ended with whatever it has adopted."""
    with stage.log.open("ab") as log:
        up = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, start_new_session=True)
    try:
        async with asyncio.timeout(30):
            while not await stage.ready():  # a process that starts tells us nothing
                assert up.returncode is None, stage.log.read_text()[-3000:]
                await asyncio.sleep(0.02)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            up.terminate()
        await asyncio.wait_for(up.wait(), 15)


async def test_the_next_up_adopts_asterisk_and_postgres_with_everybody_who_is_on_the_line(
    line: AuditedLine, figures: Figures
) -> None:
    stage = line.stage
    before = {part: stage.pid(part) for part in ADOPTED}
    scene = await everywhere(line)
    await asyncio.gather(*(each.hear(TONES["music"]) for each in scene.calls[:2]))
    talks = [scene.talking.offer, scene.talking.back]
    for call in (*scene.calls, *talks):
        call.reset_gaps()
    command = await killed(stage)
    assert not any(call.end for call in (*scene.calls, *talks))
    at = time.monotonic()
    async with started(stage, command):
        figures.note("up", "kill -9 of `up`: the next one ready", time.monotonic() - at, unit="s", limit=10)
        assert {part: stage.pid(part) for part in ADOPTED} == before
        await everybody_goes_on(line, scene)
        figures.note("up", "silence in a talk", [each.gaps.silence for each in talks], unit="s", limit=0.5)
        await asyncio.gather(*(each.hangup() for each in (*scene.calls, *talks) if not each.end))
        assert await line.auditor.check() == []


async def everybody_goes_on(line: AuditedLine, scene: Scene) -> None:
    """From where they were, each with the calls they had, and no other."""
    in_menu, waiting, confirming, inbound = scene.calls
    await hear_each_other(scene.talking.offer, scene.talking.back)
    await waiting.hear(TONES["music"])
    await in_menu.hear(TONES["menu-offer"])
    await in_menu.dtmf("2")
    await in_menu.hear(TONES["confirm-number"])
    await confirming.hear_any({TONES["confirm-number"], TONES["booked"], TONES["music"]})
    assert inbound.end is None

    agent, customer = scene.ringing
    back, offer = customer.calls[0], agent.phone.calls[0]
    back.answer()
    await hear_each_other(offer, back)
    agent, customer = scene.offered
    offer = agent.phone.calls[0]
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    called = [scene.offered[1], scene.ringing[1], scene.talking.customer, *(each.phone for each in scene.agents)]
    assert {each.name: len(each.invites) for each in called} == {each.name: 1 for each in called}
