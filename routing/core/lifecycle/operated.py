"""What is done to an interaction from outside a call: cancel, requeue, reassign, reschedule, settle, edit, note
(T25, T26, T28, T34, T40).

Supervisors do it to any, agents to what is theirs; what only supervisors may do at all, the API knows. A call that
is being made or talked is never touched: it is ended first.
"""

from dataclasses import replace
from typing import Any

from routing.core.errors import Forbidden, InvalidNumber, NotOpen, WrongStage
from routing.core.events import Cancelled, Edited, NoteAdded, Operation, Reassigned, Requeued, Rescheduled, Settled
from routing.core.feed import SYSTEM, FeedEvent, agent_actor, is_agent
from routing.core.interaction import AgentPreferences, Deadline, Ended, Origin, Role, Stage, Status, Subtype
from routing.core.lifecycle import after_call, closing, line, ringing, scheduled
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.denied import where

_WAITS = (Status.OPEN, Status.OFFERED, Status.SCHEDULED)


def operated(c: Change, event: Operation) -> None:
    """Raises NotOpen when it is closed, WrongStage when it is not at a point where this can be done."""
    if c.it.status is Status.CLOSED:
        raise NotOpen
    match event:
        case NoteAdded(text=text):
            _note(c, text)
        case Edited():
            _check_own(c)
            _edit(c, event)
        case Cancelled(reason=reason):
            _cancel(c, reason)
        case Requeued():
            _requeue(c, event)
        case Reassigned():
            _reassign(c, event)
        case Rescheduled():
            _check_own(c)
            _reschedule(c, event)
        case Settled():
            _check_own(c)
            _settle(c, event)


def _check_own(c: Change) -> None:
    if is_agent(c.actor) and c.actor != agent_actor(c.it.assigned_to or ""):
        raise Forbidden("The interaction is not yours.")


def _refuse(c: Change) -> None:
    raise WrongStage(f"The interaction is {where(c)}.")


def _waits(c: Change) -> bool:
    """A callback that is not being worked on."""
    return c.it.subtype is Subtype.CALLBACK and c.it.status in _WAITS


def _between_calls(c: Change) -> bool:
    return c.it.stage is Stage.READY_TO_CALL


def _let_go(c: Change, reason: str) -> None:
    """Whoever has it has it no longer; a phone that rings with the offer stops."""
    if c.it.status is Status.OFFERED:
        c.tell(FeedEvent.OFFER_WITHDRAWN, SYSTEM, agent=c.it.assigned_to, reason=reason)
    c.drop(Role.AGENT)


# Cancel


def _cancel(c: Change, reason: str | None) -> None:
    if not _waits(c):
        _refuse(c)
    _let_go(c, "cancelled")
    c.set(assigned_to=None, desk=AgentPreferences())
    c.tell(FeedEvent.CANCELLED, reason=reason)
    closing.close(c, Ended.CANCELLED)


# Requeue, reassign


def _requeue(c: Change, event: Requeued) -> None:
    """To the line again, at its place; only callbacks change queues: a caller's dialogue belongs to one queue."""
    queue = event.queue or c.it.queue
    to_other = queue != c.it.queue
    if not (_waits(c) or _between_calls(c) or (_live_caller_waits(c) and not to_other)):
        _refuse(c)
    data: dict[str, Any] = {}
    if to_other:
        data |= {"queue": queue, "old_queue": c.it.queue}
        c.set(queue=queue, queue_version=event.queue_version)
    if event.priority is not None and event.priority != c.it.place.priority:
        data |= {"priority": event.priority, "old_priority": c.it.place.priority}
        c.set(place=replace(c.it.place, priority=event.priority))
    if data or c.it.status is not Status.OPEN:
        c.tell(FeedEvent.REQUEUED, **data)
    _to_line(c, "requeued")


def _live_caller_waits(c: Change) -> bool:
    return c.it.subtype is Subtype.INBOUND and c.it.status in _WAITS and c.leg(Role.CALLER) is not None


def _to_line(c: Change, reason: str) -> None:
    if c.it.status is Status.OPEN:
        return
    if c.it.was_answered:
        _begin_anew(c)
    _let_go(c, reason)
    line.back_to_line(c, front=False)


