"""A callback that begins without a call: somebody asked for it over the API (T29). Counterpart: `arriving.arrive`."""

from dataclasses import replace
from uuid import UUID

from routing.core.context import Context
from routing.core.errors import Invalid
from routing.core.events import CallbackRequested
from routing.core.feed import FeedEvent
from routing.core.interaction import Case, Deadline, Interaction, Origin, Place, Request, Subtype
from routing.core.lifecycle import scheduled
from routing.core.lifecycle.change import Change, Decision
from routing.core.numbers import callable_from, first_number
from routing.core.numbers.windows import why_not_at


def request(interaction_id: UUID, context: Context, version: int, event: CallbackRequested) -> Decision:
    """The row of a callback that was asked for: in line at once, or scheduled. Nobody is on the phone, so there is
    no initial delay. Raises Invalid for a time that is now, and no time to call."""
    queue, now = context.queue, context.now
    it = Interaction(
        id=interaction_id,
        queue=queue.name,
        queue_version=version,
        entered_at=now,
        place=Place(now),
        subtype=Subtype.CALLBACK,
        number=event.number,
        dialled_number=first_number(queue),
        case=Case(event.name, event.callback_type, event.case_data, event.instructions),
    )
    c = Change(it, context, event.by)  # before this nothing was promised
    c.set(request=Request(Origin.REQUESTED, now, now, event.time_zone))
    if event.at is not None and event.at > now:
        scheduled.schedule(c, event.at)
        c.set(request=replace(c.it.request, origin=Origin.SCHEDULED))
    elif event.at is not None and (refused := why_not_at(event.number, queue, now)):
        raise Invalid(refused, "/at")
    else:
        _await_window(c)
    c.tell(FeedEvent.CALLBACK_REQUESTED, kind=c.it.request.origin, due_at=c.it.deadlines.get(Deadline.DUE))
    return c.decision()


def _await_window(c: Change) -> None:
    """Outside the calling window it waits in line until that opens; only from then on it can expire."""
    opens = callable_from(c.it.number or "", c.queue, c.now) or c.now
    c.set(place=replace(c.it.place, not_before=opens if opens > c.now else None))
    c.due_in(Deadline.EXPIRY, (opens - c.now).total_seconds() + c.queue.dial.ttl)
