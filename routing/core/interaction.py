"""The interaction: one customer's matter with one queue, from the first ring to the last note.

A frozen picture of one row of `interactions` with its live legs and its attempts. `routing.core.lifecycle` decides
what becomes of it, `routing.store` keeps it. Times are aware datetimes (UTC), durations seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypedDict, Unpack
from uuid import UUID, uuid5

from routing.core.hearing import Hears, Prompt, Sound

BRIDGE = "bridge-"
"""How the ids of our bridges begin; what follows is the interaction's id."""
_BRIDGE = re.compile(rf"{BRIDGE}([0-9a-f]{{32}})")


def bridge_owner(bridge: str) -> UUID | None:
    """Whose bridge it is; None for one that is not ours: others may have bridges in the same Asterisk."""
    found = _BRIDGE.fullmatch(bridge)
    return UUID(found[1]) if found else None


class Status(StrEnum):
    """Who engages the interaction (docs/lifecycle.md)."""

    OPEN = "open"
    BOT = "bot"
    OFFERED = "offered"
    CONNECTED = "connected"
    WRAP_UP = "wrap_up"
    SCHEDULED = "scheduled"
    CLOSED = "closed"


IN_LINE = frozenset({Status.OPEN, Status.BOT, Status.OFFERED})
"""Those who have a place in line."""


class Stage(StrEnum):
    """What happens inside a status."""

    ANNOUNCING = "announcing"  # open, offered: an announcement plays
    MENU = "menu"  # bot, until APOLOGY
    NUMBER_ENTRY = "number_entry"
    CONFIRM = "confirm"
    BOOKED = "booked"
    LEAVING = "leaving"  # a last message, then the call ends
    APOLOGY = "apology"  # the customer answered, no agent did
    AGENT_RINGING = "agent_ringing"  # connected, until READY_TO_CALL
    DIALING = "dialing"
    RINGING = "ringing"
    TALKING = "talking"
    READY_TO_CALL = "ready_to_call"


class Subtype(StrEnum):
    INBOUND = "inbound"
    CALLBACK = "callback"


class Origin(StrEnum):
    """Where a callback came from."""

    QUEUED = "queued"  # a caller who did not want to wait
    REQUESTED = "requested"  # asked for over the API, as soon as possible
    SCHEDULED = "scheduled"  # asked for over the API, for a time


class Role(StrEnum):
    """Whose leg it is."""

    CALLER = "caller"
    AGENT = "agent"
    CUSTOMER = "customer"


class LegState(StrEnum):
    """A live leg's state; a leg that ended, or was told to, leaves the interaction."""

    REQUESTED = "asked"
    RINGING = "ringing"
    UP = "up"


class Outcome(StrEnum):
    """How an attempt ended (M53)."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    CONGESTION = "congestion"
    INVALID = "invalid"
    MACHINE = "machine"
    CUSTOMER_HUNG_UP = "customer_hung_up"
    AGENT_LOST = "agent_lost"
    NOT_DIALLED = "not_dialled"
    UNKNOWN = "unknown"
    ERROR = "error"


class Ended(StrEnum):
    """Why an interaction was closed. A newer version may have stored words of its own."""

    HANDLED = "handled"
    ABANDONED = "abandoned"
    SHORT_ABANDON = "short_abandon"
    SAID_GOODBYE = "overflow:hangup"  # a menu's key led to it
    BLOCKED = "blocked"  # by the number rules
    INVALID_NUMBER = "invalid_number"
    FAILED = "failed_max_attempts"
    EXPIRED = "expired"
    CANCELLED = "cancelled_by_operator"
    STOPPED = "ended_by_operator"
    ERROR = "error"  # lost by us


class Deadline(StrEnum):
    """What an interaction waits for; `wake_at` is the earliest of them."""

    NEXT_STEP = "step"  # the next workflow step
    PLAYBACK = "say"  # a prompt that never reports its end
    INPUT = "key"  # a key from the caller
    OFFER = "offer"  # the agent to accept
    AGENT_ALERT = "alert"  # the accepting agent's phone to ring
    AGENT_ANSWER = "answer"  # the accepting agent to lift
    CUSTOMER_ANSWER = "ring"  # the customer to answer
    READY_TO_CALL = "ready_to_call"
    WRAP_UP = "wrap_up"
    DUE = "due"  # a scheduled callback
    EXPIRY = "expires"  # a callback nobody could make


@dataclass(frozen=True, slots=True)
class Leg:
    """One channel we care about. `id` is the channel id, `party` a number or an agent id."""

    id: str
    role: Role
    party: str
    state: LegState = LegState.REQUESTED
    hears: Hears = Sound.NOTHING


@dataclass(frozen=True, slots=True)
class Attempt:
    """One dial to the customer. `id` is the channel id: 32 lower-case hex."""

    id: str
    n: int
    agent: str
    started_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    sip_cause: int | None = None


@dataclass(frozen=True, slots=True)
class AgentPreferences:
    """The settings of the agent an interaction is with, as they were when it was given to them."""

    auto_answer: bool = False
    accept_mode: str | None = None
    wrap_up: float | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where a caller is in the workflow and in its dialogues. `words` is what was said last, so that it can be said
    again."""

    step: int = 0
    tries: int = 0
    digits: str = ""
    words: tuple[str, ...] = ()
    said: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Its place in line. `front` puts it before everyone else; `priority` before those with less; it is not offered
    before `not_before`, nor to the agents in `excluded` until the time that stands there."""

    queued_at: datetime
    priority: int = 0
    front: bool = False
    not_before: datetime | None = None
    excluded: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """The callback that was asked for: how, when, for which time, and in which zone the customer's clock goes."""

    origin: Origin | None = None
    requested_at: datetime | None = None
    promised_at: datetime | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What the matter is, for people: what was known before the call, and what came of it."""

    name: str | None = None
    callback_type: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    instructions: str | None = None
    disposition: str | None = None
    note: str | None = None


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
