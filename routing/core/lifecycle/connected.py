"""Connected: an agent owns it, from the moment of accepting. The call back goes out at once (T11, T12, T15–T24).

The customer is dialled only when the agent's phone is known
to ring (`on_alert`) or was answered (`agent_first`).
"""

from routing.core import outcomes, retries
from routing.core.effects import DialCustomer, Join, Part, RingTone
from routing.core.errors import NotOffered
from routing.core.events import (
    CallEnded,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    OfferAccepted,
    Redialled,
    SayFinished,
    WorkDone,
)
from routing.core.interaction import Attempt, Deadline, Desk, Leg, LegState, Outcome, Role, Stage, Status, Subtype
from routing.core.lifecycle import ending, offered, waiting
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.refusals import refuse
from routing.core.numbers import shown_to_customers

ALERT_WITHIN = 3.0
"""Seconds an accepting agent's phone has to ring; after that the customer waits for it to be answered."""


# Getting connected


def accept(c: Change, by: str) -> None:
    """The offered agent takes it: by answering the phone, by the page, or by letting the countdown end."""
    c.tell("accepted", f"agent:{c.it.assigned_to}", agent=c.it.assigned_to, by=by)
    _connect(c, auto_answer=by == "countdown" and c.it.desk.auto_answer)


def pick_up(c: Change, agent: str, desk: Desk) -> None:
    """An agent takes it from the Home List (T12)."""
    c.set(assigned_to=agent, desk=desk)
    c.tell("picked_up", agent=agent)
    _connect(c, auto_answer=desk.auto_answer)


def _connect(c: Change, *, auto_answer: bool) -> None:
    c.clear(Deadline.OFFER)
    c.set(status=Status.CONNECTED, stage=Stage.AGENT_RINGING, connected_at=c.now, front=False)
    if c.it.waiting.playing and (caller := c.leg(Role.CALLER)):
        c.hush(caller)
        c.music(caller)
    offered.ring_agent(c, c.it.assigned_to or "", auto_answer=auto_answer)
    proceed(c)


def proceed(c: Change) -> None:
    """As far as the agent's leg allows: talk, dial, or wait for the agent's phone."""
    agent = c.leg(Role.AGENT)
    if agent is None:
        return
    if agent.state is not LegState.UP and Deadline.ANSWER not in c.it.deadlines:
        c.due_in(Deadline.ANSWER, c.queue.offer.answer_timeout)
    if c.it.subtype is Subtype.INBOUND:
        if agent.state is LegState.UP:
            _talk(c, Role.CALLER)
    elif agent.state is LegState.UP or (agent.state is LegState.RINGING and _on_alert(c)):
        _dial(c)
    elif agent.state is LegState.ASKED and _on_alert(c):
        c.due_in(Deadline.ALERT, ALERT_WITHIN)


def _on_alert(c: Change) -> bool:
    """Whether a ringing agent's phone is enough. Not when the system accepted for an agent who may be away."""
    if offered.accepts_itself(c) and not c.it.desk.auto_answer:
        return False
    return c.queue.dial.order == "on_alert"


def no_alert(c: Change) -> None:
    """The phone did not ring in time: from here on the agent has to answer first."""
    c.tell("no_alert", "system", agent=c.it.assigned_to)


def _dial(c: Change) -> None:
    """One attempt, one customer leg (I3). The channel id is the attempt's id."""
    c.clear(Deadline.ALERT)
    number = c.it.number or ""
    leg = c.new_leg(Role.CUSTOMER, number)
    attempt = Attempt(leg.id, len(c.it.attempts) + 1, c.it.assigned_to or "", c.now)
    c.set(stage=Stage.DIALING, attempts=(*c.it.attempts, attempt))
    c.due_in(Deadline.RING, c.queue.dial.ring_timeout)
    c.tell("dialing", "system", attempt=attempt.n, agent=attempt.agent)
    c.do(customer_call(c, leg))
    _ring_tone(c)


def customer_call(c: Change, leg: Leg, *, made: bool = False) -> DialCustomer:
    caller_id = shown_to_customers(c.queue, c.it.dialled_number)
    timeout = c.queue.dial.ring_timeout + offered.RING_MARGIN
    return DialCustomer(leg.id, c.it.id.hex, leg.party, caller_id, timeout, made)


def _ring_tone(c: Change) -> None:
    agent = c.leg(Role.AGENT)
    if agent and agent.state is LegState.UP:
        c.do(RingTone(agent.id))


def _talk(c: Change, role: Role) -> None:
    """Both are there: let them talk (A3)."""
    far, agent = c.leg(role), c.leg(Role.AGENT)
    if far is None or agent is None:
        return
    if c.it.waiting.playing:
        c.hush(far)
    c.clear_all()
    c.set(stage=Stage.TALKING)
    c.tell("talking", "system", agent=c.it.assigned_to)
    c.do(Join(c.it.bridge, (far.id, agent.id)))


