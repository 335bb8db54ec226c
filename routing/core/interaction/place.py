"""The place in line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)  # without slots: stored by `vars`
class Place:
    """Its place in line. `front` puts it before everyone else; `priority` before those with less; it is not offered
    before `not_before`, nor to the agents in `excluded` until the time that stands there."""

    queued_at: datetime
    priority: int = 0
    front: bool = False
    not_before: datetime | None = None
    excluded: Mapping[str, datetime] = field(default_factory=dict)
