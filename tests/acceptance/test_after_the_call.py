"""After the talk: redial, done, wrap-up, disposition codes, and what cannot be done just now."""

import asyncio
from datetime import datetime

import pytest

from demo.sip.call import Ending
from tests.calls.desk import callbacks, feed_of, hear_each_other, is_shown, offered, refused, talk
from tests.calls.line import Line

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("who", ["customer", "agent", "page"])
async def test_whoever_ends_the_talk_both_calls_end_and_it_is_ready_to_call(line: Line, who: str) -> None:
    told = await talk(line)
    if who == "page":
        ended = await told.agent.api.post(f"interactions/{told.id}/end-call")
        assert (ended["status"], ended["stage"]) == ("connected", "ready_to_call")
    else:
        await (told.back if who == "customer" else told.offer).hangup()
    for each, theirs in ((told.back, who == "customer"), (told.offer, who == "agent")):
        assert (await each.ended()).how is (Ending.BYE_SENT if theirs else Ending.BYE_RECEIVED)
    it = await line.stage.when(told.customer.number, status="connected", stage="ready_to_call")
    assert [each["outcome"] for each in it["attempts"]] == ["answered"]
    assert await feed_of(line, told.id, "call_ended") == [{"by": "customer" if who == "customer" else "agent"}]
    assert (await told.agent.state())["state"] == "busy"


async def test_redial_is_another_attempt_by_another_call(line: Line) -> None:
    told = await talk(line)
    await told.back.hangup()
    await line.stage.when(told.customer.number, stage="ready_to_call")
    for n in (2, 3):
        again = await told.agent.api.post(f"interactions/{told.id}/redial")
        assert (again["status"], again["assigned_to"]) == ("connected", told.agent.id)
        offer = await told.agent.phone.incoming()
        back = await told.customer.incoming()
        offer.answer()
        back.answer()
        await hear_each_other(offer, back)
        it = await line.stage.when(told.customer.number, stage="talking")
        assert [each["n"] for each in it["attempts"]] == list(range(1, n + 1))
        await back.hangup()
        await offer.ended()
        await line.stage.when(told.customer.number, stage="ready_to_call")
    assert len({each.call_id for each in told.customer.invites}) == len(told.customer.invites) == 3
    await told.agent.api.post(f"interactions/{told.id}/done")
    it = await line.stage.when(told.customer.number, status="closed", outcome="handled")
    assert [each["outcome"] for each in it["attempts"]] == ["answered"] * 3


async def test_two_redials_at_once_are_one(line: Line) -> None:
    told = await talk(line)
    await told.back.hangup()
    await line.stage.when(told.customer.number, stage="ready_to_call")
    url = f"interactions/{told.id}/redial"
    answers = await asyncio.gather(*(told.agent.api.post(url) for _ in range(2)), return_exceptions=True)
    assert sorted(isinstance(each, dict) for each in answers) == [False, True]
    assert [getattr(each, "code", None) for each in answers if not isinstance(each, dict)] == ["wrong_stage"]
    (await told.agent.phone.incoming()).answer()
    (await told.customer.incoming()).answer()
    it = await line.stage.when(told.customer.number, stage="talking")
    assert len(it["attempts"]) == len(told.customer.invites) == len(told.agent.phone.invites) == 2


async def test_wrap_up_ends_by_its_timer_and_then_the_agent_is_asked_again(line: Line) -> None:
    await line.settings(wrap_up={"seconds": 0.8})
    told = await talk(line)
    await told.back.hangup()
    await line.stage.when(told.customer.number, stage="ready_to_call")
    waiting = line.caller()
    await callbacks(line, waiting)
    await told.agent.api.post(f"interactions/{told.id}/done", {"note": "all is well"})
    await is_shown(line, told.agent, "wrap_up")
    it = await line.stage.when(told.customer.number, status="closed", outcome="handled")
    assert it["disposition"] == "none"
    assert (await told.agent.phone.incoming(2)).from_user == waiting.number
    items = (await line.stage.api.get(f"interactions/{told.id}/feed"))["items"]
    at = {each["event"]: datetime.fromisoformat(each["at"]).timestamp() for each in items}
    assert at["closed"] - at["wrap_up"] == pytest.approx(0.8, abs=0.3)