def _begin_anew(c: Change) -> None:
    """What was tried so far does not count any more."""
    c.set(tried_before=len(c.it.attempts))


def _reassign(c: Change, event: Reassigned) -> None:
    in_line = (_waits(c) or _live_caller_waits(c)) and c.it.status is not Status.SCHEDULED
    if not (in_line or _between_calls(c)):
        _refuse(c)
    if event.agent == c.it.assigned_to:
        return
    c.tell(FeedEvent.REASSIGNED, agent=event.agent, old_agent=c.it.assigned_to)
    _to_line(c, "reassigned")
    if event.agent is not None:
        c.stamp()
        _include(c, event.agent)
        ringing.offer(c, event.agent, event.desk)


def _include(c: Change, agent: str) -> None:
    excluded = {each: until for each, until in c.it.place.excluded.items() if each != agent}
    c.set(place=replace(c.it.place, excluded=excluded))


# Reschedule, settle


def _reschedule(c: Change, event: Rescheduled) -> None:
    """To another time, as the customer agreed: what was tried before is history (T25, T28)."""
    if not (_waits(c) or _between_calls(c) or c.it.status is Status.WRAP_UP):
        _refuse(c)
    if c.it.status is Status.WRAP_UP:
        after_call.check_disposition(c)
    _become_callback(c)
    _begin_anew(c)
    old = c.it.deadlines.get(Deadline.DUE)
    _let_go(c, "rescheduled")
    scheduled.schedule(c, event.at)
    c.set(
        place=replace(c.it.place, not_before=None),
        request=replace(c.it.request, time_zone=event.time_zone or c.it.request.time_zone),
    )
    c.tell(FeedEvent.RESCHEDULED, due_at=event.at, old_due_at=old)


def _become_callback(c: Change) -> None:
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


def _settle(c: Change, event: Settled) -> None:
    """Resolved: nobody is called any more. Unresolved: somebody else takes it up where this agent stopped (T26)."""
    if not (_between_calls(c) or c.it.status is Status.WRAP_UP):
        _refuse(c)
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
    _become_callback(c)
    _begin_anew(c)
    ringing.exclude(c)
    line.back_to_line(c, front=False)
    c.due_in(Deadline.EXPIRY, c.queue.dial.ttl)


# Edit, note


def _edit(c: Change, event: Edited) -> None:
    """Each change is a line of the feed with the old value."""
    if event.number is not None and event.number != c.it.number:
        _edit_number(c, event.number)
    if event.priority is not None and event.priority != c.it.place.priority:
        _edited(c, "priority", c.it.place.priority, event.priority)
        c.set(place=replace(c.it.place, priority=event.priority))
    if event.instructions is not None:
        _edit_instructions(c, event.instructions or None)
    if event.case_data is not None:
        _edit_case_data(c, dict(event.case_data))


def _edit_number(c: Change, number: str) -> None:
    """Only while nobody is called; with another number the trying begins anew."""
    if not (_waits(c) or _between_calls(c)):
        _refuse(c)
    _edited(c, "number", c.it.number, number)
    c.set(number=number)
    _begin_anew(c)


def _edit_instructions(c: Change, new: str | None) -> None:
    case = c.it.case
    if new != case.instructions:
        _edited(c, "instructions", case.instructions, new)
        c.set(case=replace(case, instructions=new))


def _edit_case_data(c: Change, named: dict[str, Any]) -> None:
    """RFC 7396: the keys that are named change, null removes one."""
    data = c.it.case.data
    changed = {key: value for key, value in named.items() if data.get(key) != value}
    if changed:
        _edited(c, "case_data", {key: data.get(key) for key in changed}, changed)
        merged = {key: value for key, value in {**data, **changed}.items() if value is not None or key not in changed}
        c.set(case=replace(c.it.case, data=merged))


def _edited(c: Change, field: str, old: object, new: object) -> None:
    c.tell(FeedEvent.EDITED, field=field, old=old, new=new)


def _note(c: Change, text: str) -> None:
    c.set(case=replace(c.it.case, note=text))
    c.tell(FeedEvent.NOTE_ADDED, note=text)
