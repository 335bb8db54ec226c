"""When a queue is open, and what can be booked. Kept; the rules that use them are not built yet."""

from typing import Annotated, Literal

from pydantic import Field

from ivr.workflow import Part

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Hours = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")]


class Slots(Part):
    """Appointments that can be booked: length, how many at once, how far ahead."""

    minutes: Annotated[int, Field(ge=5, le=1440)] = 30
    capacity: Annotated[int, Field(ge=0, le=10_000)] = 4
    days_ahead: Annotated[int, Field(ge=0, le=366)] = 30
