"""What becomes of a call to a customer: answered, refused, not answered, cancelled; and when it is tried again."""

import asyncio
from datetime import datetime

import pytest

from demo.sip import policy
from demo.sip.call import Ending
from demo.sip.errors import SipTimeout
from routing.local.asterisk.prompts import TONES
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

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (486, "busy"),
        (480, "no_answer"),
        (503, "congestion"),
        (404, "invalid"),
        (603, "rejected"),
    ],
)
async def test_a_refusal_by_the_network_says_how_the_attempt_ended(line: Line, status: int, outcome: str) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent, policy.reject(status, after=0.1))
    offer.answer()
    it = await line.stage.when(customer.number, status="connected", stage="ready_to_call")
    (attempt,) = it["attempts"]
    assert (attempt["outcome"], attempt["sip_cause"], attempt["state"]) == (outcome, status, "ended")
    assert attempt["answered_at"] is None and attempt["ended_at"]
    assert (await offer.ended()).how is Ending.BYE_RECEIVED
    assert len(customer.invites) == 1

    await agent.api.post(f"interactions/{interaction}/done")
    if outcome == "invalid":
        await line.stage.when(customer.number, status="closed", outcome="invalid_number")
    else:
        later = await line.stage.when(customer.number, status="scheduled", assigned_to=None)
        assert later["due_at"] is not None
    await is_shown(line, agent, "ready")


@pytest.mark.quick
async def test_an_answered_attempt_has_no_cause(line: Line) -> None:
    agent = await line.agent()
    customer, _, offer = await offered(line, agent)
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    talking = await line.stage.when(customer.number, stage="talking")
    assert [(each["state"], each["outcome"]) for each in talking["attempts"]] == [("answered", None)]
    await back.hangup()
    it = await line.stage.when(customer.number, stage="ready_to_call")
    (attempt,) = it["attempts"]
    assert (attempt["outcome"], attempt["sip_cause"]) == ("answered", None)
    assert attempt["started_at"] < attempt["answered_at"] < attempt["ended_at"]


@pytest.mark.parametrize("phone", ["rings", "dead"])
async def test_who_does_not_answer_is_rung_no_longer_than_the_limit(line: Line, phone: str) -> None:
    await line.settings(dial={"ring_timeout": 2.0})
    agent = await line.agent()
    customer, _, offer = await offered(line, agent, policy.ring() if phone == "rings" else policy.manual())
    offer.answer()
    back = await customer.incoming()
    assert await back.cancelled(4) - back.invited_at == pytest.approx(2.0, abs=1.0)
    it = await line.stage.when(customer.number, status="connected", stage="ready_to_call")
    assert [each["outcome"] for each in it["attempts"]] == ["no_answer"]
    assert (await offer.ended()).how is Ending.BYE_RECEIVED


async def test_a_busy_customer_is_called_again_after_the_delay_and_by_whoever_is_free(line: Line) -> None:
    await line.settings(dial={"retry": {"busy": [3, 1.0]}})
    agent, other = await line.agent(), await line.agent()
    customer, interaction, offer = await offered(line, agent, policy.reject(486))
    offer.answer()
    await line.stage.when(customer.number, stage="ready_to_call")
    await agent.api.post(f"interactions/{interaction}/done")
    it = await line.stage.when(customer.number, status="scheduled")
    assert await refused(agent.api.post(f"interactions/{interaction}/pickup")) == (409, "not_open")
    await agent.not_ready()
    await other.ready()
    customer.policy = policy.answer()
    again = await other.phone.incoming()
    due = datetime.fromisoformat(it["due_at"]).timestamp()
    offered_at = (await line.stage.api.get(f"interactions/{interaction}/feed"))["items"]
    (first, second) = [each["at"] for each in offered_at if each["event"] == "offered"]
    assert datetime.fromisoformat(first).timestamp() < due
    assert 0 <= datetime.fromisoformat(second).timestamp() - due < 1.0
    again.answer()
    await customer.incoming()
    back = await customer.incoming()
    await hear_each_other(again, back)
    it = await line.stage.when(customer.number, stage="talking", assigned_to=other.id)
    assert [(each["n"], each["outcome"]) for each in it["attempts"]] == [(1, "busy"), (2, None)]
    assert len({each.call_id for each in customer.invites}) == 2
    await back.hangup()


