"""What the matter is, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)  # without slots: stored by `vars`
class Case:
    """What the matter is, for people: what was known before the call, and what came of it."""

    name: str | None = None
    callback_type: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    instructions: str | None = None
    disposition: str | None = None
    note: str | None = None
