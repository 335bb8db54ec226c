"""Accepting: by phone, by the page, by both, by itself; and who rings first."""

import asyncio

import pytest

from demo.sip import policy
from demo.sip.call import Ending
from demo.sip.errors import SipTimeout
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import (
    RING_TONE,
    callbacks,
    customer_with_callback,
    feed_of,
    hear_each_other,
    is_shown,
    offered,
    status_of,
)
from tests.calls.line import Line

pytestmark = pytest.mark.asyncio(loop_scope="session")

FROM_PHONE_TO_PAGE = [-0.020, -0.010, -0.005, -0.002, 0.0, 0.0, 0.002, 0.005, 0.010, 0.020]
"""Seconds by which the page's click comes after the phone's answer."""


async def test_who_accepts_by_phone_and_page_at_the_same_instant_dials_once(line: Line) -> None:
    agents = await asyncio.gather(*(line.agent() for _ in FROM_PHONE_TO_PAGE))
    customers = {each.number: each for each in (line.caller(policy.answer(after=0.2)) for _ in FROM_PHONE_TO_PAGE)}
    ids = dict(zip(customers, await callbacks(line, *customers.values()), strict=True))
    for agent, page_after in zip(agents, FROM_PHONE_TO_PAGE, strict=True):
        await agent.ready()
        offer = await agent.phone.incoming()
        customer, interaction = customers[offer.from_user], ids[offer.from_user]
        await line.stage.when(customer.number, status="offered")
        asyncio.get_running_loop().call_later(max(0, -page_after), offer.answer)
        await asyncio.sleep(max(0, page_after))
        accepted = await status_of(agent.api.post(f"interactions/{interaction}/accept"))
        assert accepted == (200, None), "the second way of accepting is no mistake of the agent's"
        back = await customer.incoming()
        await hear_each_other(offer, back)
        it = await line.stage.when(customer.number, stage="talking", assigned_to=agent.id)
        assert len(it["attempts"]) == len(customer.invites) == len(agent.phone.invites) == 1
        assert len(await feed_of(line, it["id"], "accepted")) == 1
        await back.hangup()


async def test_after_an_accept_on_the_page_the_customers_phone_rings_beside_the_agents(line: Line) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    loop = asyncio.get_running_loop()
    clicked = loop.time()
    accepted = await agent.api.post(f"interactions/{interaction}/accept")
    assert (accepted["status"], accepted["stage"]) == ("connected", "dialing")
    back = await customer.incoming()
    assert back.invited_at - clicked < 0.3
    await line.stage.when(customer.number, stage="ringing")
    assert offer.end is None and offer.answered_at is None

    back.answer()
    await back.hear(TONES["greeting"], 2, since=back.answered_at)
    await line.stage.when(customer.number, stage="agent_ringing")
    await back.hear(TONES["music"])
    offer.answer()
    await hear_each_other(offer, back)
    it = await line.stage.when(customer.number, stage="talking")
    assert len(it["attempts"]) == len(customer.invites) == len(agent.phone.invites) == 1
    await back.hangup()


async def test_a_customer_whose_agent_never_lifts_hears_an_apology_and_is_first_in_line_again(line: Line) -> None:
    await line.settings(offer={"answer_timeout": 1.2})
    later = line.caller()
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    await callbacks(line, later)
    await agent.api.post(f"interactions/{interaction}/accept")
    back = await customer.incoming()
    back.answer()
    await back.hear(TONES["greeting"], 2)
    await back.hear(TONES["apology"], 4)
    assert (await back.ended(3)).how is Ending.BYE_RECEIVED
    assert (await offer.ended()).how is Ending.CANCEL_RECEIVED
    it = await line.stage.when(customer.number, status="open", position=1, assigned_to=None)
    assert [each["outcome"] for each in it["attempts"]] == ["agent_lost"]
    assert back.gaps.silence < 2, "never a silent call"
    await is_shown(line, agent, "not_ready", "rona")
    assert len(customer.invites) == 1 and (await line.stage.interaction(later.number))["position"] == 2

    second = await line.agent()
    await second.ready()
    assert (await second.phone.incoming()).from_user == customer.number, "before those who came later"


async def test_agent_first_dials_the_customer_only_after_the_agents_phone_was_answered(line: Line) -> None:
    await line.settings(dial={"order": "agent_first"})
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    await agent.api.post(f"interactions/{interaction}/accept")
    await line.stage.when(customer.number, status="connected", stage="agent_ringing")
    with pytest.raises(SipTimeout):
        await customer.incoming(0.5)
    answered = offer.answer()
    back = await customer.incoming()
    assert 0 < back.invited_at - answered < 0.3
    back.answer()
    await hear_each_other(offer, back)
    await back.hangup()


