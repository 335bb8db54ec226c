"""What clients are told about numbers."""

from dataclasses import dataclass
from datetime import datetime

from routing.core.numbers import Rule


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
