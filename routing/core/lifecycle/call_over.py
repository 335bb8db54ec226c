"""A call is over, on whichever side it ended: redial, wrap up, try again later, or go to somebody else (T20–T24)."""

from routing.core import outcomes, retries
from routing.core.feed import SYSTEM, FeedEvent, agent_actor
from routing.core.interaction import Deadline, Leg, LegState, Outcome, Role, Stage, Status, Subtype
from routing.core.lifecycle import after_call, closing, line, ringing, scheduled
from routing.core.lifecycle.change import Change


def talk_over(c: Change, ended_by: str) -> None:
    """Either side ended it: a callback can be dialled again (T20), an inbound call goes to wrap-up (T21)."""
    actors = {"agent": agent_actor(c.it.assigned_to or ""), "operator": c.actor}
    c.tell(FeedEvent.CALL_ENDED, actors.get(ended_by, ended_by), by=ended_by)
    c.end_attempt(Outcome.ANSWERED)
    for role in Role:
        c.drop(role)
    if c.it.subtype is Subtype.CALLBACK:
        ready_to_call(c)
    else:
        after_call.wrap_up(c)


def ready_to_call(c: Change) -> None:
    c.clear_all()
    c.set(stage=Stage.READY_TO_CALL)
    c.tell(FeedEvent.READY_TO_CALL, SYSTEM)
    c.due_in(Deadline.READY_TO_CALL, c.queue.dial.ready_to_call)


def not_reached(c: Change, leg: Leg, cause: int | None, *, refused: bool) -> None:
    """The customer was not reached, or hung up before the agent was there (T22)."""
    if leg.state is LegState.UP:
        c.end_attempt(Outcome.CUSTOMER_HUNG_UP)
    else:
        c.end_attempt(outcomes.of_dial(cause, refused=refused), cause)
    c.drop(Role.AGENT)
    ready_to_call(c)


def end_call(c: Change, by: str) -> None:
    """The End Call button, at any stage before ready to call, of the agent or of an operator."""
    if c.it.stage is Stage.TALKING:
        talk_over(c, ended_by=by)
        return
    if c.it.subtype is Subtype.INBOUND:
        c.drop(Role.AGENT)
        without_agent(c)
        return
    c.tell(FeedEvent.CALL_ENDED, by=by)
    c.end_attempt(Outcome.AGENT_LOST)
    c.drop(Role.CUSTOMER)
    c.drop(Role.AGENT)
    ready_to_call(c)


def conclude(c: Change) -> None:
    """Done, or the time to redial is over: wrap up a talk, plan another try, or give up (T24)."""
    if c.it.was_answered:
        after_call.wrap_up(c)
        return
    if not c.it.tries or c.it.tries[-1].outcome is Outcome.AGENT_LOST:
        ringing.exclude(c)  # the agent let it go: somebody else is next
    delay = retries.delay_after(c.it.tries, c.queue.dial) if c.it.tries else 0.0
    if delay is None:
        closing.give_up(c)
    else:
        scheduled.schedule_retry(c, delay)


# Without the agent


def without_agent(c: Change) -> None:
    """It goes to somebody else."""
    ringing.exclude(c)
    c.end_attempt(Outcome.AGENT_LOST)
    back_in_front(c)


def agent_died(c: Change, leg: Leg) -> None:
    """The agent's line died in a talk: the other side is still there, and goes to somebody else (F43)."""
    c.tell(FeedEvent.AGENT_LOST, SYSTEM, agent=leg.party)
    c.forget(leg)
    if caller := c.leg(Role.CALLER):
        c.music(caller)
    without_agent(c)


def back_in_front(c: Change) -> None:
    """To the front of the line; a customer who answered hears an apology first, never silence."""
    customer = c.leg(Role.CUSTOMER)
    if customer and customer.state is LegState.UP:
        _apologise(c, customer)
        return
    c.drop(Role.CUSTOMER)
    line.back_to_line(c, front=True)


def _apologise(c: Change, customer: Leg) -> None:
    c.clear_all()
    c.set(status=Status.BOT, stage=Stage.APOLOGY, assigned_to=None)
    c.tell(FeedEvent.APOLOGISED, SYSTEM)
    c.say(customer, "apology")
