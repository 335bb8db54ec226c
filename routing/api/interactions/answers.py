"""What clients are told about interactions. Frozen shapes; `views.py` fills them in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from routing.core.interaction import Origin, Outcome, Stage, Status, Subtype

AttemptState = Literal["dialing", "ringing", "answered", "ended"]


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
    kind: Origin | None
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
