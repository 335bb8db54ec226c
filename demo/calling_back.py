"""Acts 2 to 5: the agent accepts, and the customers' phones ring. Counterpart: calling_in.py, how they came."""

from __future__ import annotations

import asyncio
import time

from demo.cast import AGENT_TONE, CUSTOMER_TONE, DNIS, Customer, Play
from demo.crash import kill_service
from demo.sip.call import Call, Ending
from demo.sip.incoming import IncomingCall
from demo.teller import Step, expect

_RINGS = 0.3  # seconds a phone rings before somebody lifts it
_TALK = 0.6  # seconds they talk at least
_LONGEST_PAUSE = 0.3  # seconds without sound while two talk; 0.02 is a packet


async def the_agent_answers(play: Play) -> None:
    """A's turn."""
    play.teller.act("2. An agent answers the phone, and the customer's rings at once")
    await play.postgres.when(play.a.number, may_be_offered=True)
    with play.teller.step(play.agent_name, "becomes Ready; the phone rings for A, first in line") as step:
        at = time.monotonic()
        await play.agent.ready()
        offer = await _offered(play, play.a, step, at, "Ready → agent's INVITE")
    back = await _answers(play, play.a, offer)
    await _talk(play, play.a, offer, back)
    await _hangs_up(play, play.a, offer, back)
    await _notes(play, play.a)


async def the_agent_accepts_by_api(play: Play) -> None:
    """B's turn."""
    play.teller.act("3. The same, accepted on the agent's screen (API) while the phone still rings")
    offer = await _next(play, play.a, play.b)
    with play.teller.step(play.agent_name, "accepts by API: B's phone rings, the agent's still does") as step:
        at = time.monotonic()
        await play.agent.api.post(f"interactions/{play.b.id}/accept")
        back = await play.b.phone.incoming()
        step.took(back.invited_at - at, "accept by API → customer's INVITE")
        expect("the agent's phone was answered", None, offer.answered_at)
    with play.teller.step(play.agent_name, "lifts"):
        offer.answer()
        await play.postgres.when(play.b.number, status="connected", stage="ringing")
    await _talk(play, play.b, offer, back)
    await _hangs_up(play, play.b, offer, back)
    await _notes(play, play.b)


async def a_live_caller_is_joined(play: Play) -> None:
    """C has been waiting all the time."""
    play.teller.act("4. Next in line is a caller who kept waiting: joined live")
    offer = await _next(play, play.b, play.c)
    await asyncio.sleep(_RINGS)
    with play.teller.step(play.agent_name, "answers: C is joined live, both hear the other's tone") as step:
        at = offer.answer()
        step.took(await _heard_both_ways(offer, play.c.call, at) - at, "agent's 200 OK → talks with live caller")
        await play.postgres.when(play.c.number, status="connected", stage="talking")
        expect("calls to C", 0, len(play.c.phone.invites))
    await asyncio.sleep(_TALK)
    await _hangs_up(play, play.c, offer, play.c.call)
    await play.postgres.when(play.c.number, status="wrap_up", subtype="inbound")


async def the_service_is_killed(play: Play) -> None:
    """D's turn, twice interrupted."""
    play.teller.act("5. kill -9 of the service while a phone rings and while two talk: no call is lost")
    offer = await _next(play, play.c, play.d)
    back = await _answers(play, play.d, offer)
    await _killed(play, "while D's phone rings")
    with play.teller.step("customer D", "is still being rung, and the agent still on the line"):
        expect("how D's call ended", None, back.end)
        expect("how the agent's call ended", None, offer.end)
    await _talk(play, play.d, offer, back)
    for call in (offer, back):
        call.reset_gaps()
    await _killed(play, "while they talk")
    with play.teller.step("both", "talked on without a break") as step:
        pause = max(offer.gaps.silence, back.gaps.silence)
        step.took(pause, "longest silence across the kill")
        if pause > _LONGEST_PAUSE:
            raise AssertionError(f"expected at most {_LONGEST_PAUSE} s without sound, saw {pause:.3f} s")
    await _hangs_up(play, play.d, offer, back)
    await _notes(play, play.d)
    with play.teller.step(play.agent_name, "is done with the last of them"):
        await play.agent.api.post(f"interactions/{play.d.id}/done")
    await _closed(play, play.d, calls=1)


