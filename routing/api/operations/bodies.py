"""What clients send to have somebody called back, or to do something to interactions."""

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, RootModel

from routing.api.http.fields import NO_NUL, AgentId, Sent, Text, Title
from routing.api.http.moments import PATTERN
from routing.core.queues import Slug, available_timezones


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone name such as Europe/Berlin")
    return name


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_zone)]
Moment = Annotated[str, Field(pattern=PATTERN, examples=["2027-01-31T15:30:00Z"])]
Number = Annotated[str, Field(pattern=r"^\+?[0-9 ()./-]{3,30}$", examples=["+4915112345678"])]
Priority = Annotated[int, Field(ge=-1000, le=1000)]
Key = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Fraction = Annotated[float, Field(allow_inf_nan=False)]
Case = Annotated[Mapping[Key, Text | bool | Whole | Fraction], Field(max_length=100)]
CaseChanges = Annotated[Mapping[Key, Text | bool | Whole | Fraction | None], Field(max_length=100)]
QueueName = Annotated[Slug, Field(examples=["support"])]


class CallbackRequest(Sent):
    """Who is to be called back, and when: `at` in RFC 3339, or without an offset as local time in `time_zone` (of the
    customer; else the queue's). It has to be within `dial.window` on the customer's clock. Without `at` as soon as
    possible."""

    queue: QueueName
    number: Number
    at: Moment | None = None
    time_zone: TimeZone | None = None
    callback_type: Slug | None = None
    case_data: Case = Field(default_factory=dict)
    instructions: Text | None = None
    name: Title | None = None


class Cancel(Sent):
    reason: Text | None = None


class Requeue(Sent):
    """Both optional: as it is, to the line again."""

    queue: QueueName | None = None
    priority: Priority | None = None


class Reassign(Sent):
    """`agent` null: to nobody in particular, it is in line again."""

    agent: AgentId | None = None


class Reschedule(Sent):
    """`at` as in POST /callbacks."""

    at: Moment
    time_zone: TimeZone | None = None


class Close(Sent):
    """`resolved`: nobody is called any more. `unresolved`: back in line, for somebody else."""

    resolution: Literal["resolved", "unresolved"] = "resolved"
    disposition: Slug | None = None
    note: Text | None = None


class Changes(Sent):
    """What is not there, or null, stays as it is. Of `case_data` the keys that are named change, null removes one."""

    case_data: CaseChanges | None = None
    instructions: Text | None = None
    number: Number | None = None
    priority: Priority | None = None


class Note(Sent):
    note: Annotated[str, Field(min_length=1, max_length=10_000, pattern=NO_NUL)]


Ids = Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]


class BulkCancel(Cancel):
    action: Literal["cancel"]
    ids: Ids


class BulkRequeue(Requeue):
    action: Literal["requeue"]
    ids: Ids


class BulkReassign(Reassign):
    action: Literal["reassign"]
    ids: Ids


class BulkReschedule(Reschedule):
    action: Literal["reschedule"]
    ids: Ids


InBulk = BulkCancel | BulkRequeue | BulkReassign | BulkReschedule


class BulkRequest(RootModel[Annotated[InBulk, Field(discriminator="action")]]):
    """One operation on up to a hundred interactions, each by itself: some may be refused."""
