"""How many there may be: callbacks and dials of a number, calls at once."""

from typing import Annotated

from pydantic import Field

from ivr.workflow import Part


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
