"""Cancel: nobody is called any more (T28)."""

from routing.core.events import Cancelled
from routing.core.feed import FeedEvent
from routing.core.interaction import AgentPreferences, Ended
from routing.core.lifecycle import closing
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.operations import points, returning


def cancel(c: Change, event: Cancelled) -> None:
    if not points.waits(c):
        points.refuse(c)
    returning.let_go(c, "cancelled")
    c.set(assigned_to=None, desk=AgentPreferences())
    c.tell(FeedEvent.CANCELLED, reason=event.reason)
    closing.close(c, Ended.CANCELLED)
