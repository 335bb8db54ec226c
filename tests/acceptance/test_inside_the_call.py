"""Requests inside a call: answered at once, whoever asks, and the call goes on."""

import time

import pytest

from demo.sip.call import Call
from tests.calls.desk import AGENT, CUSTOMER, talk
from tests.calls.line import Line
from tests.calls.story import menu, steps

pytestmark = pytest.mark.asyncio(loop_scope="session")

DTMF = ("Content-Type", "application/dtmf-relay")
REQUESTS: list[tuple[str, bytes, list[tuple[str, str]], int]] = [
    ("OPTIONS", b"", [], 200),
    ("INFO", b"", [], 200),
    ("INFO", b"Signal=9\r\nDuration=160\r\n", [DTMF], 200),
    ("UPDATE", b"", [], 200),
    ("REFER", b"", [("Refer-To", "<sip:601@127.0.0.1>")], 603),
]
WITHIN = 0.5


async def ask_all(call: Call) -> None:
    """Every request, answered as it should be and in time."""
    for method, body, fields, expected in REQUESTS:
        asked = time.monotonic()
        assert await call.request(method, body=body, fields=fields) == expected, method
        assert time.monotonic() - asked < WITHIN, method


async def test_whoever_talks_may_ask_and_both_hear_each_other_afterwards(line: Line) -> None:
    talking = await talk(line)
    await ask_all(talking.offer)
    await ask_all(talking.back)
    now = time.monotonic()
    await talking.offer.hear(CUSTOMER, since=now)
    await talking.back.hear(AGENT, since=now)
    await line.stage.when(talking.customer.number, stage="talking")


async def test_a_carrier_that_asks_for_a_waiting_caller_does_not_end_the_call(line: Line) -> None:
    await line.settings(**steps(menu(after=60)))
    caller = line.caller()
    call = await line.call(caller)
    await ask_all(call)
    assert call.end is None
    await line.stage.when(caller.number, status="open", subtype="inbound")


async def test_session_timers_are_asked_for_and_granted(line: Line) -> None:
    """So a far end that is gone is found by SIP, too, where it knows them."""
    talking = await talk(line)
    for call in (talking.offer, talking.back):
        assert "timer" in call.invite.headers["Supported"]
        assert call.invite.headers["Session-Expires"] == "1800"
    asking = {"Supported": "timer", "Session-Expires": "90;refresher=uas"}
    call = await line.call(line.caller(), headers=asking)
    (answer,) = [each.message for each in call.messages if each.message.start_line == "SIP/2.0 200 OK"]
    assert answer.headers["Session-Expires"] == "90;refresher=uas"
