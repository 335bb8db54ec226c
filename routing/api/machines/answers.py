"""What machines are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


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
