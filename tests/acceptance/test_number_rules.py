"""Numbers that must not be called, on real calls: nobody is promised what is not kept, and no INVITE goes out."""

import asyncio

import pytest

from demo.api import Refused
from demo.sip import policy
from demo.sip.call import Ending
from demo.sip.errors import SipTimeout
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import feed_of, is_shown, offered
from tests.calls.line import Line
from tests.calls.story import is_promised, menu, steps

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANNOT, MUSIC, ENTER = TONES["cannot-call-back"], TONES["music"], TONES["enter-number"]


@pytest.mark.parametrize(
    ("number", "rule"), [("+499001123456", "premium_rate"), ("+18762101234", "overseas")], ids=["premium", "Jamaica"]
)
async def test_a_caller_with_a_costly_number_who_presses_2_is_told_no_and_waits_on(
    line: Line, number: str, rule: str
) -> None:
    caller, agent = line.stage.carrier.phone(number, policy.ring(), tone=450), await line.agent()
    call = await line.in_menu(caller)
    before = await line.stage.interaction(number)
    await call.dtmf("2")
    await call.hear(CANNOT)
    await call.hear(MUSIC)
    it = await line.stage.when(number, status="open", stage=None, subtype="inbound")
    assert (it["id"], it["queued_at"]) == (before["id"], before["queued_at"])
    assert not await is_promised(line, it["id"])
    assert [each["rule"] for each in await feed_of(line, it["id"], "number_refused")] == [rule]
    await agent.ready()
    offer = await agent.phone.incoming()
    offer.answer()
    await call.hear(350)
    await call.hangup()
    assert caller.invites == []


async def test_a_costly_number_may_be_replaced_by_another_where_the_queue_allows_it(line: Line) -> None:
    await line.settings(**steps(menu(timeout=5)), callback={"alternate_number": True})
    other = line.caller()
    call = await line.in_menu(line.stage.carrier.phone("+499001123457", tone=450))
    await call.dtmf("2")
    await call.hear(TONES["invalid-number"])
    await call.hear(ENTER)
    await call.dtmf(other.number.replace("+49", "0") + "#")
    await call.hear(TONES["confirm-keys-other"], 8)
    await call.hear(MUSIC)
    await call.dtmf("1")
    await call.hear(TONES["booked"])
    assert (await call.ended()).how is Ending.BYE_RECEIVED
    await line.stage.when(other.number, status="open", subtype="callback")


async def test_a_number_listed_between_the_offer_and_the_acceptance_gets_no_call(line: Line) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    await line.stage.api.put(f"do-not-call/{customer.number}", {"reason": "asked us to"})
    with pytest.raises(Refused) as refused:
        await agent.api.post(f"interactions/{interaction}/accept")
    assert (refused.value.status, refused.value.code) == (422, "number_blocked")
    assert (await offer.ended()).how is Ending.CANCEL_RECEIVED
    it = await line.stage.when(customer.number, status="closed", outcome="blocked")
    assert it["id"] == interaction and it["attempts"] == []
    assert [each["rule"] for each in await feed_of(line, interaction, "number_refused")] == ["do_not_call"]
    await is_shown(line, agent, "ready")
    with pytest.raises(SipTimeout):
        await customer.incoming(0.3)
    assert customer.invites == []


async def test_answering_the_phone_for_a_listed_number_calls_nobody_either(line: Line) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)
    await line.stage.api.put(f"do-not-call/{customer.number}", {})
    offer.answer()
    assert (await offer.ended()).how is Ending.BYE_RECEIVED
    await line.stage.when(customer.number, id=interaction, status="closed", outcome="blocked")
    assert customer.invites == []


async def test_a_queue_switched_off_calls_nobody_back_and_serves_its_callers(line: Line) -> None:
    await line.settings(**steps())
    live = line.caller()
    await line.settings()
    agent, customer = await line.agent(), line.caller()
    waiting = await line.callback(customer)
    await line.settings(**steps())
    switches = f"queues/{line.queue}/switches"
    assert await line.stage.api.put(switches, {"process": False}) == {"register": True, "process": False}
    await agent.ready()
    with pytest.raises(SipTimeout):
        await agent.phone.incoming(0.7)  # longer than the router waits before it looks again
    call = await line.call(live)
    offer = await agent.phone.incoming()
    assert offer.from_user == live.number
    offer.answer()
    await call.hear(350)
    await call.hangup()
    await is_shown(line, agent, "ready")
    clock = asyncio.get_running_loop()
    at = clock.time()
    await line.stage.api.put(switches, {"process": True})
    offer = await agent.phone.incoming()
    assert (offer.from_user, offer.invited_at - at < 1) == (customer.number, True)
    assert customer.invites == []
    await line.stage.when(customer.number, id=waiting["id"], status="offered")
    await agent.not_ready()


async def test_with_registration_switched_off_key_2_is_answered_with_no(line: Line) -> None:
    caller = line.caller()
    await line.stage.api.put(f"queues/{line.queue}/switches", {"register": False})
    call = await line.in_menu(caller)
    await call.dtmf("2")
    await call.hear(CANNOT)
    await call.hear(MUSIC)
    it = await line.stage.when(caller.number, status="open", subtype="inbound")
    assert not await is_promised(line, it["id"])
    await call.hangup()
