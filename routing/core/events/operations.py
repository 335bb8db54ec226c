"""What supervisors and programs do, and agents to what is theirs.

`by` is who did it, as the feed names the actor: `agent:1001`, `operator:admin`; `asker` is whose limit it counts
against: an agent's or a token's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from routing.core.interaction import AgentPreferences


@dataclass(frozen=True, slots=True)
class CallbackRequested:
    """A call back was asked for without a call (T29). `number` is E.164; without `at` as soon as possible."""

    by: str
    queue: str
    number: str
    at: datetime | None = None
    time_zone: str | None = None
    callback_type: str | None = None
    name: str | None = None
    case_data: Mapping[str, Any] = field(default_factory=dict)
    instructions: str | None = None
    asker: str | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    by: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Requeued:
    """Put into the line again, or into the line of another queue (`queue` and its current version)."""

    by: str
    queue: str | None = None
    queue_version: int = 0
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Reassigned:
    """Given to one agent as an offer, or taken from whoever has it (`agent` None)."""

    by: str
    agent: str | None = None
    desk: AgentPreferences = AgentPreferences()


@dataclass(frozen=True, slots=True)
class Rescheduled:
    by: str
    at: datetime
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Closed by hand: `resolved`, or back in line for somebody else (T26)."""

    by: str
    resolved: bool
    disposition: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """What is None stays; `case_data` names the keys that change, None removes one."""

    by: str
    number: str | None = None
    priority: int | None = None
    case_data: Mapping[str, Any] | None = None
    instructions: str | None = None
    asker: str | None = None


@dataclass(frozen=True, slots=True)
class NoteAdded:
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class CallStopped:
    """A supervisor ended the call, whoever has it."""

    by: str


@dataclass(frozen=True, slots=True)
class AgentReleased:
    """A supervisor freed the agent of what they were at."""

    by: str
    agent: str
    reason: str
