"""Wrap-up, scheduled, closed: what follows a call (T24, T27, T30, T32, T35)."""

from datetime import datetime, timedelta

from routing.core.errors import DispositionRequired, Invalid
from routing.core.events import Event, WorkDone
from routing.core.interaction import Deadline, Desk, Outcome, Role, Status
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.refusals import refuse


def wrap_up(c: Change) -> None:
    """After-call work starts; the timer ends it (M83)."""
    seconds = c.it.desk.wrap_up if c.it.desk.wrap_up is not None else c.queue.wrap_up.seconds
    c.clear_all()
    c.set(status=Status.WRAP_UP, stage=None)
    c.tell("wrap_up", "system", seconds=seconds)
    c.due_in(Deadline.WRAP_UP, seconds)


def when_wrap_up(c: Change, event: Event) -> None:
    match event:
        case WorkDone(agent, disposition, note) if agent == c.it.assigned_to:
            note_disposition(c, disposition, note)
            check_disposition(c)
            close(c, "handled")
        case _:
            refuse(c, event)


def note_disposition(c: Change, disposition: str | None, note: str | None) -> None:
    """Keep the agent's code and note. Raises Invalid for a code the queue does not have."""
    codes = c.queue.wrap_up.codes
    if disposition and codes and disposition not in codes:
        raise Invalid(f"not one of {', '.join(sorted(codes))}", "/disposition")
    c.set(disposition=disposition or c.it.disposition, note=note or c.it.note)
    if disposition or note:
        c.tell("disposition", disposition=disposition, note=note)


def check_disposition(c: Change) -> None:
    """Raises DispositionRequired where the queue wants a code and there is none."""
    if c.queue.wrap_up.required and not c.it.disposition:
        raise DispositionRequired


def wrap_up_over(c: Change) -> None:
    if not c.it.disposition:
        c.set(disposition="none")
    close(c, "handled")


def close(c: Change, outcome: str) -> None:
    """Final (I9)."""
    for role in Role:
        c.drop(role)
    c.clear(*c.it.deadlines)
    c.said()
    c.set(status=Status.CLOSED, stage=None, outcome=outcome, closed_at=c.now)
    c.tell("closed", "system", outcome=outcome)


def when_closed(c: Change, event: Event) -> None:
    refuse(c, event)


# Another try


def schedule(c: Change, at: datetime) -> None:
    """An appointment: in line from then on, behind those who came before, and not expired for as long as ever."""
    c.clear(*c.it.deadlines)
    c.set(
        status=Status.SCHEDULED,
        stage=None,
        assigned_to=None,
        desk=Desk(),
        front=False,
        queued_at=at,
        promised_at=max(at, c.it.requested_at or at),  # a time that was over before it was stored
        deadlines={Deadline.DUE: at, Deadline.EXPIRES: at + timedelta(seconds=c.queue.dial.ttl)},
    )


def schedule_retry(c: Change, delay: float) -> None:
    """The customer is called again later, by whoever is free then."""
    c.clear_all()
    c.set(status=Status.SCHEDULED, stage=None, assigned_to=None, desk=Desk())
    c.due_in(Deadline.DUE, delay)
    c.tell("retry_scheduled", "system", delay=delay)


def give_up(c: Change) -> None:
    invalid = c.it.tries and c.it.tries[-1].outcome is Outcome.INVALID
    close(c, "invalid_number" if invalid else "failed_max_attempts")


def when_scheduled(c: Change, event: Event) -> None:
    refuse(c, event)


def due(c: Change) -> None:
    """Its time has come: back in line, after a retry at the place it had."""
    c.set(status=Status.OPEN)
    c.tell("due", "system")


def expired(c: Change) -> None:
    close(c, "expired")
