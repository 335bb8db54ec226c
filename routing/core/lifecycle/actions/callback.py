"""The caller wants to be called back (T4)."""

from dataclasses import replace

from ivr.workflow import Plain
from routing.core.feed import CALLER, FeedEvent
from routing.core.lifecycle import asking
from routing.core.lifecycle.change import Change


def chosen(c: Change, _: Plain) -> None:
    """The key that commits the request, when the caller's number can be dialled."""
    if c.it.number:
        c.set(
            request=replace(c.it.request, requested_at=c.now),
            waiting=replace(c.it.waiting, tries=0),
        )
        c.tell(FeedEvent.CALLBACK_REQUESTED, CALLER)
        asking.read_back(c, c.it.number)
    elif c.queue.callback.alternate_number:
        asking.enter_number(c)
    else:
        asking.leave_dialogue(c, "cannot-call-back")
