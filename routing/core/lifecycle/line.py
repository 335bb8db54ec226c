"""The line: how an interaction comes back into it, and what becomes of one whose caller has gone (T4, T7, I5, I6)."""

from dataclasses import replace
from datetime import timedelta

from routing.core.feed import CALLER, SYSTEM, FeedEvent
from routing.core.interaction import IN_LINE, AgentPreferences, Deadline, Origin, Role, Stage, Status, Subtype
from routing.core.lifecycle import closing, ringing, workflow
from routing.core.lifecycle.change import Change
from routing.core.numbers import callable_from


def back_to_line(c: Change, *, front: bool) -> None:
    """Nobody has it any more; it waits at its place, or before everyone else."""
    kept = {Deadline.EXPIRY, Deadline.NEXT_STEP} | ({Deadline.PLAYBACK} if c.it.playing else set())
    c.clear(*(c.it.deadlines.keys() - kept))
    stage = Stage.ANNOUNCING if c.it.playing else None
    place = replace(c.it.place, front=front or c.it.place.front)
    c.set(status=Status.OPEN, stage=stage, assigned_to=None, desk=AgentPreferences(), place=place)
    c.tell(FeedEvent.REOPENED, SYSTEM, front=c.it.place.front)
    workflow.resume_waiting(c)


def take_back(c: Change) -> None:
    """To its place in line; this agent is passed over for a while."""
    ringing.exclude(c)
    c.drop(Role.AGENT)
    back_to_line(c, front=False)


# The caller has gone


def caller_gone(c: Change, *, lost: bool) -> None:
    """A request that was committed becomes a callback (T4); without one the caller has abandoned (T7), or was lost
    by us."""
    if caller := c.leg(Role.CALLER):
        c.forget(caller)
    if c.it.outcome:
        closing.close(c, c.it.outcome)
    elif c.it.request.requested_at and (lost or not _hang_up_withdraws(c)):
        convert(c)
    elif lost:
        caller_lost(c)
    else:
        closing.abandon(c)


def _hang_up_withdraws(c: Change) -> bool:
    in_dialogue = c.it.stage in (Stage.CONFIRM, Stage.NUMBER_ENTRY)
    return in_dialogue and c.queue.callback.on_hangup == "abandon"


def caller_lost(c: Change) -> bool:
    """A call whose caller is not there, and did not hang up, was lost by us: it is closed (T38)."""
    if c.leg(Role.CALLER) or c.it.status not in IN_LINE:
        return False
    closing.lose(c)
    return True


def convert(c: Change) -> None:
    """Inbound becomes callback: same interaction, same place unless the queue says otherwise (T4, I5, I6)."""
    from_then = c.now + timedelta(seconds=c.queue.callback.initial_delay)
    opens = callable_from(c.it.number or "", c.queue, from_then) or from_then
    request, place = c.it.request, c.queue.callback.place
    c.clear_all()
    c.set(
        status=Status.OPEN,
        stage=None,
        subtype=Subtype.CALLBACK,
        request=replace(request, origin=Origin.QUEUED, promised_at=request.promised_at or request.requested_at),
        place=replace(
            c.it.place,
            not_before=opens,
            queued_at=c.now if place == "end" else c.it.place.queued_at,
            priority=c.it.place.priority + (place if isinstance(place, int) else 0),
        ),
        waiting=replace(c.it.waiting, digits="", tries=0),
    )
    c.due_in(Deadline.EXPIRY, (opens - from_then).total_seconds() + c.queue.dial.ttl)
    c.tell(FeedEvent.CONVERTED, CALLER, subtype="callback")
