"""Settle: closed by hand, or back in line for somebody else (T26)."""

from routing.core.events import Settled
from routing.core.feed import FeedEvent
from routing.core.interaction import Deadline, Ended, Status
from routing.core.lifecycle import after_call, closing, line, ringing
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.operations import points, returning


def settle(c: Change, event: Settled) -> None:
    """Resolved: nobody is called any more. Unresolved: somebody else takes it up where this agent stopped (T26)."""
    if not (points.between_calls(c) or c.it.status is Status.WRAP_UP):
        points.refuse(c)
    after_call.note_disposition(c, event.disposition, event.note)
    c.tell(FeedEvent.SETTLED, resolved=event.resolved)
    if not event.resolved:
        _unresolved(c)
    elif c.it.status is Status.WRAP_UP:
        after_call.check_disposition(c)
        closing.close(c, Ended.HANDLED)
    else:
        after_call.wrap_up(c)


def _unresolved(c: Change) -> None:
    returning.become_callback(c)
    returning.begin_anew(c)
    ringing.exclude(c)
    line.back_to_line(c, front=False)
    c.due_in(Deadline.EXPIRY, c.queue.dial.ttl)
