"""Which rule answers to what: by status what happens, by deadline what time brings, by kind what is done from
outside."""

from routing.core.context import Context
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
from routing.core.feed import SYSTEM, FeedEvent, agent_actor
from routing.core.interaction import Deadline, Interaction, LegState, Role, Stage, Status
from routing.core.lifecycle import (
    after_call,
    blocked,
    bot,
    call_over,
    calling,
    closing,
    connecting,
    forced,
    offered,
    open,
    operations,
    restart,
    scheduled,
    workflow,
)
from routing.core.lifecycle.change import Change, Decision
from routing.core.lifecycle.denied import deny


def when_closed(c: Change, event: Event) -> None:
    deny(c, event)


_WHEN = {
    Status.OPEN: open.when_open,
    Status.BOT: bot.when_bot,
    Status.OFFERED: offered.when_offered,
    Status.CONNECTED: calling.when_connected,
    Status.WRAP_UP: after_call.when_wrap_up,
    Status.SCHEDULED: scheduled.when_scheduled,
    Status.CLOSED: when_closed,
}

_SPOKEN = {
    Status.OPEN: workflow.end_step,
    Status.OFFERED: workflow.end_step,
    Status.BOT: bot.prompt_ended,
}


def prompt_overdue(c: Change) -> None:
    """A prompt never reported its end: go on as if it had."""
    _SPOKEN.get(c.it.status, calling.greeting_over)(c)


_AT = {
    Deadline.NEXT_STEP: open.step_due,
    Deadline.PLAYBACK: prompt_overdue,
    Deadline.INPUT: bot.no_key,
    Deadline.OFFER: offered.offer_over,
    Deadline.AGENT_ALERT: connecting.no_alert,
    Deadline.AGENT_ANSWER: calling.no_answer_from_agent,
    Deadline.CUSTOMER_ANSWER: calling.no_answer_from_customer,
    Deadline.READY_TO_CALL: call_over.conclude,
    Deadline.WRAP_UP: after_call.wrap_up_over,
    Deadline.DUE: scheduled.due,
    Deadline.EXPIRY: closing.expired,
}


def decide(it: Interaction, context: Context, event: Event) -> Decision:
    """What becomes of `it`. Raises a `routing.core.errors.RingbackError` when a person asks for the impossible."""
    change = Change(it, context, _actor(event))
    match event:
        case TimeReached():
            _time_reached(change)
        case NumberRefused():
            blocked.number_refused(change, event)
        case LineDied(leg):
            _line_died(change, leg)
        case ServiceRestarted() | CallerReturned():
            restart.restarted(change, bridged=isinstance(event, ServiceRestarted) and event.bridged)
        case CallStopped() | AgentReleased():
            forced.forced(change, event)
        case _ if isinstance(event, Operation):
            operations.operate(change, event)
        case _:
            _WHEN[it.status](change, event)
    return change.decision()


def _time_reached(change: Change) -> None:
    """Let every deadline that has passed have its say, the oldest first. A step that had to wait until now comes in a
    decision of its own: what it tells depends on what is around by then."""
    waits = {Deadline.NEXT_STEP} if change.it.holds(Deadline.NEXT_STEP) else set()
    for _ in Deadline:
        due = [
            (at, kind)
            for kind, at in change.it.deadlines.items()
            if at <= change.now and kind not in waits and not change.it.holds(kind)
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
    c.tell(FeedEvent.LINE_DEAD, SYSTEM, role=leg.role)
    c.do(HangUp(leg.id))
    if leg.role is Role.AGENT:
        c.make_not_ready(leg.party, "phone_unreachable")
    if leg.role is Role.AGENT and c.it.stage is Stage.TALKING:
        call_over.agent_died(c, leg)
    else:
        _WHEN[c.it.status](c, LegGone(leg.id))


def _actor(event: Event) -> str:
    match event:
        case OfferAccepted() | OfferRejected() | PickedUp() | CallEnded() | Redialled() | WorkDone() as by_person:
            return agent_actor(by_person.agent)
        case CallStopped(by) | AgentReleased(by):
            return by
        case _ if isinstance(event, Operation):
            return event.by
        case _:
            return SYSTEM
