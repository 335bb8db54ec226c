"""Pick-up from the Home List: only what is open, by one agent only, and the customer is dialled at once."""

import asyncio
from collections import Counter

import pytest

from demo.sip import policy
from tests.calls.desk import (
    AGENT,
    CUSTOMER,
    callbacks,
    customer_with_callback,
    hear_each_other,
    is_shown,
    refused,
    status_of,
    talk,
)
from tests.calls.line import Line

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_of_twenty_agents_who_pick_up_at_once_one_gets_it(line: Line) -> None:
    await line.settings(offer={"answer_timeout": 10}, dial={"ring_timeout": 10})
    agents = await asyncio.gather(*(line.agent() for _ in range(20)))
    customer, interaction = await customer_with_callback(line)
    answers = await asyncio.gather(
        *(status_of(each.api.post(f"interactions/{interaction}/pickup")) for each in agents)
    )
    assert Counter(answers) == {(200, None): 1, (409, "not_open"): 19}
    winner = agents[answers.index((200, None))]
    offer = await winner.phone.incoming()
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    it = await line.stage.when(customer.number, stage="talking", assigned_to=winner.id)
    assert len(it["attempts"]) == 1
    assert [each.id for each in agents if each.phone.invites] == [winner.id]
    assert len(winner.phone.invites) == len(customer.invites) == 1
    await back.hangup()


async def test_an_agent_who_picks_up_two_at_once_gets_one_of_them(line: Line) -> None:
    agent = await line.agent()
    customers = [line.caller() for _ in range(2)]
    ids = await callbacks(line, *customers)
    answers = await asyncio.gather(*(status_of(agent.api.post(f"interactions/{each}/pickup")) for each in ids))
    assert Counter(answers) == {(200, None): 1, (409, "agent_busy"): 1}
    taken, left = customers if answers[0][0] == 200 else reversed(customers)
    offer = await agent.phone.incoming()
    offer.answer()
    await taken.incoming()
    await line.stage.when(left.number, status="open", assigned_to=None)
    assert not left.invites and len(agent.phone.invites) == 1


async def test_what_stands_against_a_pick_up_is_told_in_a_fixed_order(line: Line) -> None:
    """forbidden, not_open, agent_busy, phone_unreachable: each agent lacks everything that comes later too."""
    other = Line(line.stage, f"{line.queue}-b", f"8{line.n:03}", line.n, people=500)
    await other.settings()
    at_work = await talk(line)
    customer, interaction = await customer_with_callback(line)
    phoneless = await line.agent(register=False)
    stranger = await other.agent(register=False)

    def pick_up(worker_api: str, it: str) -> str:
        return f"interactions/{it}/{worker_api}"

    taken, is_open = pick_up("pickup", at_work.id), pick_up("pickup", interaction)
    assert await refused(stranger.api.post(taken)) == (403, "forbidden")
    assert await refused(stranger.api.post(is_open)) == (403, "forbidden")
    assert await refused(line.stage.api.post(is_open)) == (403, "forbidden"), "an administrator is no agent"
    assert await refused(phoneless.api.post(taken)) == (409, "not_open")
    assert await refused(at_work.agent.api.post(taken)) == (409, "not_open")
    assert await refused(at_work.agent.api.post(is_open)) == (409, "agent_busy")
    await at_work.agent.phone.unregister()
    assert await refused(at_work.agent.api.post(is_open)) == (409, "agent_busy")
    assert await refused(phoneless.api.post(is_open)) == (409, "phone_unreachable")
    assert (await line.stage.interaction(customer.number))["status"] == "open" and not customer.invites
    assert not phoneless.phone.invites and not stranger.phone.invites
    assert at_work.back.end is None, "a registration that ends ends no call"
    await at_work.back.hangup()


async def test_who_is_in_the_menu_cannot_be_picked_up(line: Line) -> None:
    agent, caller = await line.agent(), line.caller()
    call = await line.in_menu(caller)
    it = await line.stage.when(caller.number, status="bot")
    assert await refused(agent.api.post(f"interactions/{it['id']}/pickup")) == (409, "not_open")
    assert call.end is None and not agent.phone.invites
    await call.hangup()


async def test_a_live_caller_who_is_picked_up_talks_when_the_agent_lifts(line: Line) -> None:
    agent, caller = await line.agent(), line.caller()
    call = await line.in_menu(caller)
    await call.dtmf("1")
    it = await line.stage.when(caller.number, status="open")
    await agent.api.post(f"interactions/{it['id']}/pickup")
    offer = await agent.phone.incoming()
    await line.stage.when(caller.number, status="connected", stage="agent_ringing", assigned_to=agent.id)
    offer.answer()
    await asyncio.gather(offer.hear(CUSTOMER), call.hear(AGENT))
    await call.hangup()
    await line.stage.when(caller.number, status="closed", outcome="handled")
    assert not caller.invites


@pytest.mark.quick
async def test_a_pick_up_assigns_connects_and_dials_at_once(line: Line) -> None:
    """The agent is not Ready, and stays so: a pick-up is the agent's own wish."""
    await line.settings(dial={"order": "on_alert"})
    agent = await line.agent()
    customer, interaction = await customer_with_callback(line, policy.answer(after=0.5))
    taken = await agent.api.post(f"interactions/{interaction}/pickup")
    assert (taken["status"], taken["assigned_to"]) == ("connected", agent.id)
    offer = await agent.phone.incoming()
    rang = await offer.ringing()
    back = await customer.incoming()
    assert back.invited_at - rang < 0.3
    offer.answer()
    await hear_each_other(offer, back)
    await offer.hangup()
    await line.stage.when(customer.number, stage="ready_to_call")
    await agent.api.post(f"interactions/{interaction}/done")
    await line.stage.when(customer.number, status="closed", outcome="handled")
    await is_shown(line, agent, "not_ready", "login")
