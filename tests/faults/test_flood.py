"""F34: ten times as many calls as there is room for. Those beyond are refused at once, and nobody else notices."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from demo.sip.outgoing import OutgoingCall
from demo.stage import scratch_stage
from routing.local.asterisk.prompts import TONES
from tests.calls.auditor import Auditor
from tests.calls.desk import customer_with_callback, hear_each_other, offered
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.scenes import PATIENT

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEGS, ROOM = 80, 60
"""What the RTP ports are for, and how many calls in that leaves room for."""
THERE = 30
"""Callers who wait when it begins."""
PER_SECOND = 100


@pytest_asyncio.fixture(loop_scope="session")
async def small() -> AsyncIterator[AuditedLine]:
    """A line of a small Ringback of its own."""
    async with scratch_stage("flood", legs=LEGS) as stage:
        line = AuditedLine(stage, "fault-flood", "8800", 980, auditor=Auditor(stage))
        await line.settings(**PATIENT)
        yield line
        assert await line.auditor.check() == []
        stage.carrier.unplug()


async def flood(line: AuditedLine, calls: int, dialled: str, *, number: str | None = None) -> list[OutgoingCall]:
    """So many calls in, evenly, whether the others are answered or not; each with its final status."""
    made = []
    began = asyncio.get_running_loop().time()
    for n in range(calls):
        phone = line.stage.carrier.phone(number or f"+4915198{n:05}")
        call = await phone.call(dialled)
        call.media.put_down()
        made.append(call)
        await asyncio.sleep(began + (n + 1) / PER_SECOND - asyncio.get_running_loop().time())
    await asyncio.gather(*(call.final(10) for call in made))
    return made


def refused_after(calls: list[OutgoingCall]) -> list[float]:
    """Seconds, of those refused."""
    return [call.end.at - call.invited_at for call in calls if call.end]


def answered_after(calls: list[OutgoingCall]) -> list[float]:
    return [call.answered_at - call.invited_at for call in calls if call.answered_at]


async def test_f34_ten_times_as_many_calls_as_there_is_room_for(
    small: AuditedLine, figures: Figures, full: bool
) -> None:
    line, times = small, 10 if full else 4
    agent = await line.agent()
    customer, _, offer = await offered(line, agent)
    waiting = [await line.in_menu(line.caller()) for _ in range(THERE)]
    lags = await line.stage.loop_lags()
    for call in waiting:
        call.reset_gaps()
    flooding = asyncio.create_task(flood(line, times * ROOM, line.dnis))
    offer.answer()
    picked_up = time.monotonic()
    back = await customer.incoming()
    figures.note("F34", "picked up: customer called after", time.monotonic() - picked_up, unit="s", limit=1)
    back.answer()
    await hear_each_other(offer, back)
    offer.reset_gaps()
    back.reset_gaps()
    calls = await flooding
    beyond = [call for call in calls if call.final_status != 200]
    figures.note("F34", "let in of those there was room for", len(calls) - len(beyond) + THERE)
    assert Counter(call.final_status for call in calls) == {200: ROOM - THERE, 503: len(calls) - ROOM + THERE}
    figures.note("F34", "one too many: refused after", refused_after(beyond), unit="s", limit=1)
    figures.note("F34", "let in: answered after", answered_after(calls), unit="s", limit=1)
    figures.note("F34", "silence heard by who waits", [each.gaps.silence for each in waiting], unit="s", limit=2)
    figures.note("F34", "gap in a talk", [each.gaps.silence for each in (offer, back)], unit="s", limit=0.5)
    lag = (await line.stage.loop_lags()).p99_since(lags)
    figures.note("F34", "event loop lag p99, at most", lag, unit="s", limit=0.1)
    figures.note("F34", "calls dropped", sum(bool(each.end) for each in (*waiting, offer, back)), limit=0)
    await goes_on(line, waiting, calls)


async def goes_on(line: AuditedLine, waiting: list[OutgoingCall], calls: list[OutgoingCall]) -> None:
    """As soon as somebody leaves there is room for the next."""
    await asyncio.gather(*(call.hangup() for call in (*calls, *waiting[1:]) if not call.end))
    await waiting[0].hear(TONES["music"])
    await customer_with_callback(line)


async def test_f34_a_flood_of_one_queue_or_of_one_caller_is_no_flood_of_others(
    small: AuditedLine, figures: Figures
) -> None:
    line = small
    await line.settings(**PATIENT, admission={"calls": 5, "calls_per_number": 3})
    calls = await flood(line, 50, line.dnis)
    assert Counter(call.final_status for call in calls) == {200: 5, 486: 45}
    figures.note("F34", "queue full: refused after", refused_after(calls), unit="s", limit=1)
    other = AuditedLine(line.stage, "fault-flood-2", "8801", 981, auditor=line.auditor)
    await other.settings(admission={"calls_per_number": 3})
    insisting = await flood(other, 50, other.dnis, number="+4915199999999")
    assert Counter(call.final_status for call in insisting) == {200: 3, 486: 47}
    figures.note("F34", "one caller calls and calls: refused after", refused_after(insisting), unit="s", limit=1)
    await customer_with_callback(other)
