"""Wrap-up: the agent writes down what came of it (T24, T30, T35; M83)."""

from dataclasses import replace

from routing.core.errors import DispositionRequired, Invalid
from routing.core.events import Event, WorkDone
from routing.core.feed import SYSTEM, FeedEvent
from routing.core.interaction import Deadline, Ended, Status
from routing.core.lifecycle import closing
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.denied import deny


def wrap_up(c: Change) -> None:
    """After-call work starts; the timer ends it (M83)."""
    seconds = c.it.desk.wrap_up if c.it.desk.wrap_up is not None else c.queue.wrap_up.seconds
    c.clear_all()
    c.set(status=Status.WRAP_UP, stage=None)
    c.tell(FeedEvent.WRAP_UP, SYSTEM, seconds=seconds)
    c.due_in(Deadline.WRAP_UP, seconds)


def when_wrap_up(c: Change, event: Event) -> None:
    match event:
        case WorkDone(agent, disposition, note) if agent == c.it.assigned_to:
            note_disposition(c, disposition, note)
            check_disposition(c)
            closing.close(c, Ended.HANDLED)
        case _:
            deny(c, event)


def note_disposition(c: Change, disposition: str | None, note: str | None) -> None:
    """Keep the agent's code and note. Raises Invalid for a code the queue does not have."""
    codes = c.queue.wrap_up.codes
    if disposition and codes and disposition not in codes:
        raise Invalid(f"not one of {', '.join(sorted(codes))}", "/disposition")
    case = c.it.case
    c.set(case=replace(case, disposition=disposition or case.disposition, note=note or case.note))
    if disposition or note:
        c.tell(FeedEvent.DISPOSITION, disposition=disposition, note=note)


def check_disposition(c: Change) -> None:
    """Raises DispositionRequired where the queue wants a code and there is none."""
    if c.queue.wrap_up.required and not c.it.case.disposition:
        raise DispositionRequired


def wrap_up_over(c: Change) -> None:
    if not c.it.case.disposition:
        c.set(case=replace(c.it.case, disposition="none"))
    closing.close(c, Ended.HANDLED)