async def test_after_the_last_attempt_it_is_closed(line: Line) -> None:
    await line.settings(dial={"retry": {"busy": [5, 0.3]}, "max_attempts": 2})
    agent = await line.agent(policy=policy.answer())
    customer, interaction = await customer_with_callback(line, policy.reject(486))
    await agent.ready()
    for n in (1, 2):
        await customer.called(n, 5)
        await line.stage.when(customer.number, stage="ready_to_call")
        await agent.api.post(f"interactions/{interaction}/done")
    it = await line.stage.when(customer.number, status="closed", outcome="failed_max_attempts")
    assert [each["outcome"] for each in it["attempts"]] == ["busy", "busy"]


async def test_an_agent_who_hangs_up_while_the_customers_phone_rings_silences_it(line: Line) -> None:
    """And it is no attempt of the customer's: with only one allowed, the customer is called again all the same."""
    await line.settings(dial={"max_attempts": 1})
    later = line.caller()
    agent, second = await line.agent(), await line.agent()
    customer, interaction, offer = await offered(line, agent)
    await callbacks(line, later)
    offer.answer()
    back = await customer.incoming()
    await back.ringing()
    await line.stage.when(customer.number, stage="ringing")
    await offer.hangup()
    assert offer.end is not None
    assert await back.cancelled() - offer.end.at < 1.0
    it = await line.stage.when(customer.number, status="open", position=1, assigned_to=None)
    assert [each["outcome"] for each in it["attempts"]] == ["agent_lost"]
    assert (await feed_of(line, interaction, "reopened"))[-1] == {"front": True}

    customer.policy = policy.answer()
    await second.ready()
    again = await second.phone.incoming()
    assert again.from_user == customer.number
    again.answer()
    back = await customer.incoming()
    await hear_each_other(again, back)
    await back.hangup()
    await line.stage.when(customer.number, stage="ready_to_call")
    await second.api.post(f"interactions/{interaction}/done")
    it = await line.stage.when(customer.number, status="closed", outcome="handled")
    assert [each["outcome"] for each in it["attempts"]] == ["agent_lost", "answered"]


@pytest.mark.parametrize("status", [486, 480])
async def test_an_agent_who_accepted_and_then_declines_on_the_phone_is_lost_too(line: Line, status: int) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    await agent.api.post(f"interactions/{interaction}/accept")
    back = await customer.incoming()
    declined = offer.reject(status)
    assert await back.cancelled() - declined < 1.0
    it = await line.stage.when(customer.number, status="open", assigned_to=None)
    assert [each["outcome"] for each in it["attempts"]] == ["agent_lost"]
    if status == 486:
        await is_shown(line, agent, "ready")
    else:
        await is_shown(line, agent, "not_ready", "phone_unreachable")


async def test_a_customer_who_answers_at_the_very_moment_of_the_cancel_is_not_left_on_the_line(line: Line) -> None:
    agent = await line.agent()
    customer, _, offer = await offered(line, agent, policy.cross())
    offer.answer()
    back = await customer.incoming()
    await back.ringing()
    await line.stage.when(customer.number, stage="ringing")
    await offer.hangup()
    await back.cancelled()
    assert (await back.ended()).how is Ending.BYE_RECEIVED
    it = await line.stage.when(customer.number, status="open")
    assert [each["outcome"] for each in it["attempts"]] == ["agent_lost"]


async def test_a_customer_who_hangs_up_before_the_agent_lifts_leaves_nothing_ringing(line: Line) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    await agent.api.post(f"interactions/{interaction}/accept")
    back = await customer.incoming()
    back.answer()
    await back.hear(TONES["greeting"], 2)
    await back.hangup()
    assert (await offer.ended()).how is Ending.CANCEL_RECEIVED
    it = await line.stage.when(customer.number, status="connected", stage="ready_to_call")
    assert [each["outcome"] for each in it["attempts"]] == ["customer_hung_up"]


async def test_a_carrier_that_is_silent_is_no_answer_and_its_customer_can_be_called_again(line: Line) -> None:
    await line.settings(dial={"ring_timeout": 1.0})
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent, policy.dead())
    offer.answer()
    await customer.incoming()
    it = await line.stage.when(customer.number, stage="ready_to_call")
    assert [each["outcome"] for each in it["attempts"]] == ["no_answer"]
    await offer.ended()
    customer.policy = policy.answer()
    again = asyncio.create_task(agent.phone.incoming())
    await agent.api.post(f"interactions/{interaction}/redial")
    (await again).answer()
    back = await customer.incoming()
    await hear_each_other(await again, back)
    await back.hangup()
    with pytest.raises(SipTimeout):
        await customer.incoming(0.2)
