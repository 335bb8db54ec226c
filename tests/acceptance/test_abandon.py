"""Callers who hang up without having asked for anything: closed, and nothing is left behind."""

import asyncio
from typing import Any

import pytest

from demo.sip.call import Ending
from routing.local.asterisk.prompts import TONES
from tests.calls.line import Line
from tests.calls.story import menu, steps, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

MENU, MUSIC, THANKS = TONES["menu-offer"], TONES["music"], TONES["thank-you"]


async def _waited(line: Line, it: dict[str, Any]) -> float:
    (waited,) = [each["data"]["waited"] for each in await told(line, it["id"]) if each["event"] == "abandoned"]
    return float(waited)


async def _nothing_is_left(line: Line) -> None:
    """Neither on the Home List, nor a channel, nor a deadline."""
    assert not (await line.stage.api.get("interactions", queue=line.queue))["items"]
    left = await line.stage.sql.fetchval(
        "SELECT count(*) FROM interactions i LEFT JOIN legs l ON l.interaction = i.id AND l.ended_at IS NULL"
        " WHERE i.queue = $1 AND (i.wake_at IS NOT NULL OR l.id IS NOT NULL)",
        line.queue,
    )
    assert left == 0


@pytest.mark.quick
async def test_gone_before_the_limit_is_a_short_abandon(line: Line) -> None:
    await line.settings(**steps(menu(30)), abandon={"short": 2.0})
    caller = line.caller()
    call = await line.call(caller)
    await call.hear(MUSIC)
    await call.hangup()
    it = await line.stage.when(caller.number, within=1.0, status="closed", outcome="short_abandon", subtype="inbound")
    assert await _waited(line, it) < 2.0
    await _nothing_is_left(line)


async def test_gone_after_the_limit_is_an_abandon(line: Line) -> None:
    await line.settings(**steps({"after": 0.6, "announce": ["thank-you"]}), abandon={"short": 0.5})
    caller = line.caller()
    call = await line.call(caller)
    await call.hear(THANKS)
    await call.hear(MUSIC)
    await line.stage.when(caller.number, status="open", stage=None)
    await call.hangup()
    it = await line.stage.when(caller.number, within=1.0, status="closed", outcome="abandoned", subtype="inbound")
    assert await _waited(line, it) > 0.5
    await _nothing_is_left(line)


@pytest.mark.parametrize(("short", "outcome"), [(0.1, "abandoned"), (10, "short_abandon")])
async def test_gone_in_the_menu_is_told_apart_by_the_same_limit(line: Line, short: float, outcome: str) -> None:
    await line.settings(**steps(menu(0.2)), abandon={"short": short})
    caller = line.caller()
    call = await line.in_menu(caller)
    await line.stage.when(caller.number, status="bot", stage="menu")
    await call.hangup()
    await line.stage.when(caller.number, within=1.0, status="closed", outcome=outcome, subtype="inbound")
    await _nothing_is_left(line)


async def test_gone_during_an_announcement(line: Line) -> None:
    await line.settings(**steps({"after": 0.2, "announce": ["thank-you"] * 5}), abandon={"short": 0.1})
    caller = line.caller()
    call = await line.call(caller)
    await call.hear(THANKS)
    await call.hangup()
    await line.stage.when(caller.number, within=1.0, status="closed", outcome="abandoned")
    await _nothing_is_left(line)


@pytest.mark.parametrize("accepted", [False, True])
async def test_gone_while_the_agents_phone_rings(line: Line, *, accepted: bool) -> None:
    await line.settings(**steps(menu(30)), abandon={"short": 0})
    agent, caller = await line.agent(), line.caller()
    await agent.ready()
    call = await line.call(caller)
    offer = await agent.phone.incoming()
    it = await line.stage.when(caller.number, status="offered")
    if accepted:
        await agent.api.post(f"interactions/{it['id']}/accept")
    await call.hangup()
    assert (await offer.ended(1)).how is Ending.CANCEL_RECEIVED
    closed = await line.stage.when(caller.number, status="closed", outcome="abandoned")
    assert closed["id"] == it["id"] and not closed["attempts"]
    state = await agent.state()
    assert (state["state"], state["interaction"]) == ("ready", None)
    await _nothing_is_left(line)


async def test_callers_who_hang_up_the_moment_they_dial_leave_nothing_open(line: Line) -> None:
    callers = [line.caller() for _ in range(8)]
    calls = [await each.call(line.dnis) for each in callers]
    for call in calls:
        call.cancel()
    await asyncio.gather(*(call.ended() for call in calls))
    later = line.caller()
    call = await line.call(later)  # its row comes after all of theirs
    it = await line.stage.when(later.number, status="open")

    async def alone() -> bool:
        items = (await line.stage.api.get("interactions", queue=line.queue))["items"]
        return [each["id"] for each in items] == [it["id"]]

    await line.stage.until(alone, "only the last caller is in the line")
    await call.hangup()
    await line.stage.when(later.number, status="closed")


async def test_who_hangs_up_while_a_prompt_is_played_leaves_no_prompt_that_failed(line: Line) -> None:
    """Somebody is called out to mend a recording only when there is something to mend."""
    before = line.stage.log.stat().st_size
    caller = line.caller()
    call = await line.in_menu(caller)
    await call.hangup()
    await line.stage.when(caller.number, status="closed")
    with line.stage.log.open() as log:
        log.seek(before)
        assert "prompt not played" not in log.read()
