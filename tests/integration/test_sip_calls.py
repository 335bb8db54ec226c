"""Two phones of demo.sip talk to each other on loopback: calls, sound, every way to end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.sip import policy
from demo.sip.agent import SipAgent
from demo.sip.call import Ending
from demo.sip.carrier import Carrier
from demo.sip.errors import CallFailed, SipTimeout

HOST = "127.0.0.1"


@pytest.fixture
async def agent() -> AsyncIterator[SipAgent]:
    """Is called only."""
    async with SipAgent("1001", HOST, 9, tone=500) as phone:
        yield phone


@pytest.fixture
async def carrier(agent: SipAgent) -> AsyncIterator[Carrier]:
    """Its phones reach the agent directly, without Asterisk."""
    async with Carrier(HOST, 0, asterisk=(HOST, agent.port)) as carrier:
        yield carrier


async def test_both_sides_hear_each_other(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    call = await carrier.phone("+4915100", tone=900).call("600", display='Kim "K"')
    incoming = await agent.incoming()
    assert (incoming.from_user, incoming.to_user) == ("+4915100", "600")
    assert incoming.invite.from_.display == 'Kim "K"'
    assert call.invited_at <= incoming.invited_at <= await call.answered()
    await asyncio.gather(call.hear(500), incoming.hear(900))
    incoming.play(None)
    await call.hear_nothing(0.06)


CLOCKS = 0.001
"""Seconds. When a packet arrived is the kernel's stamp, by another clock: what it is by ours is off by a little."""


