"""What clients are told about agents; `views.py` fills it in."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from routing.core.agents import AgentState, PhoneState


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
