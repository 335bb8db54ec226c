"""What the service finds out by itself."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DuplicateFound:
    """The request could not be stored: this number already has a callback pending in this queue."""

    leg: str


@dataclass(frozen=True, slots=True)
class NumberRefused:
    """What was decided could not be stored: the number may not be promised a call, or not be called now.

    `rule` is a word of `routing.core.numbers.Rule`; `until`: from when on it may be called, None when that
    is not known.
    """

    rule: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeReached:
    """At least one deadline may have passed."""


@dataclass(frozen=True, slots=True)
class ServiceRestarted:
    """Contact with Asterisk was regained; what was missed has been told before this. `bridged`: the bridge in which
    its parties meet is there."""

    bridged: bool = False