# What happens meanwhile


def when_connected(c: Change, event: Event) -> None:
    leg = c.it.leg_with(event.leg) if isinstance(event, LegRinging | LegAnswered | LegGone) else None
    match event:
        case LegRinging() if leg and leg.state is LegState.ASKED:
            _leg_ringing(c, leg)
        case LegAnswered() if leg and leg.state is not LegState.UP:
            _leg_answered(c, leg)
        case LegGone(_, cause, refused, certain, lost) if leg:
            c.gone(leg, certain=certain)
            if lost:
                _leg_lost(c, leg)
            else:
                _leg_gone(c, leg, cause, refused=refused)
        case SayFinished(_, say) if say == c.it.waiting.playing:
            greeting_over(c)
        case OfferAccepted(agent):
            if agent != c.it.assigned_to:  # the same agent's second way of accepting changes nothing
                raise NotOffered
            c.ignore()
        case CallEnded(agent) if agent == c.it.assigned_to and c.it.stage is not Stage.READY_TO_CALL:
            end_call(c, by="agent")
        case Redialled(agent) if agent == c.it.assigned_to and c.it.stage is Stage.READY_TO_CALL:
            _redial(c, agent)
        case WorkDone(agent, disposition, note) if agent == c.it.assigned_to:
            if c.it.stage is not Stage.READY_TO_CALL:
                refuse(c, event)
            ending.note_disposition(c, disposition, note)
            conclude(c)
        case _:
            refuse(c, event)


def _leg_ringing(c: Change, leg: Leg) -> None:
    c.mark(leg, LegState.RINGING)
    if leg.role is Role.CUSTOMER:
        c.set(stage=Stage.RINGING)
        c.tell("customer_ringing", "customer")
    else:
        c.tell("agent_ringing", "system", agent=leg.party)
        if Deadline.ALERT in c.it.deadlines:
            proceed(c)


def _leg_answered(c: Change, leg: Leg) -> None:
    c.mark(leg, LegState.UP)
    if leg.role is Role.CUSTOMER:
        _customer_answered(c, leg)
    else:
        _agent_answered(c, leg)


def _customer_answered(c: Change, leg: Leg) -> None:
    c.clear(Deadline.RING)
    c.attempt_answered()
    c.tell("customer_answered", "customer")
    agent = c.leg(Role.AGENT)
    if agent and agent.state is LegState.UP:
        _talk(c, Role.CUSTOMER)
        return
    c.set(stage=Stage.AGENT_RINGING)  # never a silent call: greet, then music, until the agent lifts
    c.say(leg, "greeting")


def greeting_over(c: Change) -> None:
    c.said()
    for leg in c.it.legs:
        if leg.role is not Role.AGENT and leg.state is LegState.UP:
            c.music(leg)


def _agent_answered(c: Change, leg: Leg) -> None:
    c.clear(Deadline.ANSWER, Deadline.ALERT)
    c.tell("agent_answered", f"agent:{leg.party}", agent=leg.party)
    customer = c.leg(Role.CUSTOMER)
    if customer is None:
        proceed(c)
    elif customer.state is LegState.UP:
        _talk(c, Role.CUSTOMER)
    else:
        _ring_tone(c)


def _leg_gone(c: Change, leg: Leg, cause: int | None, *, refused: bool) -> None:
    if c.it.stage is Stage.TALKING:
        _talk_over(c, ended_by="agent" if leg.role is Role.AGENT else "customer")
        return
    match leg.role:
        case Role.AGENT:
            _agent_lost(c, leg, cause, refused=refused)
        case Role.CUSTOMER:
            _not_reached(c, leg, cause, refused=refused)
        case Role.CALLER:
            c.drop(Role.AGENT)
            waiting.abandon(c)


def _leg_lost(c: Change, leg: Leg) -> None:
    """The telephones failed: a talk is over, a call that was just being made is made again, by whoever is free."""
    if c.it.stage is Stage.TALKING:
        _talk_over(c, ended_by="system")
        return
    if leg.role is Role.CALLER:
        c.drop(Role.AGENT)
        waiting.lose(c)
        return
    c.tell("call_lost", "system", role=leg.role)
    c.end_attempt(Outcome.ERROR)
    c.drop(Role.AGENT)
    _back_in_front(c)


# The end of a call


