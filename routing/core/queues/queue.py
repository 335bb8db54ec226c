"""A queue, with all its settings."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones as read_timezones

import phonenumbers
from pydantic import Field, field_validator, model_validator

from ivr.workflow import Part, Plain, Seconds, Step, Workflow
from routing.core.queues.callback import Callback
from routing.core.queues.dial import Dial
from routing.core.queues.hours import Day, Hours, Slots
from routing.core.queues.limits import Admission, Limits
from routing.core.queues.offer import Offer
from routing.core.queues.wrap_up import Slug, WrapUp

Prefix = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{0,14}$")]

available_timezones = cache(read_timezones)  # reads a directory tree; the answer never changes

DEFAULT_STEPS = (
    Step(
        after=60,
        menu="offer",
        keys={"1": Plain.WAIT, "2": Plain.CALLBACK},
        tries=3,
        timeout=5,
    ),
)


class Abandon(Part):
    """A caller gone within `short` seconds is a short abandon, left out of the abandon rate."""

    short: Seconds = 5


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
