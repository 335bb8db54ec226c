"""A supervisor ends any call at any stage and frees any agent, dead phones or not: what the phones notice of it."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from demo.api import Api
from demo.sip.call import Ending
from demo.sip.carrier import Phone
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from routing.local.postgres.server import Postgres
from routing.local.system.home import Home
from routing.store.tokens import create_token
from tests.calls.desk import (
    AGENT,
    CUSTOMER,
    customer_with_callback,
    feed_of,
    hear_each_other,
    is_shown,
    offered,
    refused,
    talk,
)
from tests.calls.line import Line
from tests.calls.story import menu, steps, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

LATER = steps(menu(after=60))
"""Callers hear music for long."""
FREED_WITHIN = 1.0


@pytest_asyncio.fixture(loop_scope="session")
async def boss(line: Line) -> AsyncIterator[Api]:
    """A supervisor's requests."""
    dsn = Postgres(Home(line.stage.data_dir).postgres, Path()).dsn
    async with Api(line.stage.url, await create_token(dsn, "supervisor")) as api:
        yield api


async def stop(boss: Api, interaction: str) -> dict[str, Any]:
    return dict(await boss.post(f"interactions/{interaction}/end-call"))


async def release(boss: Api, agent: Worker) -> dict[str, Any]:
    return dict(await boss.post(f"agents/{agent.id}/release", {"reason": "gone home"}))


async def waits(line: Line) -> tuple[Phone, OutgoingCall, str]:
    caller = line.caller()
    call = await line.call(caller)
    return caller, call, (await line.stage.when(caller.number, status="open"))["id"]


async def call_talks(line: Line, agent: Worker) -> tuple[Phone, OutgoingCall, IncomingCall, str]:
    """A caller who kept waiting, and the agent."""
    caller, call, interaction = await waits(line)
    await agent.ready()
    offer = await agent.phone.incoming()
    offer.answer()
    await offer.hear(CUSTOMER, 10)
    await call.hear(AGENT, 10)
    await line.stage.when(caller.number, stage="talking")
    return caller, call, offer, interaction


async def by_the_supervisor(line: Line, interaction: str, event: str) -> list[dict[str, Any]]:
    """What the feed says of it, and that it says who did it."""
    lines = [each for each in await told(line, interaction) if each["event"] == event]
    assert {each["actor"] for each in lines} == {"operator:supervisor"}
    return [dict(each["data"]) for each in lines]


# Ending a call


@pytest.mark.parametrize("where", ["music", "menu"])
async def test_a_caller_who_waits_is_hung_up(line: Line, boss: Api, where: str) -> None:
    if where == "music":
        await line.settings(**LATER)
    caller = line.caller()
    call = await (line.call(caller) if where == "music" else line.in_menu(caller))
    it = await line.stage.interaction(caller.number)

    done = await stop(boss, it["id"])

    assert (done["status"], done["outcome"]) == ("closed", "ended_by_operator")
    assert (await call.ended(2)).how is Ending.BYE_RECEIVED
    assert await by_the_supervisor(line, it["id"], "call_ended") == [{"by": "operator"}]


async def test_a_caller_who_has_asked_to_be_called_back_is_hung_up_and_called_back(line: Line, boss: Api) -> None:
    caller, agent = line.caller(), await line.agent()
    call = await line.in_menu(caller)
    await call.dtmf("2")
    await call.hear(TONES["confirm-number"], 5)
    it = await line.stage.when(caller.number, stage="confirm")

    await stop(boss, it["id"])

    assert (await call.ended(2)).how is Ending.BYE_RECEIVED
    await line.stage.when(caller.number, status="open", subtype="callback")
    await agent.ready()
    (await agent.phone.incoming()).answer()
    (await caller.incoming()).answer()
    await line.stage.when(caller.number, stage="talking")


