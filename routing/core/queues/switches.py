"""A queue's switches: effective at once, without a new version."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Switches:
    """What of a queue's callbacks goes on: `register`, they are taken; `process`, they are offered and dialled."""

    register: bool = True
    process: bool = True
