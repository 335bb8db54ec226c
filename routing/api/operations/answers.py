"""What clients are told of an operation on several interactions."""

from dataclasses import dataclass
from uuid import UUID

from routing.api.http.errors import Problem
from routing.api.interactions.answers import Interaction


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
