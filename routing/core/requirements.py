"""What has to be so for a decision to be stored. The statement that stores it asks, so that nothing comes between.

Pure. What is not met comes back as an event (`NumberRefused`), or is refused to the person who asked. Counterpart:
`routing.engine.number_rules`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from routing.core.effects import DialCustomer, Effect
from routing.core.interaction import Deadline, Interaction, Role, Stage, Status, Subtype


class Moment(StrEnum):
    """When a number is judged."""

    PROMISE = "promise"
    DIAL = "dial"


@dataclass(frozen=True, slots=True)
class MayCall:
    """The number may be called back for this queue: asked as that is promised, and on the way to dialling it.
    `source` is who asks on the telephone for a number that is not their own ("" withheld it)."""

    moment: Moment
    number: str
    queue: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class MayCallAt:
    """The number may be called at the time that somebody agreed on with the customer. `pointer`: what of the request
    is at fault when not."""

    number: str
    queue: str
    at: datetime
    pointer: str


Requirement = MayCall | MayCallAt


def required(before: Interaction, after: Interaction, effects: Iterable[Effect]) -> tuple[Requirement, ...]:
    """What this change may not be stored without."""
    return (*_time_agreed(before, after), *_number_called(before, after, effects))


def _time_agreed(before: Interaction, after: Interaction) -> Iterator[MayCallAt]:
    """Another time, or another number to be called then. The time of a next try is nobody's promise."""
    at, was = after.deadlines.get(Deadline.DUE), before.deadlines.get(Deadline.DUE)
    if at is None or after.status is not Status.SCHEDULED or at != after.request.promised_at:
        return
    if (was, before.number) != (at, after.number):
        pointer = "/at" if before.number == after.number else "/number"
        yield MayCallAt(after.number or "", after.queue, at, pointer)


def _number_called(before: Interaction, after: Interaction, effects: Iterable[Effect]) -> Iterator[MayCall]:
    """An offer counts as the way to a dial: no agent is troubled in vain. So does a dial that is only asked for once
    more, as after a restart: meanwhile a rule may have come."""
    if after.number and after.status is not Status.CLOSED and _promised_anew(before, after):
        yield MayCall(Moment.PROMISE, after.number, after.queue, _source(after))
    elif after.subtype is Subtype.CALLBACK and (_goes_on_to_dial(before, after) or _again(effects)):
        yield MayCall(Moment.DIAL, after.number or "", after.queue, _source(after))


def _source(it: Interaction) -> str | None:
    caller = it.leg(Role.CALLER)
    return caller.party if caller and caller.party != it.number else None


def _promised_anew(before: Interaction, after: Interaction) -> bool:
    if after.request.requested_at is None:
        return False
    return before.request.requested_at is None or (before.number, before.queue) != (after.number, after.queue)


def _goes_on_to_dial(before: Interaction, after: Interaction) -> bool:
    if after.status is Status.OFFERED:
        return before.status is not Status.OFFERED
    if after.status is not Status.CONNECTED:
        return False
    redialled = before.stage is Stage.READY_TO_CALL and after.stage is not Stage.READY_TO_CALL
    return before.status is not Status.CONNECTED or redialled or len(after.attempts) > len(before.attempts)


def _again(effects: Iterable[Effect]) -> bool:
    return any(isinstance(each, DialCustomer) and each.made for each in effects)