async def test_a_call_that_is_offered_stops_at_both_phones(line: Line, boss: Api) -> None:
    await line.settings(**LATER)
    agent = await line.agent()
    caller, call, interaction = await waits(line)
    await agent.ready()
    offer = await agent.phone.incoming()
    await offer.ringing()

    done = await stop(boss, interaction)

    assert (done["status"], done["outcome"]) == ("closed", "ended_by_operator")
    assert (await offer.ended(2)).how is Ending.CANCEL_RECEIVED
    assert (await call.ended(2)).how is Ending.BYE_RECEIVED
    await is_shown(line, agent, "ready")
    assert caller.invites == []


async def test_a_callback_that_is_offered_goes_back_to_the_line(line: Line, boss: Api) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)

    done = await stop(boss, interaction)

    assert (done["status"], done["assigned_to"]) == ("open", None)
    assert (await offer.ended(2)).how is Ending.CANCEL_RECEIVED
    assert await by_the_supervisor(line, interaction, "offer_withdrawn") == [
        {"agent": agent.id, "reason": "call_ended"}
    ]
    assert customer.invites == []


async def test_a_customers_phone_that_rings_stops_and_so_does_the_agents_call(line: Line, boss: Api) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    offer.answer()
    back = await customer.incoming()
    await line.stage.when(customer.number, stage="ringing")

    done = await stop(boss, interaction)

    assert (done["status"], done["stage"]) == ("connected", "ready_to_call")
    assert (await back.ended(2)).how is Ending.CANCEL_RECEIVED
    assert (await offer.ended(2)).how is Ending.BYE_RECEIVED
    assert await by_the_supervisor(line, interaction, "call_ended") == [{"by": "operator"}]


async def test_a_talk_ends_on_both_sides_whoever_called_and_once_more_changes_nothing(line: Line, boss: Api) -> None:
    await line.settings(wrap_up={"seconds": 30})
    callback = await talk(line)
    agent = await line.agent()
    await line.settings(wrap_up={"seconds": 30}, **LATER)
    caller, call, offer, interaction = await call_talks(line, agent)

    assert (await stop(boss, callback.id))["stage"] == "ready_to_call"
    assert (await stop(boss, interaction))["status"] == "wrap_up"

    for each in (callback.back, callback.offer, call, offer):
        assert (await each.ended(2)).how is Ending.BYE_RECEIVED
    before = await line.stage.feed(interaction)
    assert (await stop(boss, interaction))["status"] == "wrap_up"
    assert (await stop(boss, callback.id))["stage"] == "ready_to_call"
    assert await line.stage.feed(interaction) == before
    assert caller.invites == [] and len(callback.customer.invites) == 1


# Freeing an agent


async def test_an_agent_is_freed_of_an_offer_which_goes_to_the_next(line: Line, boss: Api) -> None:
    first, second = await line.agent(), await line.agent()
    customer, interaction, offer = await offered(line, first)
    await second.ready()

    freed = await release(boss, first)

    assert (freed["state"], freed["interaction"]) == ("ready", None)
    assert (await offer.ended(2)).how is Ending.CANCEL_RECEIVED
    taken = await second.phone.incoming()
    taken.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(taken, back)
    assert await by_the_supervisor(line, interaction, "agent_released") == [
        {"agent": first.id, "reason": "gone home"}
    ]


async def test_a_caller_whose_agent_is_freed_hears_music_and_talks_with_the_next(line: Line, boss: Api) -> None:
    await line.settings(**LATER)
    first, second = await line.agent(), await line.agent()
    caller, call, offer, _ = await call_talks(line, first)

    freed = await release(boss, first)

    assert freed["interaction"] is None
    assert (await offer.ended(2)).how is Ending.BYE_RECEIVED
    await call.hear(TONES["music"], 3)
    await second.ready()
    taken = await second.phone.incoming()
    taken.answer()
    await taken.hear(CUSTOMER, 10)
    await call.hear(AGENT, 10)
    assert caller.invites == []
    await call.hangup()


