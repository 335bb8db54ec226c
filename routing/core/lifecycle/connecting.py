"""From accepting to talking: the call back goes out at once (T11, T12, T15–T19).

The customer is dialled only when the agent's phone is known to ring (`on_alert`) or was answered (`agent_first`).
"""

from dataclasses import replace

from routing.core.feed import SYSTEM, FeedEvent, agent_actor
from routing.core.interaction import MAIN, AgentPreferences, Attempt, Deadline, LegState, Role, Stage, Status, Subtype
from routing.core.lifecycle import ringing
from routing.core.lifecycle.change import Change

ALERT_WITHIN = 3.0
"""Seconds an accepting agent's phone has to ring; after that the customer waits for it to be answered."""


def accept(c: Change, by: str) -> None:
    """The offered agent takes it: by answering the phone, by the page, or by letting the countdown end."""
    c.tell(FeedEvent.ACCEPTED, agent_actor(c.it.assigned_to or ""), agent=c.it.assigned_to, by=by)
    _connect(c, auto_answer=by == "countdown" and c.it.desk.auto_answer)


def pick_up(c: Change, agent: str, desk: AgentPreferences) -> None:
    """An agent takes it from the Home List (T12)."""
    c.set(assigned_to=agent, desk=desk)
    c.tell(FeedEvent.PICKED_UP, agent=agent)
    _connect(c, auto_answer=desk.auto_answer)


def _connect(c: Change, *, auto_answer: bool) -> None:
    c.clear(Deadline.OFFER)
    c.set(
        status=Status.CONNECTED, stage=Stage.AGENT_RINGING, connected_at=c.now, place=replace(c.it.place, front=False)
    )
    if caller := c.leg(Role.CALLER):
        c.music(caller)
    ringing.ring_agent(c, c.it.assigned_to or "", auto_answer=auto_answer)
    proceed(c)


def proceed(c: Change) -> None:
    """As far as the agent's leg allows: talk, dial, or wait for the agent's phone."""
    agent = c.leg(Role.AGENT)
    if agent is None:
        return
    if agent.state is not LegState.UP and Deadline.AGENT_ANSWER not in c.it.deadlines:
        c.due_in(Deadline.AGENT_ANSWER, c.queue.offer.answer_timeout)
    if c.it.subtype is Subtype.INBOUND:
        if agent.state is LegState.UP:
            talk(c, Role.CALLER)
    elif agent.state is LegState.UP or (agent.state is LegState.RINGING and _on_alert(c)):
        dial(c)
    elif agent.state is LegState.REQUESTED and _on_alert(c):
        c.due_in(Deadline.AGENT_ALERT, ALERT_WITHIN)


def _on_alert(c: Change) -> bool:
    """Whether a ringing agent's phone is enough. Not when the system accepted for an agent who may be away."""
    if ringing.accepts_itself(c) and not c.it.desk.auto_answer:
        return False
    return c.queue.dial.order == "on_alert"


def no_alert(c: Change) -> None:
    """The phone did not ring in time: from here on the agent has to answer first."""
    c.tell(FeedEvent.NO_ALERT, SYSTEM, agent=c.it.assigned_to)


def dial(c: Change) -> None:
    """One attempt, one customer leg (I3). The channel id is the attempt's id."""
    c.clear(Deadline.AGENT_ALERT)
    number = c.it.number or ""
    leg = c.new_leg(Role.CUSTOMER, number)
    attempt = Attempt(leg.id, len(c.it.attempts) + 1, c.it.assigned_to or "", c.now)
    c.set(stage=Stage.DIALING, attempts=(*c.it.attempts, attempt))
    c.due_in(Deadline.CUSTOMER_ANSWER, c.queue.dial.ring_timeout)
    c.tell(FeedEvent.DIALING, SYSTEM, attempt=attempt.n, agent=attempt.agent)
    c.do(ringing.customer_call(c, leg))
    ringing.ring_tone(c)


def talk(c: Change, role: Role) -> None:
    """Both are there: let them talk (A3)."""
    far, agent = c.leg(role), c.leg(Role.AGENT)
    if far is None or agent is None:
        return
    c.clear_all()
    c.set(stage=Stage.TALKING)
    c.tell(FeedEvent.TALKING, SYSTEM, agent=c.it.assigned_to)
    c.hear(far, MAIN)
    c.hear(agent, MAIN)
