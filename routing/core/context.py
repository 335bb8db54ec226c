"""What a decision is made with, besides the interaction and what happened to it. Pure."""

from dataclasses import dataclass
from datetime import datetime

from routing.core.queues import Queue


@dataclass(frozen=True, slots=True)
class Situation:
    """What is around an interaction, as it was read just before; only where `lifecycle.needs_situation` says so.
    `position`: its place in line, 1 is next; None where it has none, is too far back, or nobody looked."""

    position: int | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """`queue`: in the version the interaction came in under; `now`: the time by Postgres' clock, UTC."""

    queue: Queue
    now: datetime
    situation: Situation = Situation()
