"""Offers: who gets them, what becomes of those that nobody takes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from demo.sip import policy
from demo.sip.call import Ending
from demo.stage import Worker
from tests.calls.desk import (
    callbacks,
    customer_with_callback,
    feed_of,
    hear_each_other,
    is_shown,
    offered,
    refused,
)
from tests.calls.line import Line
from tests.calls.story import menu, steps

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def _messages(worker: Worker) -> AsyncIterator[Callable[[str], Awaitable[dict[str, Any]]]]:
    """What the agent's page is told from now on: ask for the next message of a type."""
    async with worker.api.stream() as socket:
        assert (await socket.receive_json())["type"] == "hello"

        async def next_one(kind: str) -> dict[str, Any]:
            async with asyncio.timeout(3):
                while (told := await socket.receive_json())["type"] != kind:
                    pass
            return dict(told)

        yield next_one


async def test_an_offer_is_a_preview_and_a_ringing_phone(line: Line) -> None:
    agent = await line.agent()
    async with _messages(agent) as told:
        customer, interaction, offer = await offered(line, agent)
        preview = await told("offer")
        assert preview["agent"] == agent.id and preview["deadline"] and preview["waited"] >= 0
        assert (preview["accept_mode"], preview["countdown"], preview["reject_allowed"]) == ("manual", None, True)
        shown = preview["interaction"]
        assert (shown["id"], shown["number"], shown["queue"]) == (interaction, customer.number, line.queue)
        assert (shown["subtype"], shown["attempts"]) == ("callback", [])
        assert offer.from_user == customer.number, "the phone shows who is to be called"
        assert (await agent.state())["state"] == "offered"

        await agent.api.post(f"interactions/{interaction}/reject")
        gone = await told("offer_withdrawn")
        assert (gone["interaction"]["id"], gone["reason"]) == (interaction, "rejected")
        await offer.ended()


async def test_an_agent_who_ignores_an_offer_is_not_ready_and_the_next_one_gets_it(line: Line) -> None:
    await line.settings(offer={"accept_timeout": 1.0})
    first, second = await line.agent(), await line.agent()
    customer, interaction, ignored = await offered(line, first)
    before = await line.stage.interaction(customer.number)
    await second.ready()
    offer = await second.phone.incoming(3)
    assert (await ignored.ended()).how is Ending.CANCEL_RECEIVED
    await is_shown(line, first, "not_ready", "rona")
    it = await line.stage.when(customer.number, status="offered", assigned_to=second.id)
    assert it["queued_at"] == before["queued_at"] and not it["attempts"] and not customer.invites
    assert await feed_of(line, interaction, "rona") == [{"agent": first.id}]
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    assert len(first.phone.invites) == len(second.phone.invites) == len(customer.invites) == 1
    await back.hangup()


@pytest.mark.quick
@pytest.mark.parametrize("way", ["page", 486, 603])
async def test_a_rejected_offer_keeps_its_place_and_goes_to_somebody_else(line: Line, way: str | int) -> None:
    await line.settings(offer={"exclude": 30})
    first, second = await line.agent(), await line.agent()
    early, late = line.caller(), line.caller()
    (interaction,) = await callbacks(line, early)
    await callbacks(line, late)
    before = await line.stage.interaction(early.number)
    await first.ready()
    offer = await first.phone.incoming()
    assert offer.from_user == early.number
    await line.stage.when(early.number, status="offered")
    if isinstance(way, int):
        offer.reject(way)
    else:
        await first.api.post(f"interactions/{interaction}/reject")
        assert (await offer.ended()).how is Ending.CANCEL_RECEIVED
    reopened = await line.stage.when(early.number, status="open", position=1)
    assert (reopened["queued_at"], reopened["assigned_to"]) == (before["queued_at"], None)

    other = await first.phone.incoming(3)
    assert other.from_user == late.number, "who rejects is not offered the same again"
    await second.ready()
    assert (await second.phone.incoming(3)).from_user == early.number
    assert (await first.state())["state"] == "offered", "rejecting makes nobody Not Ready"
    assert not early.invites and not late.invites


async def test_where_nobody_may_reject_the_offer_stands(line: Line) -> None:
    await line.settings(offer={"reject_allowed": False})
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    assert await refused(agent.api.post(f"interactions/{interaction}/reject")) == (403, "forbidden")
    await line.stage.when(customer.number, status="offered", assigned_to=agent.id)
    assert offer.end is None


async def test_only_the_offered_agent_may_accept_or_reject(line: Line) -> None:
    agent, other = await line.agent(), await line.agent()
    _, interaction, offer = await offered(line, agent)
    for verb in ("accept", "reject"):
        assert await refused(other.api.post(f"interactions/{interaction}/{verb}")) == (409, "not_offered")
    assert offer.end is None


async def test_nobody_is_ready_without_a_phone(line: Line) -> None:
    agent = await line.agent(register=False)
    assert await refused(agent.ready()) == (409, "phone_unreachable")
    assert (await agent.state())["state"] == "not_ready"


