"""When a number has to be judged: as a call back to it is promised, and on the way to dialling it. Pure."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from routing.core.effects import DialCustomer, Effect
from routing.core.interaction import Deadline, Interaction, Stage, Status, Subtype


class Moment(StrEnum):
    PROMISE = "promise"
    DIAL = "dial"


def moment(before: Interaction | None, after: Interaction, effects: Iterable[Effect] = ()) -> Moment | None:
    """What this change is to the number. An offer counts as the way to a dial: no agent is troubled in vain. So does
    a dial that is only asked for once more, as after a restart: meanwhile a rule may have come."""
    if after.requested_at and after.number and after.status is not Status.CLOSED and _promised_anew(before, after):
        return Moment.PROMISE
    if before and after.subtype is Subtype.CALLBACK and (_goes_on_to_dial(before, after) or _again(effects)):
        return Moment.DIAL
    return None


def time_agreed(before: Interaction, after: Interaction) -> datetime | None:
    """The time somebody agreed on with the customer, where this change brings another one, or another number to be
    called then. The time of a next try is nobody's promise."""
    at = after.deadlines.get(Deadline.DUE)
    if after.status is not Status.SCHEDULED or at != after.promised_at:
        return None
    return at if (before.deadlines.get(Deadline.DUE), before.number) != (at, after.number) else None


def _again(effects: Iterable[Effect]) -> bool:
    return any(isinstance(each, DialCustomer) and each.made for each in effects)


def _promised_anew(before: Interaction | None, after: Interaction) -> bool:
    if before is None or before.requested_at is None:
        return True
    return (before.number, before.queue) != (after.number, after.queue)


def _goes_on_to_dial(before: Interaction, after: Interaction) -> bool:
    if after.status is Status.OFFERED:
        return before.status is not Status.OFFERED
    if after.status is not Status.CONNECTED:
        return False
    redialled = before.stage is Stage.READY_TO_CALL and after.stage is not Stage.READY_TO_CALL
    return before.status is not Status.CONNECTED or redialled or dials(before, after)


def dials(before: Interaction, after: Interaction) -> bool:
    """Whether this change begins a new attempt."""
    return len(after.attempts) > len(before.attempts)
