"""What clients may send: bodies and queries. Unknown keys are errors. The queue is `routing.core.queues.Queue`."""

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel

from routing.api.moments import PATTERN
from routing.core.agents import Availability
from routing.core.interaction import Status, Subtype
from routing.core.queues import Slug, available_timezones
from routing.store.home_list import Order

_NO_NUL = r"^[^\x00]*$"  # Postgres has no text with a NUL in it


class Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Word = Annotated[str, Field(min_length=1, max_length=100, pattern=_NO_NUL)]
Title = Annotated[str, Field(max_length=200, pattern=_NO_NUL)]
Text = Annotated[str, Field(max_length=10_000, pattern=_NO_NUL)]
AgentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
Password = Annotated[str, Field(min_length=8, max_length=200, pattern=_NO_NUL)]
# A machine guesses these, and no person has to type them often: PUT /agents/{id}/sip-password makes one of 32.
SipPassword = Annotated[str, Field(min_length=12, max_length=200, pattern=_NO_NUL)]


class Login(Sent):
    user: Annotated[str, Field(max_length=200, pattern=_NO_NUL)]
    password: Annotated[str, Field(max_length=200, pattern=_NO_NUL)]


class Serves(Sent):
    """A queue an agent serves. Agents of lower penalty are asked first."""

    queue: Slug
    penalty: Annotated[int, Field(ge=0, le=1000)] = 0


class Agent(Sent):
    """All of an agent's settings; what is not there gets its default. Secrets that are not there stay as they are,
    null removes them."""

    id: AgentId | None = None
    name: Title = ""
    password: Password | None = None
    sip_password: SipPassword | None = None
    queues: Annotated[tuple[Serves, ...], Field(max_length=200)] = ()
    skills: Annotated[tuple[Word, ...], Field(max_length=100)] = ()
    accept_mode: Literal["manual", "auto"] | None = None
    auto_answer: bool = False
    wrap_up: Annotated[float, Field(ge=0, le=900)] | None = None


class AgentState(Sent):
    """What an agent chooses to be. `reason` is kept for not_ready."""

    state: Availability
    reason: Word | None = None


class Release(Sent):
    """Why the agent is freed; it is in the feed."""

    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_NUL)]


class Done(Sent):
    """How the work ended."""

    disposition: Slug | None = None
    note: Text | None = None


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone name such as Europe/Berlin")
    return name


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_zone)]
Moment = Annotated[str, Field(pattern=PATTERN, examples=["2027-01-31T15:30:00Z"])]
Number = Annotated[str, Field(pattern=r"^\+?[0-9 ()./-]{3,30}$", examples=["+4915112345678"])]
Priority = Annotated[int, Field(ge=-1000, le=1000)]
Key = Annotated[str, Field(min_length=1, max_length=100, pattern=_NO_NUL)]
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
    note: Annotated[str, Field(min_length=1, max_length=10_000, pattern=_NO_NUL)]


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


class NumberCheck(Sent):
    """Any text at all may be asked about."""

    queue: Slug
    number: Annotated[str, Field(max_length=100, pattern=_NO_NUL, examples=["+4915112345678"])]


class DoNotCall(Sent):
    reason: Title | None = None


class Switches(Sent):
    """What is not there stays as it is."""

    takes: Annotated[bool | None, Field(alias="register")] = None  # pydantic has a `register` of its own
    process: bool | None = None


class Paged(Sent):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=400, pattern=_NO_NUL)] | None = None


class HomeList(Paged):
    """Without `status` everything that is not closed. `status` may be repeated."""

    status: Annotated[tuple[Status, ...], Field(max_length=7)] = ()
    subtype: Subtype | None = None
    queue: Annotated[str, Field(max_length=64, pattern=_NO_NUL)] | None = None
    assigned_to: Annotated[str, Field(max_length=32, pattern=_NO_NUL)] | None = None
    number: Annotated[str, Field(max_length=40, pattern=_NO_NUL)] | None = None
    q: Annotated[str, Field(max_length=100, pattern=_NO_NUL)] | None = None
    order: Order = Order.NEWEST


class Stream(Sent):
    """`after`: the cursor of the last message seen."""

    after: Annotated[int, Field(ge=0, lt=2**63)] | None = None
