"""What several operations do to let an interaction go, or begin again."""

from dataclasses import replace

from routing.core.errors import InvalidNumber
from routing.core.feed import SYSTEM, FeedEvent
from routing.core.interaction import Origin, Role, Status, Subtype
from routing.core.lifecycle import line
from routing.core.lifecycle.change import Change


def let_go(c: Change, reason: str) -> None:
    """Whoever has it has it no longer; a phone that rings with the offer stops."""
    if c.it.status is Status.OFFERED:
        c.tell(FeedEvent.OFFER_WITHDRAWN, SYSTEM, agent=c.it.assigned_to, reason=reason)
    c.drop(Role.AGENT)


def to_line(c: Change, reason: str) -> None:
    if c.it.status is Status.OPEN:
        return
    if c.it.was_answered:
        begin_anew(c)
    let_go(c, reason)
    line.back_to_line(c, front=False)


def begin_anew(c: Change) -> None:
    """What was tried so far does not count any more."""
    c.set(tried_before=len(c.it.attempts))


def become_callback(c: Change) -> None:
    """A call whose caller is gone lives on as a callback (T26). Raises InvalidNumber where there is none to call."""
    if c.it.number is None:
        raise InvalidNumber("There is no number to call back.")
    was = c.it.request
    requested = was.requested_at or c.now
    request = replace(
        was,
        origin=was.origin or Origin.QUEUED,
        requested_at=requested,
        promised_at=was.promised_at or max(c.now, requested),  # by a clock that may have been a little ahead
    )
    c.set(subtype=Subtype.CALLBACK, request=request)
