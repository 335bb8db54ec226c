"""F9, F10: Asterisk is killed, or told to restart gracefully, with people at every point of the path."""

import asyncio
import time
from collections.abc import Callable

import pytest

from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.story import is_promised
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig
from tests.faults.scenes import Scene, asterisk_cli, events_of, everywhere, in_menu, is_noticed

pytestmark = pytest.mark.asyncio(loop_scope="session")

_LOST = """
SELECT count(*) FROM unnest($1::text[]) AS caller(number)
 WHERE NOT EXISTS (SELECT FROM interactions i WHERE i.number = caller.number
                      AND (i.status <> 'closed' OR i.outcome IN ('error', 'handled')))
    OR EXISTS (SELECT FROM interactions i WHERE i.number = caller.number AND i.outcome LIKE '%abandon%')
"""
_BLAMED = "SELECT count(*) FROM agents WHERE id = ANY($1) AND reason IN ('rona', 'phone_unreachable')"


async def test_f9_asterisk_is_killed_and_everybody_ends_where_they_should(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    for n in repeats(1, 8):
        scene = await everywhere(line, n, callback={"initial_delay": 0, "on_hangup": "abandon"})
        await rig.kill("asterisk")
        figures.note("F9", "Asterisk killed: noticed", await is_noticed(rig, "ari"), unit="s", limit=1)
        scene.drop()
        began = time.monotonic()
        await rig.start_asterisk()
        figures.note("F9", "contact again, from the new start", await _ready(rig, began), unit="s", limit=5)
        await _phones_there(rig, scene.agents)
        figures.note("F9", "phones reachable again", time.monotonic() - began, unit="s", limit=5)
        await _callers_are_accounted_for(line, scene)
        rung = await _agents_go_on(line, scene)
        figures.note("F9", "an agent rung again", rung - began, unit="s", limit=5)
        lost = await rig.sql.fetchval(_LOST, [each.number for each in scene.customers])
        figures.note("F9", "callers unaccounted for, or counted as abandoned", lost, limit=0)
        stuck = await line.auditor.busy([scene.inbound[0].id])
        figures.note("F9", "agents stuck with a call that is over", len(stuck), limit=0)
        figures.note("F9", "agents made Not Ready by Asterisk's end", await _blamed(rig, scene.agents), limit=0)
        await line.auditor.end_all_calls()


async def _blamed(rig: Rig, agents: list[Worker]) -> int:
    return int(await rig.sql.fetchval(_BLAMED, [each.id for each in agents]))


async def _ready(rig: Rig, began: float) -> float:
    await rig.gets_ready()
    return time.monotonic() - began


async def _phones_there(rig: Rig, agents: list[Worker]) -> None:
    """The phones do nothing for it: Asterisk has kept their addresses and asks them. What the service believed
    before Asterisk's list came counts for nothing."""
    await asyncio.sleep(0.3)

    async def there() -> bool:
        return all([(await each.state())["phone"] != "unreachable" for each in agents])

    await rig.until(there, "all phones are reachable", 15)


async def _callers_are_accounted_for(line: AuditedLine, scene: Scene) -> None:
    """Who waited was lost by us; who had asked for a callback has one, whatever a hang-up would have meant."""
    when = line.stage.when
    for lost in (scene.in_menu, scene.waiting):
        await when(lost.number, status="closed", outcome="error")
        assert "caller_lost" in await events_of(line, lost.number)
    kept = await when(scene.confirming.number, status="open", subtype="callback")
    assert await is_promised(line, kept["id"])
    talked = await when(scene.talking.customer.number, status="connected", stage="ready_to_call")
    assert [each["outcome"] for each in talked["attempts"]] == ["answered"]
    await when(scene.inbound[1].number, status="closed", outcome="handled")
    for agent, customer in (scene.offered, scene.ringing):
        it = await when(customer.number, subtype="callback")
        assert it["status"] in ("open", "offered"), agent.id
    assert "agent_leg_lost" in await events_of(line, scene.offered[1].number)
    cut_off = (await line.stage.interaction(scene.ringing[1].number))["attempts"]
    assert [each["outcome"] for each in cut_off] == ["error"], "not the customer's doing"


async def _agents_go_on(line: AuditedLine, scene: Scene) -> float:
    """Nobody was made Not Ready by it, and what was under way comes about. When the first phone rang again."""
    agent, customer = scene.offered
    again = await agent.phone.incoming(10)
    again.answer()
    back = await customer.incoming()
    back.answer()
    await line.stage.when(customer.number, stage="talking")
    states = {each.id: await each.state() for each in scene.agents}
    agent, customer = scene.ringing
    assert states[agent.id]["state"] == "not_ready", "as before: it was picked up from the list"
    await agent.ready()
    (await agent.phone.incoming()).answer()
    (await customer.incoming()).answer()
    await line.stage.when(customer.number, stage="talking")
    return again.invited_at


async def test_f9_asterisk_stays_away_and_nobody_is_blamed(rig: Rig, line: AuditedLine, figures: Figures) -> None:
    """Callbacks wait, agents are ready: without Asterisk nothing is offered, and no agent becomes Not Ready."""
    agent = await line.agent()
    customer = line.caller()
    it = await line.callback(customer)
    await rig.kill("asterisk")
    await agent.ready()
    await is_noticed(rig, "ari")
    events = await rig.feed(it["id"])
    await asyncio.sleep(2)
    assert await rig.feed(it["id"]) == events, "no offer was made and taken back"
    assert (await agent.state())["state"] == "ready"
    figures.note("F9", "agents made Not Ready by Asterisk's absence", await _blamed(rig, [agent]), limit=0)
    await rig.start_asterisk()
    await agent.phone.incoming(10)


async def test_f10_asterisk_restarts_gracefully_and_no_call_ends_before_its_time(
    rig: Rig, line: AuditedLine, figures: Figures
) -> None:
    """One node: new calls are refused until the last one has ended, then it is there again."""
    _, call = await in_menu(line)
    stopping = asyncio.create_task(asterisk_cli(rig, "core stop gracefully"))
    async with asyncio.timeout(5):
        while (status := await _tries_to_call(line)) == 200:
            pass
    assert (status, call.end) == (503, None), "who is there stays, nobody else comes in"
    await call.hear_any({TONES["music"], TONES["menu-offer"]})
    figures.note("F10", "calls ended by it", float(call.end is not None), limit=0)
    await call.hangup()
    began = time.monotonic()
    await rig.parts.running.pop("asterisk").wait()
    await stopping
    await rig.start_asterisk()
    await rig.gets_ready()
    figures.note("F10", "Asterisk away, from the last call's end", time.monotonic() - began, unit="s", limit=5)
    await (await line.in_menu(line.caller())).hangup()


async def _tries_to_call(line: AuditedLine) -> int:
    call = await line.caller().call(line.dnis)
    status = await call.final()
    await call.hangup()
    return status