async def test_an_agent_whose_phone_is_gone_is_never_offered_and_nobody_is_dialled(line: Line) -> None:
    away, here = await line.agent(), await line.agent()
    await away.ready()
    await away.phone.unregister()
    await is_shown(line, away, "not_ready", "phone_unreachable")
    customer, _ = await customer_with_callback(line)
    await here.ready()
    offer = await here.phone.incoming()
    await line.stage.when(customer.number, status="offered", assigned_to=here.id)
    await here.api.put(f"agents/{here.id}/state", {"state": "not_ready", "reason": "break"})
    await offer.ended()
    await line.stage.when(customer.number, status="open")
    assert not away.phone.invites and not customer.invites

    await away.phone.register()
    await is_shown(line, away, "offered")
    assert (await away.phone.incoming()).from_user == customer.number


@pytest.mark.parametrize("how", ["logged_out", "not_ready", "phone_lost"])
async def test_an_offer_to_an_agent_who_leaves_goes_back_to_its_place(line: Line, how: str) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    before = await line.stage.interaction(customer.number)
    if how == "phone_lost":
        await agent.phone.unregister()
    elif how == "logged_out":
        await agent.api.put(f"agents/{agent.id}/state", {"state": "logged_out"})
    else:
        await agent.not_ready()
    it = await line.stage.when(customer.number, status="open", assigned_to=None)
    assert (await offer.ended()).how is Ending.CANCEL_RECEIVED
    assert it["queued_at"] == before["queued_at"] and not customer.invites
    assert await feed_of(line, interaction, "offer_withdrawn")
    expected = {"logged_out": None, "not_ready": "break", "phone_lost": "phone_unreachable"}[how]
    await is_shown(line, agent, "logged_out" if how == "logged_out" else "not_ready", expected)


async def test_a_logout_withdraws_the_offer_too(line: Line) -> None:
    agent = await line.agent()
    customer, _, offer = await offered(line, agent)
    await agent.api.post("logout")
    await line.stage.when(customer.number, status="open", assigned_to=None)
    await offer.ended()
    assert (await line.stage.api.get(f"agents/{agent.id}"))["state"] == "logged_out"


async def test_who_has_been_idle_longest_is_asked_first(line: Line) -> None:
    await line.settings(offer={"accept_timeout": 20})
    agents = [await line.agent() for _ in range(3)]
    for each in (agents[1], agents[2], agents[0]):
        await each.ready()
    customers = [line.caller() for _ in range(3)]
    for customer, expected in zip(customers, (agents[1], agents[2], agents[0]), strict=True):
        await line.call(customer)
        assert (await expected.phone.incoming(2)).from_user == customer.number


async def test_agents_of_a_lower_penalty_are_asked_first(line: Line) -> None:
    await line.settings(offer={"accept_timeout": 20})
    idle, preferred = await line.agent(), await line.agent()
    for each, penalty in ((idle, 5), (preferred, 1)):
        await line.stage.api.put(f"agents/{each.id}", {"queues": [{"queue": line.queue, "penalty": penalty}]})
    await idle.ready()
    await preferred.ready()
    first, second = line.caller(), line.caller()
    await line.call(first)
    assert (await preferred.phone.incoming(2)).from_user == first.number
    await line.call(second)
    assert (await idle.phone.incoming(2)).from_user == second.number


async def test_an_agent_has_one_thing_to_do_at_a_time_even_in_two_queues(line: Line) -> None:
    other = Line(line.stage, f"{line.queue}-b", f"8{line.n:03}", line.n, people=500)
    await line.settings(offer={"accept_timeout": 10}, wrap_up={"seconds": 0.4})
    await other.settings(offer={"accept_timeout": 10})
    agent = await line.agent()
    both = {"queues": [{"queue": line.queue}, {"queue": other.queue}]}
    await line.stage.api.put(f"agents/{agent.id}", both)
    first, second = line.caller(policy.answer()), other.caller()
    (interaction,) = await callbacks(line, first)
    await callbacks(other, second)
    await agent.ready()
    offer = await agent.phone.incoming()
    assert offer.from_user == first.number
    offer.answer()
    back = await first.incoming()
    await hear_each_other(offer, back)
    await offer.hangup()
    await line.stage.when(first.number, stage="ready_to_call")
    await agent.api.post(f"interactions/{interaction}/done")
    await line.stage.when(first.number, status="wrap_up")
    assert len(agent.phone.invites) == 1 and (await line.stage.interaction(second.number))["status"] == "open"
    await line.stage.when(first.number, status="closed")
    assert (await agent.phone.incoming(2)).from_user == second.number


async def test_the_first_in_line_is_offered_first_whoever_is_live(line: Line) -> None:
    await line.settings(**steps(menu()), offer={"accept_timeout": 20})
    earlier, later = line.caller(), line.caller()
    await callbacks(line, earlier)
    call = await line.in_menu(later)
    await call.dtmf("1")
    await line.stage.when(later.number, status="open")
    first, second = await line.agent(), await line.agent()
    await first.ready()
    assert (await first.phone.incoming(2)).from_user == earlier.number
    await second.ready()
    assert (await second.phone.incoming(2)).from_user == later.number
    await call.hangup()
