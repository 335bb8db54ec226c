"""Offered: reserved for one agent, whose phone rings and whose page shows a preview (T8–T11, T13, T14)."""

from routing.core import outcomes
from routing.core.errors import Forbidden, NotOffered
from routing.core.events import (
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    OfferAccepted,
    OfferRejected,
    OfferWithdrawn,
    PromptFinished,
)
from routing.core.feed import SYSTEM, FeedEvent, agent_actor
from routing.core.interaction import LegState, Role
from routing.core.lifecycle import closing, connecting, line, ringing, workflow
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.denied import deny


def when_offered(c: Change, event: Event) -> None:
    leg = c.it.leg_with(event.leg) if isinstance(event, LegRinging | LegAnswered | LegGone) else None
    match event:
        case OfferAccepted(agent):
            _check(c, agent)
            connecting.accept(c, "api")
        case OfferRejected(agent):
            _check(c, agent)
            _reject(c)
        case OfferWithdrawn(agent, reason) if agent == c.it.assigned_to:
            c.tell(FeedEvent.OFFER_WITHDRAWN, SYSTEM, agent=agent, reason=reason)
            line.take_back(c)
        case LegRinging() if leg and leg.role is Role.AGENT and leg.state is LegState.REQUESTED:
            c.mark(leg, LegState.RINGING)
            c.tell(FeedEvent.AGENT_RINGING, SYSTEM, agent=leg.party)
        case LegAnswered() if leg and leg.role is Role.AGENT:
            c.mark(leg, LegState.UP)
            c.actor = agent_actor(leg.party)
            connecting.accept(c, "phone")
        case LegGone(_, cause, refused, certain, lost) if leg and leg.role is Role.AGENT:
            c.gone(leg, certain=certain)
            _phone_gone(c, cause, refused=refused, lost=lost)
        case LegGone(lost=lost) if leg and leg.role is Role.CALLER:
            c.forget(leg)
            c.drop(Role.AGENT)
            closing.lose(c) if lost else closing.abandon(c)
        case PromptFinished(_, say) if say == c.it.playing:
            c.said()
            workflow.end_step(c)
        case _:
            deny(c, event)


def _check(c: Change, agent: str) -> None:
    if agent != c.it.assigned_to:
        raise NotOffered


def _reject(c: Change) -> None:
    if not c.queue.offer.reject_allowed:
        raise Forbidden("This queue does not let agents reject an offer.")
    c.tell(FeedEvent.REJECTED, agent=c.it.assigned_to)
    line.take_back(c)


def offer_over(c: Change) -> None:
    """The countdown ends and accepts, or the agent did nothing and it goes to the next one (RONA)."""
    agent = c.it.assigned_to or ""
    if ringing.accepts_itself(c):
        connecting.accept(c, "countdown")
        return
    c.tell(FeedEvent.RONA, SYSTEM, agent=agent)
    if c.queue.offer.rona_not_ready:
        c.make_not_ready(agent, "rona")
    line.take_back(c)


def _phone_gone(c: Change, cause: int | None, *, refused: bool, lost: bool) -> None:
    """The agent pressed the red button, or the phone is not there. Lost by us, it may be offered to them again."""
    agent = c.it.assigned_to or ""
    if lost:
        c.tell(FeedEvent.AGENT_LEG_LOST, SYSTEM, agent=agent)
        line.back_to_line(c, front=False)
        return
    if cause in outcomes.DECLINED:
        c.tell(FeedEvent.REJECTED, agent_actor(agent), agent=agent, sip_cause=cause)
    else:
        c.tell(FeedEvent.AGENT_LEG_GONE, SYSTEM, agent=agent, sip_cause=cause, refused=refused)
    if outcomes.unreachable(cause, refused=refused):
        c.make_not_ready(agent, "phone_unreachable")
    line.take_back(c)
