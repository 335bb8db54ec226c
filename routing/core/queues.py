"""A queue's settings, as the API and `ivr/workflows/*.toml` spell them. Pure, frozen.

Every key but `name` is optional; an unknown key is an error. A change makes a new version: callers who wait
keep the version they came in under.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones as read_timezones

import phonenumbers
from pydantic import Field, field_validator, model_validator

from ivr.workflow import Part, Plain, Seconds, Step, Workflow

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Retry = tuple[Annotated[int, Field(ge=0, le=100)], Seconds]
Retried = Literal["busy", "no_answer", "machine", "congestion"]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]

available_timezones = cache(read_timezones)  # reads a directory tree; the answer never changes

DEFAULT_RETRY: dict[Retried, Retry] = {
    "busy": (3, 300.0),
    "no_answer": (3, 900.0),
    "machine": (2, 3600.0),
    "congestion": (5, 60.0),
}

DEFAULT_STEPS = (
    Step(
        after=60,
        menu="offer",
        keys={"1": Plain.WAIT, "2": Plain.CALLBACK},
        tries=3,
        timeout=5,
    ),
)


class Offer(Part):
    """How an interaction is offered to an agent, in seconds.

    `accept_mode` auto accepts by itself when `countdown` has passed.
    """

    accept_timeout: Seconds = 20
    accept_mode: Literal["manual", "auto"] = "manual"
    countdown: Seconds = 10
    answer_timeout: Seconds = 10
    reject_allowed: bool = True
    rona_not_ready: bool = True
    exclude: Seconds = 30


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


class Callback(Part):
    """The offer to be called back. `place`: keep the place in line, join the end, or a priority offset.

    `max_pending`: how many callbacks wait at most; a fifth of it is kept for callers, and not given to what is asked
    for over the API. `enabled` false: none are taken, and a menu that offers one is left out.
    """

    enabled: bool = True
    alternate_number: bool = False
    place: Literal["keep", "end"] | Annotated[int, Field(ge=-100, le=100)] = "keep"
    initial_delay: Seconds = 5
    max_pending: Annotated[int, Field(ge=0, le=1_000_000)] = 500
    on_hangup: Literal["keep", "abandon"] = "keep"

    @property
    def most_over_api(self) -> int:
        return self.max_pending - self.max_pending // 5


class Limits(Part):
    """How often, counted over all queues and compared with this queue's figures; null for no limit.

    Requests and dials of a number within 24 hours. Within an hour: requests one caller makes for other numbers than
    the caller's own, requests for foreign numbers that share their first seven digits, and what one agent or one
    token asks for over the API: callbacks, and other numbers for them, taken or refused.
    """

    requests_per_number: Annotated[int, Field(ge=1, le=1_000_000)] | None = 3
    dials_per_number: Annotated[int, Field(ge=1, le=1_000_000)] | None = 6
    requests_per_source: Annotated[int, Field(ge=1, le=1_000_000)] | None = 20
    requests_per_prefix: Annotated[int, Field(ge=1, le=1_000_000)] | None = 20
    requests_per_agent: Annotated[int, Field(ge=1, le=10_000)] | None = 60


class Admission(Part):
    """How many calls in are let in at once, waiting or talking; null for no limit. Who is one too many hears the busy
    tone and is not answered. `calls_per_number` counts those of one caller over all queues."""

    calls: Annotated[int, Field(ge=1, le=100_000)] | None = None
    calls_per_number: Annotated[int, Field(ge=1, le=100_000)] | None = 20


@dataclass(frozen=True, slots=True)
class Switches:
    """What of a queue's callbacks goes on: `register`, they are taken; `process`, they are offered and dialled."""

    register: bool = True
    process: bool = True


class Abandon(Part):
    """A caller gone within `short` seconds is a short abandon, left out of the abandon rate."""

    short: Seconds = 5


class Disposition(Part):
    """One code an agent may close with."""

    code: Slug
    title: str = ""


class WrapUp(Part):
    """After-call work. Without `done` the timer closes the interaction."""

    seconds: Annotated[float, Field(ge=0, le=900)] = 30
    required: bool = False
    dispositions: Annotated[tuple[Disposition, ...], Field(max_length=100)] = ()

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(each.code for each in self.dispositions)


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Hours = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
Prefix = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{0,14}$")]


class Slots(Part):
    """Appointments that can be booked: length, how many at once, how far ahead."""

    minutes: Annotated[int, Field(ge=5, le=1440)] = 30
    capacity: Annotated[int, Field(ge=0, le=10_000)] = 4
    days_ahead: Annotated[int, Field(ge=0, le=366)] = 30


class Queue(Part):
    """All settings of one queue. `numbers` are the DNIS numbers it answers.

    `numbers_allowed` empty: the numbers of `region`. `hours`, `holidays` and `slots` are validated and kept; the
    rules that use them are not built yet.
    """

    name: Slug
    title: Annotated[str, Field(max_length=200)] = ""
    numbers: Annotated[tuple[Annotated[str, Field(pattern=r"^\+?[0-9]{1,20}$")], ...], Field(max_length=1000)] = ()
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "DE"
    time_zone: str = "Europe/Berlin"
    language: Literal["en"] = "en"
    caller_id: Annotated[str, Field(pattern=r"^\+?[0-9]{1,20}$")] | None = None
    admission: Admission = Admission()
    workflow: Workflow = Workflow(steps=DEFAULT_STEPS)
    offer: Offer = Offer()
    dial: Dial = Dial()
    callback: Callback = Callback()
    abandon: Abandon = Abandon()
    wrap_up: WrapUp = WrapUp()
    hours: Mapping[Day, tuple[Hours, ...]] = Field(default_factory=dict)
    holidays: Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None = None
    slots: Slots = Slots()
    numbers_allowed: Annotated[tuple[Prefix, ...], Field(max_length=1000)] = ()
    numbers_denied: Annotated[tuple[Prefix, ...], Field(max_length=1000)] = ()
    limits: Limits = Limits()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("not a time zone name such as Europe/Berlin")
        return zone

    @field_validator("region")
    @classmethod
    def _known_region(cls, region: str) -> str:
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("not a region with telephone numbers")
        return region

    @model_validator(mode="after")
    def _numbers_once(self) -> Self:
        if len(set(self.numbers)) != len(self.numbers):
            raise ValueError("numbers: one of them is listed twice")
        return self
