"""Scheduled: nobody has it until its time, of the next try or the one that was agreed on (T25, T27, T32)."""

from dataclasses import replace
from datetime import datetime, timedelta

from routing.core.events import Event
from routing.core.feed import SYSTEM, FeedEvent
from routing.core.interaction import AgentPreferences, Deadline, Status
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.denied import deny


def schedule(c: Change, at: datetime) -> None:
    """An appointment: in line from then on, behind those who came before, and not expired for as long as ever."""
    promised = max(at, c.it.request.requested_at or at)  # a time that was over before it was stored
    c.clear(*c.it.deadlines)
    c.set(
        status=Status.SCHEDULED,
        stage=None,
        assigned_to=None,
        desk=AgentPreferences(),
        place=replace(c.it.place, front=False, queued_at=at),
        request=replace(c.it.request, promised_at=promised),
        deadlines={Deadline.DUE: at, Deadline.EXPIRY: at + timedelta(seconds=c.queue.dial.ttl)},
    )


def schedule_retry(c: Change, delay: float) -> None:
    """The customer is called again later, by whoever is free then."""
    c.clear_all()
    c.set(status=Status.SCHEDULED, stage=None, assigned_to=None, desk=AgentPreferences())
    c.due_in(Deadline.DUE, delay)
    c.tell(FeedEvent.RETRY_SCHEDULED, SYSTEM, delay=delay)


def when_scheduled(c: Change, event: Event) -> None:
    deny(c, event)


def due(c: Change) -> None:
    """Its time has come: back in line, after a retry at the place it had."""
    c.set(status=Status.OPEN)
    c.tell(FeedEvent.DUE, SYSTEM)
