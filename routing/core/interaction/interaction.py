"""The interaction itself, with its parts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self, TypedDict, Unpack
from uuid import UUID, uuid5

from routing.core.interaction.attempt import Attempt, Outcome
from routing.core.interaction.case import Case
from routing.core.interaction.hearing import Prompt
from routing.core.interaction.leg import Leg, Role
from routing.core.interaction.place import Place
from routing.core.interaction.preferences import AgentPreferences
from routing.core.interaction.request import Request
from routing.core.interaction.status import Deadline, Stage, Status, Subtype
from routing.core.interaction.waiting import Waiting

BRIDGE = "bridge-"
"""How the ids of our bridges begin; what follows is the interaction's id."""
_BRIDGE = re.compile(rf"{BRIDGE}([0-9a-f]{{32}})")


def bridge_owner(bridge: str) -> UUID | None:
    """Whose bridge it is; None for one that is not ours: others may have bridges in the same Asterisk."""
    found = _BRIDGE.fullmatch(bridge)
    return UUID(found[1]) if found else None


class Fields(TypedDict, total=False):
    """What may become another in the life of an `Interaction`, with the types it has there."""

    queue: str
    queue_version: int
    place: Place
    status: Status
    stage: Stage | None
    subtype: Subtype
    number: str | None
    version: int
    assigned_to: str | None
    desk: AgentPreferences
    connected_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    request: Request
    case: Case
    tried_before: int
    shift: float
    waiting: Waiting
    deadlines: Mapping[Deadline, datetime]
    legs_asked: int
    lines: int
    legs: tuple[Leg, ...]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)  # without slots, for the sake of `changed`
class Interaction:
    """See the module's docstring. `tried_before` counts the attempts that are history: the retry
    rules begin anew after them; `shift` is how far Postgres' clock had jumped by the time it was stored
    (`routing.core.lifecycle.jumped`)."""

    id: UUID
    queue: str
    queue_version: int
    entered_at: datetime
    place: Place
    status: Status = Status.OPEN
    stage: Stage | None = None
    subtype: Subtype = Subtype.INBOUND
    number: str | None = None
    dialled_number: str = ""
    version: int = 0
    assigned_to: str | None = None
    desk: AgentPreferences = AgentPreferences()
    connected_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str | None = None
    request: Request = Request()
    case: Case = Case()
    tried_before: int = 0
    shift: float = 0.0
    waiting: Waiting = Waiting()
    deadlines: Mapping[Deadline, datetime] = field(default_factory=dict)
    legs_asked: int = 0
    lines: int = 0  # of its feed
    legs: tuple[Leg, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    def changed(self, **fields: Unpack[Fields]) -> Self:
        """What `dataclasses.replace` makes, in a tenth of its time: a decision makes a dozen of them."""
        assert fields.keys() <= vars(self).keys()
        other = object.__new__(type(self))
        vars(other).update(vars(self), **fields)
        return other

    def leg(self, role: Role) -> Leg | None:
        """The live leg of that role."""
        return next((leg for leg in self.legs if leg.role is role), None)

    def leg_with(self, leg_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.id == leg_id), None)

    @property
    def playing(self) -> str | None:
        """The id of the prompt that is being heard; there is one at a time."""
        return next((leg.hears.id for leg in self.legs if isinstance(leg.hears, Prompt)), None)

    @property
    def attempt(self) -> Attempt | None:
        """The attempt under way."""
        return next((each for each in self.attempts if each.ended_at is None), None)

    @property
    def tries(self) -> tuple[Attempt, ...]:
        """The attempts the retry rules go by."""
        return self.attempts[self.tried_before :]

    @property
    def was_answered(self) -> bool:
        """Whether an attempt reached the customer: who was served is not called again by the system."""
        return any(each.outcome is Outcome.ANSWERED for each in self.tries)

    @property
    def appointment(self) -> datetime | None:
        """The time for which a call was promised, which is its place in line; None for as soon as possible."""
        at = self.request.promised_at
        return at if at and at == self.place.queued_at and at != self.request.requested_at else None

    @property
    def wake_at(self) -> datetime | None:
        """When time alone has something to tell. What has to wait for the status to change is left out."""
        due = (at for kind, at in self.deadlines.items() if not self.holds(kind))
        return min(due, default=None)

    def holds(self, kind: Deadline) -> bool:
        """Whether it has to wait: no step starts while an agent is offered the call (E6), and a callback that is
        being worked on does not expire."""
        if kind is Deadline.EXPIRY:
            return self.status not in (Status.OPEN, Status.SCHEDULED)
        return kind is Deadline.NEXT_STEP and self.status is not Status.OPEN

    @property
    def bridge(self) -> str:
        """The id of the bridge its parties meet in."""
        return f"{BRIDGE}{self.id.hex}"

    def new_id(self, what: str, n: int) -> str:
        """32 lower-case hex, the same for the same question, so that asking twice asks for the same thing."""
        return uuid5(self.id, f"{what}:{n}").hex