@pytest.mark.parametrize("how", ["180", "183"])
async def test_on_alert_dials_the_customer_when_the_agents_phone_rings(line: Line, how: str) -> None:
    agent = await line.agent(policy=policy.manual())
    customer, interaction = await customer_with_callback(line)
    await agent.api.post(f"interactions/{interaction}/pickup")
    offer = await agent.phone.incoming()
    with pytest.raises(SipTimeout):
        await customer.incoming(0.4)
    if how == "180":
        offer.ring()
    else:
        offer.progress()
    assert offer.ringing_at is not None
    back = await customer.incoming()
    assert 0 < back.invited_at - offer.ringing_at < 1
    offer.answer()
    back.answer()
    await hear_each_other(offer, back)
    await back.hangup()


async def test_a_phone_that_never_tells_that_it_rings_must_be_answered_first(line: Line) -> None:
    await line.settings(offer={"answer_timeout": 6})
    agent = await line.agent(policy=policy.answer(after=3.5, provisional=None))
    customer, interaction = await customer_with_callback(line, policy.answer())
    await agent.api.post(f"interactions/{interaction}/pickup")
    offer = await agent.phone.incoming()
    back = await customer.incoming(6)
    assert offer.answered_at is not None and 0 < back.invited_at - offer.answered_at < 1
    assert await feed_of(line, interaction, "no_alert") == [{"agent": agent.id}]
    await hear_each_other(offer, back)
    await back.hangup()


async def test_a_phone_that_begins_to_ring_late_has_its_customer_dialled_all_the_same(line: Line) -> None:
    await line.settings(offer={"answer_timeout": 6})
    agent = await line.agent(policy=policy.manual())
    customer, interaction = await customer_with_callback(line)
    await agent.api.post(f"interactions/{interaction}/pickup")
    offer = await agent.phone.incoming()
    await line.stage.until(lambda: feed_of(line, interaction, "no_alert"), "the phone did not ring in time", 4)
    offer.ring()
    with pytest.raises(SipTimeout):
        await customer.incoming(0.5)
    answered = offer.answer()
    assert (await customer.incoming()).invited_at > answered


async def test_the_agent_hears_a_ringing_tone_while_the_customers_phone_rings(line: Line) -> None:
    agent = await line.agent()
    customer, _, offer = await offered(line, agent)
    customer.tone = 2000  # 20 ms of sound do not tell the usual one from the ringing tone
    answered = offer.answer()
    back = await customer.incoming()
    assert await offer.hear(RING_TONE, 2, since=answered) - answered < 2
    back.answer()
    await offer.hear(2000)
    with pytest.raises(SipTimeout):
        await offer.hear(RING_TONE, 0.3)
    await back.hangup()


async def test_the_customer_sees_the_number_that_was_dialled(line: Line) -> None:
    agent = await line.agent()
    customer, _, offer = await offered(line, agent)
    offer.answer()
    back = await customer.incoming()
    assert back.from_user == line.dnis and back.to_user == customer.number
    assert offer.from_user == customer.number


async def test_a_queue_may_present_another_number(line: Line) -> None:
    await line.settings(caller_id="+49305550000")
    agent = await line.agent()
    customer, _, offer = await offered(line, agent)
    offer.answer()
    assert (await customer.incoming()).from_user == "+49305550000"


async def test_an_offer_that_accepts_itself_dials_after_the_countdown_and_the_agents_answer(line: Line) -> None:
    await line.settings(offer={"accept_mode": "auto", "countdown": 1.0, "answer_timeout": 4})
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent, policy.answer())
    assert offer.answer_after is None, "a phone not known to lift by itself is not asked to"
    it = await line.stage.when(customer.number, status="connected", stage="agent_ringing")
    (accepted,) = await feed_of(line, interaction, "accepted")
    assert accepted == {"agent": agent.id, "by": "countdown"}
    assert it["attempts"] == [] and not customer.invites, "the agent may be away"
    answered = offer.answer()
    back = await customer.incoming()
    assert 0 < back.invited_at - answered < 0.3
    await hear_each_other(offer, back)
    await back.hangup()


async def test_a_phone_that_lifts_by_itself_is_rung_when_the_countdown_ends(line: Line) -> None:
    await line.settings(offer={"countdown": 0.8})
    agent = await line.agent(accept_mode="auto", auto_answer=True)
    customer, interaction = await customer_with_callback(line, policy.answer())
    await agent.ready()
    await line.stage.when(customer.number, status="offered")
    with pytest.raises(SipTimeout):
        await agent.phone.incoming(0.4)
    offer = await agent.phone.incoming()
    assert offer.answer_after == 0
    offer.answer()
    back = await customer.incoming()
    await hear_each_other(offer, back)
    assert [each["by"] for each in await feed_of(line, interaction, "accepted")] == ["countdown"]
    await back.hangup()


async def test_the_page_may_accept_before_the_countdown_ends(line: Line) -> None:
    await line.settings(offer={"accept_mode": "auto", "countdown": 30})
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent, policy.answer())
    await agent.api.post(f"interactions/{interaction}/accept")
    offer.answer()
    back = await customer.incoming()
    await hear_each_other(offer, back)
    await back.hangup()
