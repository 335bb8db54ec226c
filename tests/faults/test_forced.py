"""F43: what a supervisor forces is done, though the service dies between storing it and telling Asterisk."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from demo.sip.call import Call, Ending
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import CUSTOMER, Talk, talk
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")

LATER = steps(menu(after=120))
WITHIN = 2.0
"""Seconds from the successor's being ready until every phone has noticed."""


async def forced_and_killed(rig: Rig, force: Awaitable[object]) -> None:
    """The decision is stored, nothing of it reaches Asterisk, and the service is killed; a successor takes over."""
    rig.ari.drop_up()
    await force
    dead = await rig.kill("service")
    await rig.ari.refuse()  # what is still on its way goes with it
    await rig.ari.heal()
    await rig.succeed(dead)
    await rig.gets_ready()


async def all_end(*calls: Call) -> float:
    """Seconds until Asterisk has hung up all of them."""
    began = time.monotonic()
    ends = await asyncio.gather(*(call.ended(WITHIN) for call in calls))
    assert {end.how for end in ends} <= {Ending.BYE_RECEIVED, Ending.CANCEL_RECEIVED}
    return time.monotonic() - began


async def call_ends(rig: Rig, line: AuditedLine, pair: Talk) -> float:
    """A callback's talk is ended."""
    await forced_and_killed(rig, rig.api.post(f"interactions/{pair.id}/end-call"))
    took = await all_end(pair.offer, pair.back)
    await line.stage.when(pair.customer.number, status="connected", stage="ready_to_call")
    return took


async def agent_is_freed(rig: Rig, line: AuditedLine, pair: Talk) -> float:
    """The customer hears the apology, from the restart on. The agent takes no more work: it could be this again."""
    await pair.agent.not_ready()
    await forced_and_killed(rig, rig.api.post(f"agents/{pair.agent.id}/release", {"reason": "gone home"}))
    took = await all_end(pair.offer)
    await pair.back.hear(TONES["apology"], WITHIN)
    await pair.back.ended(5)
    await line.stage.when(pair.customer.number, status="open")
    assert (await pair.agent.state())["interaction"] is None
    return took


@pytest.mark.parametrize("force", [call_ends, agent_is_freed])
async def test_f43_a_talk_is_ended_and_an_agent_freed_though_the_service_dies_before_asterisk_is_told(
    rig: Rig, line: AuditedLine, figures: Figures, force: Callable[[Rig, AuditedLine, Talk], Awaitable[float]]
) -> None:
    pair = await talk(line)

    took = await force(rig, line, pair)

    what = force.__name__.replace("_", " ")
    figures.note("F43", f"phones hung up after a kill behind the commit, {what}", took, unit="s", limit=WITHIN)
    assert len(pair.customer.invites) == 1


async def test_f43_a_caller_whose_agent_was_freed_hears_music_though_the_service_dies_before_asterisk_is_told(
    rig: Rig, line: AuditedLine, figures: Figures
) -> None:
    await line.settings(**LATER)
    agent, caller = await line.agent(), line.caller()
    call = await line.call(caller)
    await agent.ready()
    offer = await agent.phone.incoming()
    offer.answer()
    await offer.hear(CUSTOMER, 10)
    await line.stage.when(caller.number, stage="talking")

    await forced_and_killed(rig, rig.api.post(f"agents/{agent.id}/release", {"reason": "gone home"}))

    began = time.monotonic()
    await all_end(offer)
    await call.hear(TONES["music"], WITHIN)
    figures.note("F43", "music for a caller left in the bridge", time.monotonic() - began, unit="s", limit=WITHIN)
    it = await line.stage.when(caller.number, status="open")
    assert await rig.asked_of_asterisk("bridges") == []

    await forced_and_killed(rig, rig.api.post(f"interactions/{it['id']}/end-call"))

    await all_end(call)
    await line.stage.when(caller.number, status="closed", outcome="ended_by_operator")
