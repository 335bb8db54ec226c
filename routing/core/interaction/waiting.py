"""Where a caller is in the workflow."""

from dataclasses import dataclass


@dataclass(frozen=True)  # without slots: stored by `vars`
class Waiting:
    """Where a caller is in the workflow and in its dialogues. `words` is what was said last, so that it can be said
    again."""

    step: int = 0
    tries: int = 0
    digits: str = ""
    words: tuple[str, ...] = ()
    said: int = 0
