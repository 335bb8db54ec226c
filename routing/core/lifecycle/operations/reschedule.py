"""Reschedule: to another time (T25, T28)."""

from dataclasses import replace

from routing.core.events import Rescheduled
from routing.core.feed import FeedEvent
from routing.core.interaction import Deadline, Status
from routing.core.lifecycle import after_call, scheduled
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.operations import points, returning


def reschedule(c: Change, event: Rescheduled) -> None:
    """To another time, as the customer agreed: what was tried before is history (T25, T28)."""
    if not (points.waits(c) or points.between_calls(c) or c.it.status is Status.WRAP_UP):
        points.refuse(c)
    if c.it.status is Status.WRAP_UP:
        after_call.check_disposition(c)
    returning.become_callback(c)
    returning.begin_anew(c)
    old = c.it.deadlines.get(Deadline.DUE)
    returning.let_go(c, "rescheduled")
    scheduled.schedule(c, event.at)
    c.set(
        place=replace(c.it.place, not_before=None),
        request=replace(c.it.request, time_zone=event.time_zone or c.it.request.time_zone),
    )
    c.tell(FeedEvent.RESCHEDULED, due_at=event.at, old_due_at=old)