@pytest.mark.quick
async def test_done_ends_wrap_up_before_its_time(line: Line) -> None:
    await line.settings(wrap_up={"seconds": 30})
    told = await talk(line)
    await told.back.hangup()
    await line.stage.when(told.customer.number, stage="ready_to_call")
    await told.agent.api.post(f"interactions/{told.id}/done")
    await line.stage.when(told.customer.number, status="wrap_up")
    closed = await told.agent.api.post(f"interactions/{told.id}/done", {"note": "all is well"})
    assert (closed["status"], closed["outcome"]) == ("closed", "handled")
    await is_shown(line, told.agent, "ready")


async def test_the_time_to_redial_ends_by_itself(line: Line) -> None:
    await line.settings(dial={"ready_to_call": 0.5})
    told = await talk(line)
    await told.back.hangup()
    await line.stage.when(told.customer.number, status="closed", outcome="handled")
    await is_shown(line, told.agent, "ready")


async def test_where_a_code_is_required_done_without_one_is_refused(line: Line) -> None:
    codes = [{"code": "solved", "title": "Solved"}, {"code": "open-end", "title": "To be continued"}]
    await line.settings(wrap_up={"seconds": 30, "required": True, "dispositions": codes})
    told = await talk(line)
    done = f"interactions/{told.id}/done"
    await told.back.hangup()
    await line.stage.when(told.customer.number, stage="ready_to_call")
    assert await refused(told.agent.api.post(done, {"disposition": "lovely"})) == (422, "invalid")
    await line.stage.when(told.customer.number, stage="ready_to_call")
    await told.agent.api.post(done)
    await line.stage.when(told.customer.number, status="wrap_up")
    assert await refused(told.agent.api.post(done)) == (409, "disposition_required")
    assert await refused(told.agent.api.post(done, {"disposition": "lovely"})) == (422, "invalid")
    assert (await line.stage.interaction(told.customer.number))["status"] == "wrap_up"
    await told.agent.api.post(done, {"disposition": "solved", "note": "all is well"})
    it = await line.stage.when(told.customer.number, status="closed", outcome="handled")
    assert it["disposition"] == "solved"


async def test_end_call_while_the_customers_phone_rings_silences_it(line: Line) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    offer.answer()
    back = await customer.incoming()
    await line.stage.when(customer.number, stage="ringing")
    await agent.api.post(f"interactions/{interaction}/end-call")
    assert (await back.ended()).how is Ending.CANCEL_RECEIVED
    assert (await offer.ended()).how is Ending.BYE_RECEIVED
    await line.stage.when(customer.number, status="connected", stage="ready_to_call", assigned_to=agent.id)


async def test_what_cannot_be_done_just_now_is_refused_and_changes_nothing(line: Line) -> None:
    agent, other = await line.agent(), await line.agent()
    customer, interaction, offer = await offered(line, agent)
    for verb in ("done", "redial", "end-call"):
        assert await refused(agent.api.post(f"interactions/{interaction}/{verb}")) == (409, "wrong_stage")
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await line.stage.when(customer.number, stage="talking")
    for verb in ("done", "redial"):
        assert await refused(agent.api.post(f"interactions/{interaction}/{verb}")) == (409, "wrong_stage")
        assert await refused(other.api.post(f"interactions/{interaction}/{verb}")) == (403, "forbidden")
    assert await refused(other.api.post(f"interactions/{interaction}/end-call")) == (403, "forbidden")
    await hear_each_other(offer, back)
    await back.hangup()
    await line.stage.when(customer.number, stage="ready_to_call")
    assert await refused(agent.api.post(f"interactions/{interaction}/end-call")) == (409, "wrong_stage")
    await agent.api.post(f"interactions/{interaction}/done")
    await line.stage.when(customer.number, status="closed")
    for verb in ("done", "redial", "end-call"):
        assert await refused(agent.api.post(f"interactions/{interaction}/{verb}")) == (409, "wrong_stage")
    assert await refused(agent.api.post(f"interactions/{interaction}/pickup")) == (409, "not_open")
    assert len(customer.invites) == 1
