"""A phone that lost its power hangs up on nobody: its line is noticed by its silence, and only then (F43)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from demo.sip import policy
from demo.sip.carrier import Phone
from demo.sip.outgoing import OutgoingCall
from demo.stage import Stage, scratch_stage
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import AGENT, CUSTOMER, feed_of, hear_each_other, is_shown, offered, talk
from tests.calls.line import Line
from tests.calls.story import is_told, menu, steps

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT = 3.0
PATIENT: dict[str, Any] = {
    "offer": {"accept_timeout": 120, "answer_timeout": 120, "exclude": 120},
    "dial": {"ring_timeout": 120, "ready_to_call": 120},
}
QUIET = {**PATIENT, **steps(menu(after=120))}
"""Callers hear nothing but music."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    """One on which a line may be silent for three seconds."""
    limits = ("--trunk-silence", str(LIMIT), "--phone-silence", str(LIMIT))
    async with scratch_stage("dead", flags=limits) as stage:
        yield stage


async def beside(line: Line, settings: dict[str, Any]) -> Line:
    """Another queue of the same test."""
    other = Line(line.stage, f"{line.queue}-b", f"{line.dnis}5", line.n, 500)
    await other.settings(**settings)
    return other


async def dies(line: Line) -> None:
    """A caller comes and falls silent, and is found dead: meanwhile everybody else was silent for as long."""
    caller = line.caller()
    call = await line.call(caller)
    call.fall_silent()
    await call.ended(LIMIT + 5)
    closed = await line.stage.when(caller.number, status="closed", outcome="abandoned")
    told = await line.stage.feed(closed["id"])
    assert told[told.index("line_dead") :] == ["line_dead", "abandoned", "closed"]


async def waits(line: Line) -> tuple[Phone, OutgoingCall]:
    caller = line.caller()
    return caller, await line.call(caller)


async def test_whoever_sends_anything_at_all_or_is_on_hold_or_is_not_up_yet_lives(line: Line) -> None:
    """For twice the limit: phones that suppress silence hear the music, others hold, only listen, ring."""
    await line.settings(**QUIET)
    (reports, first), (noise, second), (holds, third), (listens, fourth) = [await waits(line) for _ in range(4)]
    first.fall_silent(reports=1)
    second.fall_silent(noise=1)
    await third.hold()
    third.fall_silent()
    await fourth.only_listen(reports=1)
    other = await beside(line, PATIENT)
    agent = await other.agent()
    ringing, _, _ = await offered(other, agent)  # its phone rings
    for _ in range(3):
        await dies(line)
    for caller in (reports, noise, holds, listens):
        assert (await line.stage.interaction(caller.number))["status"] == "open"
    assert [each.end for each in (first, second, third, fourth)] == [None] * 4
    assert (await line.stage.interaction(ringing.number))["status"] == "offered"

    for call in (first, second):
        call.fall_silent()  # not even that any more
    await asyncio.gather(*(call.ended(LIMIT + 5) for call in (first, second)))


async def test_a_customer_who_is_heard_before_answering_is_rung_on(line: Line) -> None:
    """Early media one way: nothing is expected of a phone that was not lifted."""
    await line.settings(**PATIENT)
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent, policy.progress())
    offer.answer()
    back = await customer.incoming()
    await line.stage.when(customer.number, stage="ringing")
    back.fall_silent()
    other = await beside(line, QUIET)
    for _ in range(2):
        await dies(other)
    assert back.end is None
    assert await feed_of(line, interaction, "line_dead") == []
    back.speak()
    back.answer()
    await hear_each_other(offer, back)


async def test_an_agent_who_holds_the_customer_may_be_silent(line: Line) -> None:
    await line.settings(**PATIENT)
    talking = await talk(line)
    await talking.offer.hold()
    talking.offer.fall_silent()
    other = await beside(line, QUIET)
    for _ in range(2):
        await dies(other)
    talking.offer.speak()
    await talking.offer.retrieve()
    await hear_each_other(talking.offer, talking.back)


async def test_a_caller_whose_agent_s_line_died_hears_music_and_is_offered_first(line: Line) -> None:
    await line.settings(**QUIET)
    caller, call = await waits(line)
    agent = await line.agent()
    await agent.ready()
    offer = await agent.phone.incoming()
    offer.answer()
    await hear_each_other(offer, call)  # type: ignore[arg-type]
    offer.fall_silent()
    await call.hear(TONES["music"], LIMIT + 5)
    waiting = await line.stage.when(caller.number, status="open", subtype="inbound", assigned_to=None)
    assert waiting["position"] == 1
    await is_shown(line, agent, "not_ready", "phone_unreachable")
    assert await feed_of(line, waiting["id"], "line_dead") == [{"role": "agent"}]

    another = await line.agent()
    await another.ready()
    taken = await another.phone.incoming()
    taken.answer()
    await asyncio.gather(taken.hear(CUSTOMER, 10), call.hear(AGENT, 10))


async def test_a_customer_whose_agent_s_line_died_hears_an_apology_and_is_called_again(line: Line) -> None:
    await line.settings(**PATIENT)
    talking = await talk(line)
    talking.offer.fall_silent()
    await talking.back.hear(TONES["apology"], LIMIT + 5)
    await talking.back.ended(10)
    waiting = await line.stage.when(talking.customer.number, status="open", subtype="callback", assigned_to=None)
    assert [each["outcome"] for each in waiting["attempts"]] == ["agent_lost"]
    await is_shown(line, talking.agent, "not_ready", "phone_unreachable")

    another = await line.agent()
    await another.ready()
    offer = await another.phone.incoming()
    offer.answer()
    again = await talking.customer.incoming()
    again.answer()
    await hear_each_other(offer, again)


async def test_a_talk_whose_both_ends_are_dead_frees_the_agent(line: Line) -> None:
    await line.settings(**PATIENT)
    talking = await talk(line)
    for call in (talking.offer, talking.back):
        call.fall_silent()
    await is_told(line, talking.id, "line_dead", LIMIT + 5)
    await line.stage.when(talking.customer.number, 10, status="open", assigned_to=None)
    await is_shown(line, talking.agent, "not_ready", "phone_unreachable")


async def test_a_customer_s_line_that_died_leaves_the_agent_with_the_work_after_the_call(line: Line) -> None:
    await line.settings(**PATIENT)
    talking = await talk(line)
    talking.back.fall_silent()
    await talking.offer.ended(LIMIT + 5)
    await line.stage.when(talking.customer.number, status="connected", stage="ready_to_call")
    await talking.agent.api.post(f"interactions/{talking.id}/done")