async def test_answering_by_hand_rings_first(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.manual()
    call = await carrier.phone("+4915100").call("600")
    incoming = await agent.incoming()
    assert call.ringing_at is None
    incoming.ring()
    await call.ringing()
    sent = incoming.answer()
    assert -CLOCKS <= await call.answered() - sent < 0.05
    await incoming.acknowledged_at()


async def test_the_called_side_hangs_up(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    call = await carrier.phone("+4915100").call("600")
    await call.answered()
    incoming = await agent.incoming()
    await incoming.hangup()
    assert ((await call.ended()).how, (await incoming.ended()).how) == (Ending.BYE_RECEIVED, Ending.BYE_SENT)
    assert call.bye_at is not None


@pytest.mark.parametrize("status", [404, 486, 503, 603])
async def test_a_refusal_arrives_with_its_exact_code(carrier: Carrier, agent: SipAgent, status: int) -> None:
    agent.policy = policy.reject(status)
    call = await carrier.phone("+4915100").call("600")
    assert await call.final() == status
    with pytest.raises(CallFailed, match=f"rejected {status}"):
        await call.answered()


async def test_a_cancelled_call_is_over_on_both_sides(carrier: Carrier, agent: SipAgent) -> None:
    call = await carrier.phone("+4915100").call("600")
    incoming = await agent.incoming()
    call.cancel()
    await incoming.cancelled()
    assert (await call.ended()).how == Ending.CANCEL_SENT
    assert (await incoming.ended()).how == Ending.CANCEL_RECEIVED
    assert await call.final() == 487
    with pytest.raises(CallFailed, match="cancel_received 487"):
        incoming.answer()


async def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.cross()
    call = await carrier.phone("+4915100").call("600")
    incoming = await agent.incoming()
    await call.ringing()
    await call.hangup()
    assert (await incoming.ended()).how == Ending.BYE_RECEIVED
    assert call.answered_at is None
    assert incoming.acked_at is not None


async def test_183_carries_sound_before_the_answer(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.progress()
    call = await carrier.phone("+4915100").call("600")
    await call.hear(500)
    assert call.answered_at is None
    await call.hangup()


async def test_a_delayed_policy_is_dropped_when_the_caller_gives_up(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.answer(after=0.05)
    call = await carrier.phone("+4915100").call("600")
    await call.ringing()
    await call.hangup()
    other = await carrier.phone("+4915101").call("600")
    await other.answered()
    assert agent.calls[0].answered_at is None


async def test_hold_is_seen_by_the_other_side_and_ends(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    call = await carrier.phone("+4915100").call("600")
    await call.answered()
    incoming = await agent.incoming()
    await incoming.hold()
    await call.held()
    await call.hold()
    assert (incoming.on_hold, incoming.holding) == (True, True)
    await incoming.retrieve()
    await call.retrieve()
    await incoming.retrieve()
    assert not (call.on_hold or incoming.on_hold)
    await call.hear(500)


async def test_digits_arrive_both_ways(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    call = await carrier.phone("+4915100").call("600")
    await call.answered()
    incoming = await agent.incoming()
    await asyncio.gather(call.dtmf("11#", gap=0.02), incoming.dtmf("9", gap=0.02))
    assert (incoming.digits, call.digits) == ("11#", "9")


async def test_what_is_heard_can_be_kept(carrier: Carrier, agent: SipAgent, tmp_path: Path) -> None:
    agent.policy = policy.answer()
    call = await carrier.phone("+4915100").call("600")
    call.capture(tmp_path / "call.wav")
    await call.answered()
    await call.hear(500)
    await call.hangup()
    assert (tmp_path / "call.wav").stat().st_size >= 44 + 2 * 2 * 160


async def test_unknown_numbers_get_404_and_all_calls_are_counted(carrier: Carrier, agent: SipAgent) -> None:
    known = carrier.phone("+4915100", policy.reject(486))
    there = SipAgent("2000", HOST, carrier.ua.port)
    async with there:
        statuses = []
        for number in ("+4915100", "+4915199", "+4915100"):
            statuses.append(await (await there.invite(number, from_number="+4930")).final())
    assert statuses == [486, 404, 486]
    assert [seen.to_user for seen in carrier.invites] == ["+4915100", "+4915199", "+4915100"]
    assert len({seen.call_id for seen in known.invites}) == 2
    assert {seen.from_user for seen in carrier.invites} == {"+4930"}


async def test_a_withheld_number_is_anonymous(carrier: Carrier, agent: SipAgent) -> None:
    await carrier.phone("+4915100").call("600", anonymous=True)
    incoming = await agent.incoming()
    assert (incoming.from_user, incoming.header("Privacy")) == ("anonymous", "id")
    assert "4915100" not in incoming.invite.render().decode()


async def test_call_info_and_asserted_identity_can_be_read(carrier: Carrier, agent: SipAgent) -> None:
    headers = {"Call-Info": "<sip:x>;answer-after=0", "P-Asserted-Identity": "<sip:+49301@x>"}
    await carrier.phone("+4915100").call("600", headers=headers)
    incoming = await agent.incoming()
    assert (incoming.answer_after, incoming.asserted_user) == (0.0, "+49301")


async def test_a_wait_in_vain_tells_what_happened_instead(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    call = await carrier.phone("+4915100").call("600")
    await call.answered()
    with pytest.raises(SipTimeout) as failure:
        await call.hear(950, within=0.06)
    message = str(failure.value)
    assert "at 500 Hz" in message and "──▶ 127.0.0.1" in message and "200 OK (INVITE)" in message
    with pytest.raises(SipTimeout, match="1 calls so far"):
        await agent.incoming(0.01) and await agent.incoming(0.01)


async def test_listening_ends_with_the_call(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    call = await carrier.phone("+4915100").call("600")
    await call.answered()
    listening = asyncio.create_task(call.hear(950))
    await (await agent.incoming()).hangup()
    with pytest.raises(CallFailed, match="the call is over"):
        await listening


async def test_a_transfer_request_is_refused_by_a_phone(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    call = await carrier.phone("+4915100").call("600")
    await call.answered()
    assert await call.refer("sip:601@127.0.0.1") == 603


async def test_thirty_calls_at_once_are_kept_apart(carrier: Carrier, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    phones = [carrier.phone(f"+49151{n}", tone=400 + 50 * n) for n in range(30)]
    calls = await asyncio.gather(*(phone.call("600") for phone in phones))
    await asyncio.gather(*(call.answered() for call in calls))
    await asyncio.gather(*(incoming.hear(400 + 50 * n) for n, incoming in enumerate(agent.calls)))
    assert len({seen.call_id for seen in agent.invites}) == 30
