"""The number rules said no as the decision was to be stored: nobody is promised what will not be kept, and nobody is
called. Rules and their names: `routing.core.numbers.rules`.
"""

from dataclasses import replace

from routing.core.events import NumberRefused
from routing.core.feed import SYSTEM, FeedEvent
from routing.core.interaction import (
    AgentPreferences,
    Deadline,
    Ended,
    LegState,
    Outcome,
    Role,
    Stage,
    Status,
    Subtype,
)
from routing.core.lifecycle import after_call, asking, closing, line
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.dialogues import number_entry
from routing.core.numbers import PERMANENT, Rule

_NOT_THE_NUMBERS = frozenset({Rule.ENABLED, Rule.REGISTER, Rule.MAX_PENDING, Rule.REQUESTS_PER_SOURCE})


def number_refused(c: Change, event: NumberRefused) -> None:
    """A caller is told, and waits on; a callback is closed as `blocked`, or held until it may be called."""
    if c.it.status is Status.BOT and c.it.stage in asking.ASKS_FOR_CALLBACK:
        c.tell(FeedEvent.NUMBER_REFUSED, SYSTEM, rule=event.rule)
        _tell_caller(c, event.rule)
    elif c.it.subtype is Subtype.CALLBACK and _not_called_yet(c):
        c.tell(FeedEvent.NUMBER_REFUSED, SYSTEM, rule=event.rule, agent=c.it.assigned_to, until=event.until)
        _do_not_call(c, event)
    else:
        c.ignore()


def _tell_caller(c: Change, rule: str) -> None:
    """Another number may be entered where the queue allows it; a request for the caller's own number stands."""
    another = c.queue.callback.alternate_number and rule not in _NOT_THE_NUMBERS
    if another and c.it.stage is Stage.MENU:
        asking.enter_number(c, "invalid-number")
    elif another:
        c.set(stage=Stage.NUMBER_ENTRY)
        number_entry.once_more(c, "invalid-number")
    elif c.it.request.requested_at:
        c.set(waiting=replace(c.it.waiting, digits=""))
        asking.book(c)
    else:
        asking.leave_dialogue(c, "cannot-call-back")


def _not_called_yet(c: Change) -> bool:
    """It waits, is offered, or the agent's phone rings first, or its dial may never have left (`restart`); a redial
    that is refused leaves everything as it is."""
    if c.it.status is Status.CONNECTED:
        customer = c.leg(Role.CUSTOMER)
        return customer.state is LegState.REQUESTED if customer else c.it.stage is Stage.AGENT_RINGING
    return c.it.status in (Status.OPEN, Status.OFFERED, Status.SCHEDULED)


def _do_not_call(c: Change, event: NumberRefused) -> None:
    c.end_attempt(Outcome.UNKNOWN)
    c.drop(Role.CUSTOMER)
    never = event.rule in PERMANENT or (event.rule == Rule.WINDOW and event.until is None)
    if c.it.was_answered and c.it.status is Status.CONNECTED:
        c.drop(Role.AGENT)
        after_call.wrap_up(c)
    elif never:
        c.set(assigned_to=None, desk=AgentPreferences())
        closing.close(c, Ended.BLOCKED)
    else:
        _hold(c, event)


def _hold(c: Change, event: NumberRefused) -> None:
    """At its place in line, but not offered before that time. A queue switched off offers none anyhow."""
    c.set(place=replace(c.it.place, not_before=event.until or c.it.place.not_before))
    if event.rule == Rule.WINDOW and event.until:
        c.put_off(Deadline.EXPIRY, event.until - c.now)  # what it was given to be called in is not used up by nights
    if c.it.status in (Status.OFFERED, Status.CONNECTED):
        c.drop(Role.AGENT)
        line.back_to_line(c, front=False)
