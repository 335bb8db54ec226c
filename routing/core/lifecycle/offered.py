"""Offered: reserved for one agent, whose phone rings and whose page shows a preview (T8–T11, T13, T14)."""

from datetime import timedelta

from routing.core import outcomes
from routing.core.effects import RingAgent
from routing.core.errors import Forbidden, NotOffered
from routing.core.events import (
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    OfferAccepted,
    OfferRejected,
    OfferWithdrawn,
    SayFinished,
)
from routing.core.interaction import Deadline, Desk, Leg, LegState, Role, Status
from routing.core.lifecycle import connected, waiting
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.refusals import refuse

RING_MARGIN = 5.0
"""Seconds Asterisk rings on after our own deadline, so that ours decides."""


def offer(c: Change, agent: str, desk: Desk) -> None:
    c.set(status=Status.OFFERED, assigned_to=agent, desk=desk)
    auto = accepts_itself(c)
    c.due_in(Deadline.OFFER, c.queue.offer.countdown if auto else c.queue.offer.accept_timeout)
    c.tell("offered", "system", agent=agent, accept_mode="auto" if auto else "manual")
    if not (auto and desk.auto_answer):  # a phone that lifts by itself would cut the countdown short
        ring_agent(c, agent)


def accepts_itself(c: Change) -> bool:
    """Whether the offer is accepted when its countdown ends; the agent's own setting wins."""
    return (c.it.desk.accept_mode or c.queue.offer.accept_mode) == "auto"


def ring_agent(c: Change, agent: str, *, auto_answer: bool = False) -> None:
    """Ring the agent's phone, unless it rings already."""
    if c.leg(Role.AGENT):
        return
    c.do(agent_call(c, c.new_leg(Role.AGENT, agent), auto_answer=auto_answer))


def agent_call(c: Change, leg: Leg, *, auto_answer: bool = False) -> RingAgent:
    timeout = c.queue.offer.accept_timeout + c.queue.offer.answer_timeout + RING_MARGIN
    shown = c.it.number or "anonymous"
    return RingAgent(leg.id, c.it.id.hex, leg.party, shown, timeout, auto_answer)


def when_offered(c: Change, event: Event) -> None:
    leg = c.it.leg_with(event.leg) if isinstance(event, LegRinging | LegAnswered | LegGone) else None
    match event:
        case OfferAccepted(agent):
            _check(c, agent)
            connected.accept(c, "api")
        case OfferRejected(agent):
            _check(c, agent)
            _reject(c)
        case OfferWithdrawn(agent, reason) if agent == c.it.assigned_to:
            c.tell("offer_withdrawn", "system", agent=agent, reason=reason)
            take_back(c)
        case LegRinging() if leg and leg.role is Role.AGENT and leg.state is LegState.ASKED:
            c.mark(leg, LegState.RINGING)
            c.tell("agent_ringing", "system", agent=leg.party)
        case LegAnswered() if leg and leg.role is Role.AGENT:
            c.mark(leg, LegState.UP)
            c.actor = f"agent:{leg.party}"
            connected.accept(c, "phone")
        case LegGone(_, cause, refused, certain, lost) if leg and leg.role is Role.AGENT:
            c.gone(leg, certain=certain)
            _phone_gone(c, cause, refused=refused, lost=lost)
        case LegGone(lost=lost) if leg and leg.role is Role.CALLER:
            c.forget(leg)
            c.drop(Role.AGENT)
            waiting.lose(c) if lost else waiting.abandon(c)
        case SayFinished(_, say) if say == c.it.waiting.playing:
            c.said()
            waiting.end_step(c)
        case _:
            refuse(c, event)


def _check(c: Change, agent: str) -> None:
    if agent != c.it.assigned_to:
        raise NotOffered


def _reject(c: Change) -> None:
    if not c.queue.offer.reject_allowed:
        raise Forbidden("This queue does not let agents reject an offer.")
    c.tell("rejected", agent=c.it.assigned_to)
    take_back(c)


def offer_over(c: Change) -> None:
    """The countdown ends and accepts, or the agent did nothing and it goes to the next one (RONA)."""
    agent = c.it.assigned_to or ""
    if accepts_itself(c):
        connected.accept(c, "countdown")
        return
    c.tell("rona", "system", agent=agent)
    if c.queue.offer.rona_not_ready:
        c.make_not_ready(agent, "rona")
    take_back(c)


def _phone_gone(c: Change, cause: int | None, *, refused: bool, lost: bool) -> None:
    """The agent pressed the red button, or the phone is not there. Lost by us, it may be offered to them again."""
    agent = c.it.assigned_to or ""
    if lost:
        c.tell("agent_leg_lost", "system", agent=agent)
        waiting.back_to_line(c, front=False)
        return
    if cause in outcomes.DECLINED:
        c.tell("rejected", f"agent:{agent}", agent=agent, sip_cause=cause)
    else:
        c.tell("agent_leg_gone", "system", agent=agent, sip_cause=cause, refused=refused)
    if outcomes.unreachable(cause, refused=refused):
        c.make_not_ready(agent, "phone_unreachable")
    take_back(c)


def take_back(c: Change) -> None:
    """To its place in line; this agent is passed over for a while."""
    exclude(c)
    c.drop(Role.AGENT)
    waiting.back_to_line(c, front=False)


def exclude(c: Change) -> None:
    if agent := c.it.assigned_to:
        until = c.now + timedelta(seconds=c.queue.offer.exclude)
        kept = {each: at for each, at in c.it.excluded.items() if at > c.now}
        c.set(excluded={**kept, agent: until})
