"""The dials to the customer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
