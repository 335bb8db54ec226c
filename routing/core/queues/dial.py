"""How customers are called back, and when they are tried again."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from ivr.workflow import Part, Seconds

Retry = tuple[Annotated[int, Field(ge=0, le=100)], Seconds]
Retried = Literal["busy", "no_answer", "machine", "congestion"]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]

DEFAULT_RETRY: dict[Retried, Retry] = {
    "busy": (3, 300.0),
    "no_answer": (3, 900.0),
    "machine": (2, 3600.0),
    "congestion": (5, 60.0),
}


class Dial(Part):
    """How a customer is called back.

    `retry`: outcome -> (how many such outcomes, seconds until the next try). `cps`: calls a second at most, over the
    whole queue. `window`: from when until before when the customer may be called, on the customer's own clock.
    """

    order: Literal["on_alert", "agent_first"] = "on_alert"
    ring_timeout: Annotated[float, Field(ge=1, le=120)] = 30
    cps: Annotated[float, Field(gt=0, le=1000)] = 5
    window: tuple[ClockTime, ClockTime] = ("08:00", "21:00")
    ttl: Seconds = 86400
    retry: Mapping[Retried, Retry] = Field(default_factory=lambda: dict(DEFAULT_RETRY))
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    ready_to_call: Seconds = 60

    @field_validator("retry")
    @classmethod
    def _with_the_rest(cls, retry: Mapping[Retried, Retry]) -> Mapping[Retried, Retry]:
        """Outcomes that are not named keep their defaults."""
        return {**DEFAULT_RETRY, **retry}

    @field_validator("window")
    @classmethod
    def _opens_before_it_closes(cls, window: tuple[str, str]) -> tuple[str, str]:
        if window[0] >= window[1]:
            raise ValueError("the window has to close after it opens, on the same day")
        return window