def _talk_over(c: Change, ended_by: str) -> None:
    """Either side ended it: a callback can be dialled again (T20), an inbound call goes to wrap-up (T21)."""
    actors = {"agent": f"agent:{c.it.assigned_to}", "operator": c.actor}
    c.tell("call_ended", actors.get(ended_by, ended_by), by=ended_by)
    c.end_attempt(Outcome.ANSWERED)
    for role in Role:
        c.drop(role)
    c.do(Part(c.it.bridge))
    if c.it.subtype is Subtype.CALLBACK:
        _ready_to_call(c)
    else:
        ending.wrap_up(c)


def _ready_to_call(c: Change) -> None:
    c.clear_all()
    c.said()
    c.set(stage=Stage.READY_TO_CALL)
    c.tell("ready_to_call", "system")
    c.due_in(Deadline.READY_TO_CALL, c.queue.dial.ready_to_call)


def _not_reached(c: Change, leg: Leg, cause: int | None, *, refused: bool) -> None:
    """The customer was not reached, or hung up before the agent was there (T22)."""
    if leg.state is LegState.UP:
        c.end_attempt(Outcome.CUSTOMER_HUNG_UP)
    else:
        c.end_attempt(outcomes.of_dial(cause, refused=refused), cause)
    c.drop(Role.AGENT)
    _ready_to_call(c)


def no_answer_from_customer(c: Change) -> None:
    """The customer's phone rang long enough."""
    c.drop(Role.CUSTOMER)
    c.end_attempt(Outcome.NO_ANSWER)
    c.drop(Role.AGENT)
    _ready_to_call(c)


def _agent_lost(c: Change, leg: Leg, cause: int | None, *, refused: bool) -> None:
    """The agent hung up or the phone was lost before the customer was there (T23)."""
    c.tell("agent_lost", f"agent:{leg.party}", agent=leg.party, sip_cause=cause)
    if leg.state is not LegState.UP and outcomes.unreachable(cause, refused=refused):
        c.make_not_ready(leg.party, "phone_unreachable")
    without_agent(c)


def agent_died(c: Change, leg: Leg) -> None:
    """The agent's line died in a talk: the other side is still there, and goes to somebody else (F43)."""
    c.tell("agent_lost", "system", agent=leg.party)
    c.forget(leg)
    c.do(Part(c.it.bridge))
    if caller := c.leg(Role.CALLER):
        c.music(caller)
    without_agent(c)


def no_answer_from_agent(c: Change) -> None:
    """Accepted, but the phone was never lifted."""
    agent = c.it.assigned_to or ""
    c.tell("rona", "system", agent=agent)
    if c.queue.offer.rona_not_ready:
        c.make_not_ready(agent, "rona")
    c.drop(Role.AGENT)
    without_agent(c)


def without_agent(c: Change) -> None:
    """It goes to somebody else."""
    offered.exclude(c)
    c.end_attempt(Outcome.AGENT_LOST)
    _back_in_front(c)


def _back_in_front(c: Change) -> None:
    """To the front of the line; a customer who answered hears an apology first, never silence."""
    customer = c.leg(Role.CUSTOMER)
    if customer and customer.state is LegState.UP:
        _apologise(c, customer)
        return
    c.drop(Role.CUSTOMER)
    waiting.back_to_line(c, front=True)


def _apologise(c: Change, customer: Leg) -> None:
    c.clear_all()
    c.set(status=Status.BOT, stage=Stage.APOLOGY, assigned_to=None)
    c.tell("apologised", "system")
    c.say(customer, "apology")


def end_call(c: Change, by: str) -> None:
    """The End Call button, at any stage before ready to call, of the agent or of an operator."""
    if c.it.stage is Stage.TALKING:
        _talk_over(c, ended_by=by)
        return
    if c.it.subtype is Subtype.INBOUND:
        c.drop(Role.AGENT)
        without_agent(c)
        return
    c.tell("call_ended", by=by)
    c.end_attempt(Outcome.AGENT_LOST)
    c.drop(Role.CUSTOMER)
    c.drop(Role.AGENT)
    _ready_to_call(c)


# Ready to call


def _redial(c: Change, agent: str) -> None:
    c.clear(Deadline.READY_TO_CALL)
    c.set(stage=Stage.AGENT_RINGING)
    c.tell("redialled", agent=agent)
    offered.ring_agent(c, agent, auto_answer=c.it.desk.auto_answer)
    proceed(c)


def conclude(c: Change) -> None:
    """Done, or the time to redial is over: wrap up a talk, plan another try, or give up (T24)."""
    if c.it.was_answered:
        ending.wrap_up(c)
        return
    if not c.it.tries or c.it.tries[-1].outcome is Outcome.AGENT_LOST:
        offered.exclude(c)  # the agent let it go: somebody else is next
    delay = retries.delay_after(c.it.tries, c.queue.dial) if c.it.tries else 0.0
    if delay is None:
        ending.give_up(c)
    else:
        ending.schedule_retry(c, delay)
