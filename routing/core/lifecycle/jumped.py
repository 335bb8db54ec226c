"""Postgres' clock has jumped since an interaction was stored: its spans go on as if nothing had been, its calendar
times stay what they are. Counterpart: `routing.engine.clock`.

A span is so many seconds that somebody was given: to accept, to lift, to press a key, until the next try. A calendar
time was named to somebody, or is when a window opens. How long ago something was is a span, too.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from routing.core.interaction import Deadline, Interaction, Place
from routing.core.numbers import callable_from
from routing.core.queues import Queue

_JUST_BEFORE = timedelta(microseconds=1)


def rebased(it: Interaction, queue: Queue, shift: float, now: datetime) -> Interaction:
    """`it` by the clock as it goes now, whose count of jumps is `shift`."""
    if it.shift == shift:
        return it
    by = timedelta(seconds=shift - it.shift)
    queued, requested, promised = _past(it, by, now)
    return it.changed(
        shift=shift,
        place=_place(it, queue, queued, by),
        request=replace(it.request, requested_at=requested, promised_at=promised),
        deadlines={kind: at + _moves(it, queue, kind, by, now) for kind, at in it.deadlines.items()},
    )


def _place(it: Interaction, queue: Queue, queued: datetime, by: timedelta) -> Place:
    opens = it.place.not_before
    return replace(
        it.place,
        queued_at=queued,
        not_before=opens if _opens(it, queue) else opens and opens + by,
        excluded={agent: until + by for agent, until in it.place.excluded.items()},
    )


def _moves(it: Interaction, queue: Queue, kind: Deadline, by: timedelta, now: datetime) -> timedelta:
    if kind is Deadline.DUE and _appointment(it):
        return timedelta(0)
    if kind is Deadline.EXPIRY:
        return _expiry_moves(_begins(it, queue), by, now)
    return by


def _expiry_moves(begins: datetime | None, by: timedelta, now: datetime) -> timedelta:
    """What it was given to be called in is a span from a calendar time on: what jumped past that is given back."""
    then = now - by
    if begins is None or begins <= then:
        return by
    return max(timedelta(0), min(by, now - begins))


def _begins(it: Interaction, queue: Queue) -> datetime | None:
    """The calendar time from which on it may be called, if that is what it waits for."""
    if _appointment(it):
        return it.request.promised_at
    return it.place.not_before if _opens(it, queue) else None


def _appointment(it: Interaction) -> bool:
    """Whether it is due at the time somebody agreed to; a retry is due so many seconds after the last."""
    due = it.deadlines.get(Deadline.DUE)
    return due is not None and due == it.request.promised_at


def _opens(it: Interaction, queue: Queue) -> bool:
    """Whether it is held until its window opens, and not for a number of seconds."""
    if it.place.not_before is None or it.number is None:
        return False
    return callable_from(it.number, queue, it.place.not_before - _JUST_BEFORE) == it.place.not_before


def _past(it: Interaction, by: timedelta, now: datetime) -> tuple[datetime, datetime | None, datetime | None]:
    """When it came into line, was asked for and promised: as long ago as before; what lies ahead stays. Nothing is
    promised before it was asked for."""

    def moved(at: datetime) -> datetime:
        return at + by if at <= now - by else at

    promised = it.request.promised_at and moved(it.request.promised_at)
    requested = it.request.requested_at and moved(it.request.requested_at)
    if promised and requested:
        requested = min(requested, promised)
    return moved(it.place.queued_at), requested, promised
