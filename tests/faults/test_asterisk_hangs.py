"""F9: Asterisk lives and answers nothing. Under `up` another one takes its place, and nobody is left uncounted."""

import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from demo.stage import Stage, scratch_stage
from tests.calls.auditor import Auditor
from tests.calls.line import Line
from tests.calls.story import menu, steps
from tests.faults.figures import Figures

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def line() -> AsyncIterator[Line]:
    """A queue under `up`: the rig has no supervisor."""
    async with scratch_stage("hung") as stage:
        yield Line(stage, "hung", "7000", 970)


async def test_f9_an_asterisk_that_hangs_is_replaced(line: Line, figures: Figures) -> None:
    stage = line.stage
    auditor = Auditor(stage)
    await line.settings(**steps(menu(timeout=60)), callback={"initial_delay": 0})
    asked, waiting = line.caller(), line.caller()
    calls = [await line.in_menu(asked), await line.in_menu(waiting)]
    await calls[1].dtmf("1")
    await stage.when(waiting.number, status="open")
    kept = await line.callback(line.caller())
    hung = stage.pid("asterisk")
    service = stage.pid("service")
    began = time.monotonic()
    os.kill(hung, signal.SIGSTOP)
    await stage.until(lambda: _replaced(stage, hung), "another Asterisk is there, and the service ready", 60)
    figures.note("F9", "hung under `up`: replaced and ready", time.monotonic() - began, unit="s", limit=20)
    for call in calls:
        call.drop()
    for caller in (asked, waiting):
        await stage.when(caller.number, status="closed", outcome="error")
        assert "caller_lost" in await stage.feed((await stage.interaction(caller.number))["id"])
    assert (await stage.api.get(f"interactions/{kept['id']}"))["status"] == "open"
    assert stage.pid("service") == service, "which was well all the time"
    await (await line.in_menu(line.caller())).hangup()
    assert await auditor.check() == []


async def _replaced(stage: Stage, hung: int) -> bool:
    return stage.pid("asterisk") != hung and await stage.ready()
