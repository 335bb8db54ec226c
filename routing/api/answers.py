"""What clients are told; /openapi.json is made of it. Frozen shapes; `views.py` fills them in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from routing.api.errors import Problem
from routing.core.agents import AgentState, PhoneState
from routing.core.interaction import Kind, Outcome, Stage, Status, Subtype
from routing.core.numbers import Rule
from routing.core.queues import Queue, Switches

T = TypeVar("T")
AttemptState = Literal["dialing", "ringing", "answered", "ended"]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    id: str
    n: int
    state: AttemptState
    outcome: Outcome | None
    sip_cause: int | None
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Interaction:
    """`position` is the place in line while it waits, 1 is next; before `not_before` it is not offered. `number` is
    masked for who may not see it. `promised_at`: the time that was agreed on, null for as soon as possible."""

    id: UUID
    status: Status
    stage: Stage | None
    communication_type: Literal["voice"]
    subtype: Subtype
    kind: Kind | None
    queue: str
    number: str | None
    dialled_number: str
    assigned_to: str | None
    priority: int
    entered_at: datetime
    queued_at: datetime
    due_at: datetime | None
    promised_at: datetime | None
    expires_at: datetime | None
    attempts: list[Attempt]
    outcome: str | None
    disposition: str | None
    case_data: Mapping[str, Any]
    instructions: str | None
    position: int | None
    version: int
    name: str | None
    callback_type: str | None
    time_zone: str | None
    not_before: datetime | None


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of one interaction of several: as it is now, or why it was refused."""

    id: UUID
    status: int
    interaction: Interaction | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class BulkResults:
    """In the order of the ids that were sent."""

    results: list[BulkResult]


@dataclass(frozen=True, slots=True)
class FeedLine:
    seq: int
    at: datetime
    event: str
    actor: str
    status: Status
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Offer:
    """`deadline` ends it; `countdown` are the seconds after which it accepts itself, null when it does not."""

    interaction: Interaction
    deadline: datetime | None
    accept_mode: Literal["manual", "auto"]
    countdown: float | None
    reject_allowed: bool
    waited: int


@dataclass(frozen=True, slots=True)
class NumberCheck:
    """`rule` null: it is called. `type` is libphonenumber's; `region` a country, or 001 for numbers of none;
    `callable_from` the next moment of the calling window in `time_zones`, null when there is none."""

    number: str
    e164: str | None
    allowed: bool
    rule: Rule | None
    explanation: str
    type: str | None
    region: str | None
    time_zones: list[str]
    callable_from: datetime | None


@dataclass(frozen=True, slots=True)
class DoNotCall:
    number: str
    reason: str | None
    added_by: str
    added_at: datetime


class ShownQueue(Queue):
    """A queue's settings, and the switches, which are set by themselves."""

    switches: Switches = Switches()


@dataclass(frozen=True, slots=True)
class Serves:
    queue: str
    penalty: int


@dataclass(frozen=True, slots=True)
class Agent:
    """`interaction` is what the agent is offered or works on; `since` is when the state began."""

    id: str
    name: str
    queues: list[Serves]
    skills: list[str]
    accept_mode: str | None
    auto_answer: bool
    wrap_up: float | None
    state: AgentState
    reason: str | None
    phone: PhoneState
    since: datetime
    interaction: UUID | None


@dataclass(frozen=True, slots=True)
class SipPassword:
    """Shown this once: only a digest is kept."""

    sip_password: str


@dataclass(frozen=True, slots=True)
class Ban:
    """`address` is an IPv4 address or an IPv6 network; `account` whose password was guessed at."""

    address: str
    account: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Me:
    role: str
    agent: str | None


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The token is shown this once."""

    token: str
    role: str
    agent: str | None


@dataclass(frozen=True, slots=True)
class Alive:
    status: Literal["ok"]


@dataclass(frozen=True, slots=True)
class Jump:
    """Of Postgres' clock. `slept`: so much of it this machine was suspended."""

    at: datetime
    seconds: float
    slept: float


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """`jumps` since the service was started; `ahead`: by how many seconds this machine's clock is ahead of Postgres',
    by which everything is decided."""

    jumps: int
    last_jump: Jump | None
    ahead: float | None


@dataclass(frozen=True, slots=True)
class Ready:
    ready: bool
    parts: Mapping[str, bool]
    clock: ClockSeen
