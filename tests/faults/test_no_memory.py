"""F32 under `ringback up`: no memory is left in the service. Those who talk go on, whoever is in the menu is still
there, and a successor takes its place: one that lacked memory may do half of its work only."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from demo.sip.outgoing import OutgoingCall
from demo.stage import Stage, scratch_stage
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import Talk, hear_each_other, stands_by, talk
from tests.calls.line import Line
from tests.faults.figures import Figures
from tests.faults.limits import limited
from tests.faults.scenes import PATIENT

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024 * 1024
BODY = 63_000
"""Bytes of a body whose last is never sent: so many are kept for it."""


@pytest_asyncio.fixture(loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    async with scratch_stage("memory") as stage:
        yield stage


@contextmanager
def little_memory(pid: int, more: int) -> Iterator[None]:
    """The process can have so many bytes more and no further."""
    status = Path(f"/proc/{pid}/status").read_text()
    used = int(status.split("VmData:")[1].split()[0]) * 1024
    with limited(pid, "data", used + more):
        yield


async def test_f32_the_service_without_memory_keeps_its_calls_and_is_ready_again(
    stage: Stage, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    line = Line(stage, "memory", "7001", 1)
    await line.settings(**PATIENT)
    pair = await talk(line)
    call = await line.in_menu(line.caller())
    for i in repeats(1, 8):
        await stands_by(stage)
        pid, began = stage.pid("service"), time.monotonic()
        with little_memory(pid, i % 4 * 2 * MIB):
            await _use_up(stage, pid)
            newcomer = await line.call(line.caller())
            await hear_each_other(pair.offer, pair.back)
        await stage.until(partial(_replaced, stage, pid), "another service is ready", 30)
        figures.note("F32", "service without memory: ready again", time.monotonic() - began, unit="s", limit=8)
        await newcomer.hear(TONES["menu-offer"], 20)
        await newcomer.hangup()
        lost = await _lost(pair, call)
        figures.note("F32", "service without memory: existing calls lost", lost, limit=0)
    await _does_its_work(line, pair, call)


async def _replaced(stage: Stage, pid: int) -> bool:
    return stage.pid("service") != pid and await stage.ready()


async def _use_up(stage: Stage, pid: int) -> None:
    """Bodies that never come to their end, more than there is room for, or until that process has gone."""
    token = stage.api.headers["Authorization"]
    lines = ("PUT /api/v1/agents/1999 HTTP/1.1", "Host: x", f"Authorization: {token}", f"Content-Length: {BODY + 1}")
    begun = "\r\n".join([*lines, "", ""]).encode() + b" " * BODY
    writers = []
    with contextlib.suppress(OSError):
        for _ in range(400):
            _, writer = await asyncio.open_connection("127.0.0.1", stage.ports.http)
            writers.append(writer)
            writer.write(begun)
            if stage.pid("service") != pid:
                break
    await stage.ready()  # it has read them once it answers this, or does not
    for writer in writers:
        writer.close()


async def _lost(pair: Talk, call: OutgoingCall) -> int:
    with contextlib.suppress(AssertionError):
        await hear_each_other(pair.offer, pair.back)
        return int(call.end is not None)
    return 1


async def _does_its_work(line: Line, pair: Talk, call: OutgoingCall) -> None:
    """Keys, hang-ups, requests, new calls."""
    await call.dtmf("2")
    await call.hear(TONES["confirm-number"], 10)
    await call.hangup()
    await pair.back.hangup()
    await pair.offer.ended()
    await line.stage.when(pair.customer.number, status="connected", stage="ready_to_call")
    await pair.agent.api.post(f"interactions/{pair.id}/done")
    await line.stage.when(pair.customer.number, status="closed", outcome="handled")
    await line.callback(line.caller())
