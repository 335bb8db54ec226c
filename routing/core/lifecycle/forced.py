"""What a supervisor forces, whoever has it and whatever Asterisk does: a call ends, an agent is freed.

The row says so first; what rings or talks is hung up behind it, and again after a restart. What is so already stays
so: nobody is refused. For an agent who only wants to be done there are `calling` and `after_call`.
"""

from routing.core.effects import HangUp
from routing.core.events import AgentReleased, CallStopped
from routing.core.feed import FeedEvent
from routing.core.interaction import Ended, Role, Stage, Status
from routing.core.lifecycle import after_call, call_over, closing, line
from routing.core.lifecycle.change import Change

HELD = (Status.OFFERED, Status.CONNECTED, Status.WRAP_UP)


def forced(c: Change, event: CallStopped | AgentReleased) -> None:
    match event:
        case CallStopped():
            _stop_call(c)
        case AgentReleased(agent=agent, reason=reason) if agent == c.it.assigned_to and c.it.status in HELD:
            c.tell(FeedEvent.AGENT_RELEASED, agent=agent, reason=reason)
            _release(c)
        case _:
            pass  # freed meanwhile, or never theirs


# The call


def _stop_call(c: Change) -> None:
    """A request that was committed survives its call, and so does a callback: that is cancelled by itself."""
    match c.it.status:
        case Status.OPEN | Status.BOT | Status.OFFERED if c.leg(Role.CALLER):
            _stop_caller(c)
        case Status.BOT:
            c.tell(FeedEvent.CALL_ENDED, by="operator")
            c.drop(Role.CUSTOMER)
            line.back_to_line(c, front=True)
        case Status.OFFERED:
            _withdraw(c, "call_ended")
        case Status.CONNECTED if c.leg(Role.CALLER) and c.it.stage is not Stage.TALKING:
            _stop_caller(c)
        case Status.CONNECTED if c.it.stage is not Stage.READY_TO_CALL:
            call_over.end_call(c, by="operator")
        case _:
            pass  # there is no call


def _stop_caller(c: Change) -> None:
    c.tell(FeedEvent.CALL_ENDED, by="operator")
    c.drop(Role.AGENT)
    c.drop(Role.CALLER)
    if c.it.request.requested_at:
        line.convert(c)
    else:
        closing.close(c, c.it.outcome or Ended.STOPPED)


# The agent


def _release(c: Change) -> None:
    match c.it.status:
        case Status.OFFERED:
            _withdraw(c, "released")
        case Status.CONNECTED if c.it.stage is Stage.READY_TO_CALL:
            call_over.conclude(c)
            _close_wrap_up(c)
        case Status.CONNECTED:
            _lose(c)
        case _:
            _close_wrap_up(c)


def _lose(c: Change) -> None:
    """What is left of the call goes to somebody else, as when an agent's line dies."""
    leg = c.leg(Role.AGENT)
    if leg and c.it.stage is Stage.TALKING:
        c.do(HangUp(leg.id))
        call_over.agent_died(c, leg)
    else:
        c.drop(Role.AGENT)
        call_over.without_agent(c)


def _withdraw(c: Change, reason: str) -> None:
    c.tell(FeedEvent.OFFER_WITHDRAWN, agent=c.it.assigned_to, reason=reason)
    line.take_back(c)


def _close_wrap_up(c: Change) -> None:
    if c.it.status is Status.WRAP_UP:
        after_call.wrap_up_over(c)
