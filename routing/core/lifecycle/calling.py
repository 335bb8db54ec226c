"""Connected: an agent owns it, from accepting until the call is over and the time to redial has passed."""

from routing.core import outcomes
from routing.core.errors import NotOffered
from routing.core.events import (
    CallEnded,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    OfferAccepted,
    PromptFinished,
    Redialled,
    WorkDone,
)
from routing.core.feed import CUSTOMER, SYSTEM, FeedEvent, agent_actor
from routing.core.interaction import Deadline, Leg, LegState, Outcome, Role, Stage
from routing.core.lifecycle import after_call, call_over, closing, connecting, ringing
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.denied import deny


def when_connected(c: Change, event: Event) -> None:
    leg = c.it.leg_with(event.leg) if isinstance(event, LegRinging | LegAnswered | LegGone) else None
    match event:
        case LegRinging() if leg and leg.state is LegState.REQUESTED:
            _leg_ringing(c, leg)
        case LegAnswered() if leg and leg.state is not LegState.UP:
            _leg_answered(c, leg)
        case LegGone(_, cause, refused, certain, lost) if leg:
            c.gone(leg, certain=certain)
            if lost:
                _leg_lost(c, leg)
            else:
                _leg_gone(c, leg, cause, refused=refused)
        case PromptFinished(_, say) if say == c.it.playing:
            greeting_over(c)
        case OfferAccepted(agent):
            if agent != c.it.assigned_to:  # the same agent's second way of accepting changes nothing
                raise NotOffered
            c.ignore()
        case CallEnded(agent) if agent == c.it.assigned_to and c.it.stage is not Stage.READY_TO_CALL:
            call_over.end_call(c, by="agent")
        case Redialled(agent) if agent == c.it.assigned_to and c.it.stage is Stage.READY_TO_CALL:
            _redial(c, agent)
        case WorkDone(agent, disposition, note) if agent == c.it.assigned_to:
            if c.it.stage is not Stage.READY_TO_CALL:
                deny(c, event)
            after_call.note_disposition(c, disposition, note)
            call_over.conclude(c)
        case _:
            deny(c, event)


def _leg_ringing(c: Change, leg: Leg) -> None:
    c.mark(leg, LegState.RINGING)
    if leg.role is Role.CUSTOMER:
        c.set(stage=Stage.RINGING)
        c.tell(FeedEvent.CUSTOMER_RINGING, CUSTOMER)
    else:
        c.tell(FeedEvent.AGENT_RINGING, SYSTEM, agent=leg.party)
        if Deadline.AGENT_ALERT in c.it.deadlines:
            connecting.proceed(c)


def _leg_answered(c: Change, leg: Leg) -> None:
    c.mark(leg, LegState.UP)
    if leg.role is Role.CUSTOMER:
        _customer_answered(c, leg)
    else:
        _agent_answered(c, leg)


def _customer_answered(c: Change, leg: Leg) -> None:
    c.clear(Deadline.CUSTOMER_ANSWER)
    c.attempt_answered()
    c.tell(FeedEvent.CUSTOMER_ANSWERED, CUSTOMER)
    agent = c.leg(Role.AGENT)
    if agent and agent.state is LegState.UP:
        connecting.talk(c, Role.CUSTOMER)
        return
    c.set(stage=Stage.AGENT_RINGING)  # never a silent call: greet, then music, until the agent lifts
    c.say(leg, "greeting")


def greeting_over(c: Change) -> None:
    c.said()
    for leg in c.it.legs:
        if leg.role is not Role.AGENT and leg.state is LegState.UP:
            c.music(leg)


def _agent_answered(c: Change, leg: Leg) -> None:
    c.clear(Deadline.AGENT_ANSWER, Deadline.AGENT_ALERT)
    c.tell(FeedEvent.AGENT_ANSWERED, agent_actor(leg.party), agent=leg.party)
    customer = c.leg(Role.CUSTOMER)
    if customer is None:
        connecting.proceed(c)
    elif customer.state is LegState.UP:
        connecting.talk(c, Role.CUSTOMER)
    else:
        ringing.ring_tone(c)


def _leg_gone(c: Change, leg: Leg, cause: int | None, *, refused: bool) -> None:
    if c.it.stage is Stage.TALKING:
        call_over.talk_over(c, ended_by="agent" if leg.role is Role.AGENT else "customer")
        return
    match leg.role:
        case Role.AGENT:
            _agent_lost(c, leg, cause, refused=refused)
        case Role.CUSTOMER:
            call_over.not_reached(c, leg, cause, refused=refused)
        case Role.CALLER:
            c.drop(Role.AGENT)
            closing.abandon(c)


def _leg_lost(c: Change, leg: Leg) -> None:
    """Asterisk failed: a talk is over, a call that was just being made is made again, by whoever is free."""
    if c.it.stage is Stage.TALKING:
        call_over.talk_over(c, ended_by="system")
        return
    if leg.role is Role.CALLER:
        c.drop(Role.AGENT)
        closing.lose(c)
        return
    c.tell(FeedEvent.CALL_LOST, SYSTEM, role=leg.role)
    c.end_attempt(Outcome.ERROR)
    c.drop(Role.AGENT)
    call_over.back_in_front(c)


def _agent_lost(c: Change, leg: Leg, cause: int | None, *, refused: bool) -> None:
    """The agent hung up or the phone was lost before the customer was there (T23)."""
    c.tell(FeedEvent.AGENT_LOST, agent_actor(leg.party), agent=leg.party, sip_cause=cause)
    if leg.state is not LegState.UP and outcomes.unreachable(cause, refused=refused):
        c.make_not_ready(leg.party, "phone_unreachable")
    call_over.without_agent(c)


def _redial(c: Change, agent: str) -> None:
    c.clear(Deadline.READY_TO_CALL)
    c.set(stage=Stage.AGENT_RINGING)
    c.tell(FeedEvent.REDIALLED, agent=agent)
    ringing.ring_agent(c, agent, auto_answer=c.it.desk.auto_answer)
    connecting.proceed(c)


# Nobody answered in time


def no_answer_from_customer(c: Change) -> None:
    """The customer's phone rang long enough."""
    c.drop(Role.CUSTOMER)
    c.end_attempt(Outcome.NO_ANSWER)
    c.drop(Role.AGENT)
    call_over.ready_to_call(c)


def no_answer_from_agent(c: Change) -> None:
    """Accepted, but the phone was never lifted."""
    agent = c.it.assigned_to or ""
    c.tell(FeedEvent.RONA, SYSTEM, agent=agent)
    if c.queue.offer.rona_not_ready:
        c.make_not_ready(agent, "rona")
    c.drop(Role.AGENT)
    call_over.without_agent(c)
