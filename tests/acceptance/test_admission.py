"""Who is one too many hears the busy tone at once; everybody else is served as ever."""

import asyncio

import pytest

from demo.sip.outgoing import OutgoingCall
from tests.calls.desk import kill
from tests.calls.line import Line
from tests.calls.story import menu, steps

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def call_in(line: Line, *numbers: str) -> list[OutgoingCall]:
    """One after the other, each answered or refused."""
    calls = []
    for number in numbers:
        calls.append(await line.stage.carrier.phone(number).call(line.dnis))
        await calls[-1].final()
    return calls


def told(calls: list[OutgoingCall]) -> list[int | None]:
    return [each.final_status for each in calls]


async def hang_up(*calls: OutgoingCall) -> None:
    await asyncio.gather(*(each.hangup() for each in calls if each.end is None))


async def test_a_full_queue_is_busy_until_somebody_leaves(line: Line) -> None:
    await line.settings(admission={"calls": 2}, **steps(menu(timeout=30)))
    first, second, third = (line.caller().number for _ in range(3))
    calls = await call_in(line, first, second, third)
    assert told(calls) == [200, 200, 486]
    await hang_up(calls[0])
    await line.stage.when(first, status="closed")
    again = await call_in(line, third)
    assert told(again) == [200]
    await hang_up(*calls, *again)


async def test_one_number_that_calls_and_calls_is_busy_and_others_are_not(line: Line) -> None:
    await line.settings(admission={"calls_per_number": 2}, **steps(menu(timeout=30)))
    many, other = line.caller().number, line.caller().number
    calls = await call_in(line, many, many, many, other)
    assert told(calls) == [200, 200, 486, 200]
    await hang_up(*calls)


async def test_a_service_started_anew_counts_who_is_there(line: Line) -> None:
    await line.settings(admission={"calls": 1}, **steps(menu(timeout=30)))
    call = await line.in_menu(line.caller())
    await kill(line.stage)
    assert told(await call_in(line, line.caller().number)) == [486]
    await call.hangup()
