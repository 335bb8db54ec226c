"""One fair line of live callers and callbacks; nobody falls out of it, though the service may be down."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from demo.sip import policy
from demo.sip.carrier import Phone
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from demo.stage import Stage, Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import stands_by
from tests.calls.line import Line
from tests.calls.story import menu, moment, steps, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

MENU, MUSIC = TONES["menu-offer"], TONES["music"]
AGENT, CALLER = 350, 450
BRIEF: dict[str, Any] = {**steps(menu(timeout=3)), "wrap_up": {"seconds": 0.1}}


async def kept_waiting(line: Line, caller: Phone) -> OutgoingCall:
    """A live caller who has refused to be called back."""
    call = await line.in_menu(caller)
    await call.dtmf("1")
    await line.stage.when(caller.number, status="open", subtype="inbound", stage=None)
    return call


async def talk_to_the_called_back(line: Line, agent: Worker, offer: IncomingCall, customer: Phone) -> None:
    """The agent lifts, the customer is called and answers; both talk, and the agent is done."""
    assert offer.from_user == customer.number
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await offer.hear(CALLER)
    it = await line.stage.when(customer.number, stage="talking")
    await back.hangup()
    await line.stage.when(customer.number, stage="ready_to_call")
    await agent.api.post(f"interactions/{it['id']}/done")


async def talk_to_the_live(offer: IncomingCall, call: OutgoingCall, caller: Phone) -> None:
    assert offer.from_user == caller.number
    offer.answer()
    await call.hear(AGENT)
    await call.hangup()


async def test_a_callback_keeps_the_place_of_its_call_before_a_later_live_caller(line: Line) -> None:
    await line.settings(**BRIEF)
    agent, early, late = await line.agent(), line.caller(policy.ring()), line.caller()
    inbound = await line.in_menu(early)
    entered = await line.stage.interaction(early.number)
    call = await kept_waiting(line, late)
    await inbound.dtmf("2")
    await inbound.hear(TONES["confirm-number"])
    await inbound.hangup()
    callback = await line.stage.when(early.number, status="open", subtype="callback", position=1)
    assert callback["queued_at"] == entered["queued_at"]
    await line.stage.when(late.number, position=2)

    await asyncio.sleep(0.15)  # the initial delay of 0.1 s, in which a fresh callback is passed over
    await agent.ready()
    await talk_to_the_called_back(line, agent, await agent.phone.incoming(), early)
    await talk_to_the_live(await agent.phone.incoming(), call, late)
    assert len(agent.phone.invites) == 2 and len(early.invites) == 1


async def test_where_the_queue_says_so_a_callback_goes_to_the_end_of_the_line(line: Line) -> None:
    await line.settings(**BRIEF, callback={"place": "end"})
    agent, early, late = await line.agent(), line.caller(policy.ring()), line.caller()
    inbound = await line.in_menu(early)
    call = await kept_waiting(line, late)
    await inbound.dtmf("2")
    await inbound.hear(TONES["confirm-number"])
    await inbound.hangup()
    await line.stage.when(early.number, status="open", subtype="callback", position=2)
    await agent.ready()
    await talk_to_the_live(await agent.phone.incoming(), call, late)
    await talk_to_the_called_back(line, agent, await agent.phone.incoming(), early)


@pytest.mark.quick
async def test_priority_comes_before_time(line: Line) -> None:
    await line.settings(**BRIEF, callback={"place": 5})
    agent, early, late = await line.agent(), line.caller(), line.caller(policy.ring())
    call = await kept_waiting(line, early)
    callback = await line.callback(late)
    assert (callback["priority"], callback["position"]) == (5, 1)
    await line.stage.when(early.number, position=2)
    await asyncio.sleep(0.15)  # the initial delay
    await agent.ready()
    await talk_to_the_called_back(line, agent, await agent.phone.incoming(), late)
    await talk_to_the_live(await agent.phone.incoming(), call, early)


async def test_a_fresh_callback_is_not_offered_before_its_initial_delay(line: Line) -> None:
    await line.settings(callback={"initial_delay": 1.0})
    agent, caller = await line.agent(), line.caller()
    call = await line.in_menu(caller)
    await agent.ready()
    await call.dtmf("2")
    await call.hear(TONES["confirm-number"])
    await call.hangup()
    it = await line.stage.when(caller.number, status="open", subtype="callback")
    await agent.phone.incoming()
    feed = await told(line, it["id"])
    at = {each["event"]: moment(each) for each in feed}
    assert 1.0 <= at["offered"] - at["converted"] < 1.4
    ended = await line.stage.sql.fetchval(
        "SELECT ended_at FROM legs WHERE interaction = $1 AND role = 'caller'", it["id"]
    )
    assert ended.timestamp() < at["offered"], "the call that asked for it was gone"
    await agent.not_ready()
    await line.stage.when(caller.number, status="open")


async def test_live_callers_and_callbacks_are_counted_in_one_line_and_served_in_its_order(line: Line) -> None:
    await line.settings(**BRIEF)
    first, second, third = line.caller(), line.caller(), line.caller()
    calls = [await kept_waiting(line, first)]
    await line.callback(second)
    calls.append(await kept_waiting(line, third))
    for place, each in enumerate((first, second, third), 1):
        await line.stage.when(each.number, status="open", position=place)
    agents = [await line.agent() for _ in range(3)]
    for agent in agents:
        await agent.ready()
    rung = [(await agent.phone.incoming()).from_user for agent in agents]
    assert rung == [first.number, second.number, third.number], "whoever was free first got who waited longest"
    for call in calls:
        await call.hangup()


# The service is down


@contextlib.asynccontextmanager
async def service_down(stage: Stage) -> AsyncIterator[None]:
    """The service is killed, and the successor that waits warm is held back while the body runs."""
    successor = await stands_by(stage)
    os.kill(successor, signal.SIGSTOP)
    try:
        os.kill(stage.pid("service"), signal.SIGKILL)
        await stage.until(_as_coroutine(lambda: stage.pid("service") == successor), "the service has died", 15)
        await asyncio.sleep(0.2)  # until Asterisk has noticed too; it has no way to tell
        yield
    finally:
        os.kill(successor, signal.SIGCONT)
        await stage.until(lambda: _is_ready(stage), "the service is back", 15)


def _as_coroutine(holds: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return holds()

    return asked


async def _is_ready(stage: Stage) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{stage.url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def test_who_rings_in_while_the_service_is_down_hears_music_and_is_served_when_it_is_back(line: Line) -> None:
    await line.settings(**steps())
    stage, agent, early, late = line.stage, await line.agent(), line.caller(), line.caller()
    waiting = await line.call(early)
    await waiting.hear(MUSIC)
    before = await stage.when(early.number, status="open")
    waiting.reset_gaps()
    async with service_down(stage):
        call = await line.call(late)
        await call.hear(MUSIC)
        await waiting.hear(MUSIC)
        assert await stage.sql.fetchval("SELECT count(*) FROM interactions WHERE queue = $1", line.queue) == 1
    it = await stage.when(late.number, within=10.0, status="open", subtype="inbound")
    assert (it["dialled_number"], it["position"]) == (line.dnis, 2)
    after = await stage.when(early.number, status="open", position=1)
    assert (after["id"], after["queued_at"]) == (before["id"], before["queued_at"])

    await agent.ready()
    first = await agent.phone.incoming()
    await talk_to_the_live(first, waiting, early)
    await talk_to_the_live(await agent.phone.incoming(), call, late)
    assert waiting.gaps.silence < 2 and call.gaps.silence < 2
