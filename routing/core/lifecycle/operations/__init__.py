"""What is done to an interaction from outside a call, one file for each, notes with edits (T25, T26, T28, T34, T40).

Supervisors do it to any, agents to what is theirs; what only supervisors may do at all, the API knows. A call that
is being made or talked is never touched: it is ended first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from routing.core.errors import Forbidden, NotOpen
from routing.core.events import Cancelled, Edited, NoteAdded, Operation, Reassigned, Requeued, Rescheduled, Settled
from routing.core.feed import agent_actor, is_agent
from routing.core.interaction import Status
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.operations import cancel, edit, reassign, requeue, reschedule, settle

OPERATIONS: Mapping[type[Operation], Callable[[Change, Any], None]] = {
    Cancelled: cancel.cancel,
    Requeued: requeue.requeue,
    Reassigned: reassign.reassign,
    Rescheduled: reschedule.reschedule,
    Settled: settle.settle,
    Edited: edit.edit,
    NoteAdded: edit.note,
}

ONES_OWN = (Edited, Rescheduled, Settled)
"""What agents may do, to what is theirs; a note they may add to anything."""


def operate(c: Change, event: Operation) -> None:
    """Raises NotOpen when it is closed, WrongStage when it is not at a point where this can be done."""
    if c.it.status is Status.CLOSED:
        raise NotOpen
    if isinstance(event, ONES_OWN):
        _check_own(c)
    OPERATIONS[type(event)](c, event)


def _check_own(c: Change) -> None:
    if is_agent(c.actor) and c.actor != agent_actor(c.it.assigned_to or ""):
        raise Forbidden("The interaction is not yours.")
