"""Settings of an agent that an interaction keeps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentPreferences:
    """The settings of the agent an interaction is with, as they were when it was given to them."""

    auto_answer: bool = False
    accept_mode: str | None = None
    wrap_up: float | None = None
