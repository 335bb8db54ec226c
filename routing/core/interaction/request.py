"""The callback that was asked for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Origin(StrEnum):
    """Where a callback came from."""

    QUEUED = "queued"  # a caller who did not want to wait
    REQUESTED = "requested"  # asked for over the API, as soon as possible
    SCHEDULED = "scheduled"  # asked for over the API, for a time


@dataclass(frozen=True)  # without slots: stored by `vars`
class Request:
    """The callback that was asked for: how, when, for which time, and in which zone the customer's clock goes."""

    origin: Origin | None = None
    requested_at: datetime | None = None
    promised_at: datetime | None = None
    time_zone: str | None = None