async def test_a_customer_whose_agent_is_freed_hears_an_apology_and_is_called_by_the_next(
    line: Line, boss: Api
) -> None:
    first, second = await line.agent(), await line.agent()
    pair = await talk(line, first)

    freed = await release(boss, first)

    assert freed["interaction"] is None
    assert (await pair.offer.ended(2)).how is Ending.BYE_RECEIVED
    await pair.back.hear(TONES["apology"], 3)
    assert (await pair.back.ended(5)).how is Ending.BYE_RECEIVED
    it = await line.stage.when(pair.customer.number, status="open")
    assert [each["outcome"] for each in it["attempts"]] == ["agent_lost"]
    await second.ready()
    (await second.phone.incoming()).answer()
    again = await pair.customer.incoming()
    again.answer()
    await again.hear(AGENT, 10)
    await again.hangup()


async def test_while_the_customers_phone_rings_it_stops_and_the_callback_is_next_in_line(
    line: Line, boss: Api
) -> None:
    agent = await line.agent()
    customer, _, offer = await offered(line, agent)
    offer.answer()
    back = await customer.incoming()
    await line.stage.when(customer.number, stage="ringing")

    await release(boss, agent)

    assert (await back.ended(2)).how is Ending.CANCEL_RECEIVED
    assert (await offer.ended(2)).how is Ending.BYE_RECEIVED
    it = await line.stage.when(customer.number, status="open")
    assert (it["position"], [each["outcome"] for each in it["attempts"]]) == (1, ["agent_lost"])


@pytest.mark.parametrize("work", ["ready_to_call", "wrap_up"])
async def test_work_after_a_talk_is_closed_and_the_agent_is_asked_again(line: Line, boss: Api, work: str) -> None:
    await line.settings(wrap_up={"seconds": 60})
    pair = await talk(line)
    await pair.back.hangup()
    await line.stage.when(pair.customer.number, stage="ready_to_call")
    if work == "wrap_up":
        await pair.agent.api.post(f"interactions/{pair.id}/done")
        await is_shown(line, pair.agent, "wrap_up")

    freed = await release(boss, pair.agent)
    again = await release(boss, pair.agent)

    assert (freed["state"], again["state"]) == ("ready", "ready")
    closed = await line.stage.when(pair.customer.number, status="closed", outcome="handled")
    assert closed["disposition"] == "none"
    assert len(await feed_of(line, pair.id, "agent_released")) == 1
    other, _ = await customer_with_callback(line)
    assert (await pair.agent.phone.incoming()).from_user == other.number


# Phones that do not answer


@pytest.mark.parametrize("how", ["end the call", "free the agent"])
async def test_of_a_talk_whose_both_ends_are_dead_everybody_is_free_within_a_second(
    line: Line, boss: Api, how: str
) -> None:
    await line.settings(dial={"ready_to_call": 0.3})
    pair = await talk(line)
    pair.agent.phone.unplug()
    pair.back.drop()

    asked = time.monotonic()
    if how == "end the call":
        assert (await stop(boss, pair.id))["stage"] == "ready_to_call"
        await line.stage.when(pair.customer.number, status="closed", outcome="handled")
    else:
        assert (await release(boss, pair.agent))["interaction"] is None
    assert (await pair.agent.state())["interaction"] is None
    assert time.monotonic() - asked < FREED_WITHIN


async def test_an_agent_whose_phone_is_gone_is_freed_of_an_offer_that_would_ring_for_long(
    line: Line, boss: Api
) -> None:
    await line.settings(offer={"accept_timeout": 60, "answer_timeout": 60})
    agent = await line.agent()
    customer, _, _ = await offered(line, agent)
    agent.phone.unplug()

    asked = time.monotonic()
    freed = await release(boss, agent)

    assert (freed["interaction"], time.monotonic() - asked < FREED_WITHIN) == (None, True)
    await line.stage.when(customer.number, status="open")


# Who may not


async def test_agents_force_nothing_and_nobody(line: Line) -> None:
    pair, other = await talk(line), await line.agent()

    assert await refused(other.api.post(f"interactions/{pair.id}/end-call")) == (403, "forbidden")
    for agent in (other, pair.agent):
        asked = agent.api.post(f"agents/{pair.agent.id}/release", {"reason": "let me go"})
        assert await refused(asked) == (403, "forbidden")
    await hear_each_other(pair.offer, pair.back)
    await pair.back.hangup()