# What the acts are made of


async def _offered(play: Play, customer: Customer, step: Step, since: float, span: str) -> IncomingCall:
    offer = await play.agent.phone.incoming()
    step.took(offer.invited_at - since, span)
    expect("the number shown to the agent", customer.number, offer.from_user)
    await play.postgres.when(customer.number, status="offered", assigned_to=play.agent.id)
    return offer


async def _next(play: Play, before: Customer, customer: Customer) -> IncomingCall:
    """The agent finishes the work before: the next one in line is offered at once."""
    with play.teller.step(play.agent_name, f"is done; the phone rings for {customer.letter}, next in line") as step:
        at = time.monotonic()
        await play.agent.api.post(f"interactions/{before.id}/done")
        offer = await _offered(play, customer, step, at, "agent done → next INVITE")
    await _closed(play, before, calls=0 if before is play.c else 1)
    return offer


async def _answers(play: Play, customer: Customer, offer: IncomingCall) -> IncomingCall:
    await asyncio.sleep(_RINGS)
    what = f"answers, and so accepts: {customer.letter}'s phone rings at once"
    with play.teller.step(play.agent_name, what) as step:
        at = offer.answer()
        back = await customer.phone.incoming()
        step.took(back.invited_at - at, "agent's 200 OK → customer's INVITE")
        expect("the number shown to the customer", DNIS, back.from_user)
        await play.postgres.when(customer.number, status="connected", stage="ringing")
    return back


async def _talk(play: Play, customer: Customer, offer: IncomingCall, back: IncomingCall) -> None:
    await asyncio.sleep(_RINGS)
    with play.teller.step(customer.name, "answers; both talk and hear the other's tone") as step:
        at = back.answer()
        step.took(await _heard_both_ways(offer, back, at) - at, "customer's 200 OK → heard both ways")
        await play.postgres.when(customer.number, status="connected", stage="talking")
    await asyncio.sleep(_TALK)


async def _heard_both_ways(agent: Call, customer: Call, since: float) -> float:
    """When the later of the two began to hear the other."""
    heard = await asyncio.gather(agent.hear(CUSTOMER_TONE, since=since), customer.hear(AGENT_TONE, since=since))
    return max(heard)


async def _hangs_up(play: Play, customer: Customer, offer: IncomingCall, call: Call) -> None:
    with play.teller.step(customer.name, "hangs up; so does the agent's phone") as step:
        at = time.monotonic()
        await call.hangup()
        end = await offer.ended()
        expect("how the agent's call ended", Ending.BYE_RECEIVED, end.how)
        step.took(end.at - at, "customer's BYE → agent's BYE")


async def _notes(play: Play, customer: Customer) -> None:
    """From ready to call, where the agent might redial, to wrap-up."""
    with play.teller.step(play.agent_name, "Ready to Call, no redial needed: done, “solved”, wrap-up"):
        await play.postgres.when(customer.number, status="connected", stage="ready_to_call")
        await play.agent.api.post(f"interactions/{customer.id}/done", {"disposition": "solved"})
        await play.postgres.when(customer.number, status="wrap_up", stage=None)


async def _closed(play: Play, customer: Customer, calls: int) -> None:
    rang = f"one INVITE to {customer.letter}" if calls else f"no INVITE to {customer.letter}"
    with play.teller.step("Postgres", f"has {customer.letter}: Closed / handled; {rang}"):
        row = await play.postgres.when(customer.number, status="closed", outcome="handled")
        expect("the interaction's id", customer.id, row["id"])
        expect("INVITEs at the customer's phone", calls, len(customer.phone.invites))
        expect("dials in Postgres", ["answered"] * calls, await play.postgres.attempts(customer.id))


async def _killed(play: Play, when: str) -> None:
    with play.teller.step("Ringback", f"service killed (-9) {when}: replaced") as step:
        step.took(await kill_service(play.stage), "kill -9 → ready again")
