"""The life of an interaction, pure: `decide(interaction, queue, event, now)` tells what becomes of it.

Every rule about status is in this package, one file for each part of a life, in the order it is lived:
`waiting` (open, bot) → `offered` → `connected` → `ending` (wrap-up, scheduled, closed); `restart` is what
happens when contact with the telephones was lost and regained, `operated` what supervisors and owners do besides,
`forced` what supervisors do to any call and any agent; `requested` is the other beginning of a life, without a call.
docs/lifecycle.md is drawn from it.
"""

from datetime import datetime

from routing.core.effects import HangUp
from routing.core.events import (
    AgentReleased,
    CallEnded,
    CallerReturned,
    CallStopped,
    Event,
    LegGone,
    LineDied,
    NumberRefused,
    OfferAccepted,
    OfferRejected,
    Operation,
    PickedUp,
    Redialled,
    ServiceRestarted,
    TimeReached,
    WorkDone,
)
from routing.core.interaction import Deadline, Interaction, LegState, Role, Stage, Status
from routing.core.lifecycle import connected, ending, forced, offered, operated, refused, restart, waiting
from routing.core.lifecycle.change import Change, Decision, FeedLine, NotReady
from routing.core.lifecycle.requested import request
from routing.core.lifecycle.waiting import arrive
from routing.core.queues import Queue

__all__ = ["Change", "Decision", "FeedLine", "NotReady", "arrive", "decide", "request"]

_WHEN = {
    Status.OPEN: waiting.when_open,
    Status.BOT: waiting.when_bot,
    Status.OFFERED: offered.when_offered,
    Status.CONNECTED: connected.when_connected,
    Status.WRAP_UP: ending.when_wrap_up,
    Status.SCHEDULED: ending.when_scheduled,
    Status.CLOSED: ending.when_closed,
}

_AT = {
    Deadline.STEP: waiting.step_due,
    Deadline.SAY: waiting.say_overdue,
    Deadline.KEY: waiting.no_key,
    Deadline.OFFER: offered.offer_over,
    Deadline.ALERT: connected.no_alert,
    Deadline.ANSWER: connected.no_answer_from_agent,
    Deadline.RING: connected.no_answer_from_customer,
    Deadline.READY_TO_CALL: connected.conclude,
    Deadline.WRAP_UP: ending.wrap_up_over,
    Deadline.DUE: ending.due,
    Deadline.EXPIRES: ending.expired,
}


def decide(it: Interaction, queue: Queue, event: Event, now: datetime) -> Decision:
    """What becomes of `it`. Raises a `routing.core.errors.RingbackError` when a person asks for the impossible."""
    change = Change(it, queue, now, _actor(event))
    match event:
        case TimeReached():
            _time_reached(change)
        case NumberRefused():
            refused.number_refused(change, event)
        case LineDied(leg):
            _line_died(change, leg)
        case ServiceRestarted() | CallerReturned():
            restart.restarted(change, bridged=isinstance(event, ServiceRestarted) and event.bridged)
        case CallStopped() | AgentReleased():
            forced.forced(change, event)
        case _ if isinstance(event, Operation):
            operated.operated(change, event)
        case _:
            _WHEN[it.status](change, event)
    return change.decision()


def _time_reached(change: Change) -> None:
    """Let every deadline that has passed have its say, the oldest first."""
    for _ in Deadline:
        due = [
            (at, kind) for kind, at in change.it.deadlines.items() if at <= change.now and not change.it.holds(kind)
        ]
        if not due:
            return
        _, kind = min(due)
        change.clear(kind)
        _AT[kind](change)
        change.stamp()


def _line_died(c: Change, leg_id: str) -> None:
    """Told of, ended, and from then on a hang-up of that side (F43). But an agent whose phone died in a talk did not
    end it."""
    leg = c.it.leg_with(leg_id)
    if leg is None or leg.state is not LegState.UP:
        c.ignore()
        return
    c.tell("line_dead", "system", role=leg.role)
    c.do(HangUp(leg.id))
    if leg.role is Role.AGENT:
        c.make_not_ready(leg.party, "phone_unreachable")
    if leg.role is Role.AGENT and c.it.stage is Stage.TALKING:
        connected.agent_died(c, leg)
    else:
        _WHEN[c.it.status](c, LegGone(leg.id))


def _actor(event: Event) -> str:
    match event:
        case OfferAccepted() | OfferRejected() | PickedUp() | CallEnded() | Redialled() | WorkDone() as by_person:
            return f"agent:{by_person.agent}"
        case CallStopped(by) | AgentReleased(by):
            return by
        case _ if isinstance(event, Operation):
            return event.by
        case _:
            return "system"
