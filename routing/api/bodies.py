"""What clients may send: bodies and queries. Unknown keys are errors. The queue is `routing.queues.Queue`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from routing.agents import Availability
from routing.interaction import Status, Subtype
from routing.queues import Slug
from routing.store.home_list import Order

_NO_NUL = r"^[^\x00]*$"  # Postgres has no text with a NUL in it


class Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Word = Annotated[str, Field(min_length=1, max_length=100, pattern=_NO_NUL)]
Title = Annotated[str, Field(max_length=200, pattern=_NO_NUL)]
Text = Annotated[str, Field(max_length=10_000, pattern=_NO_NUL)]
AgentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
Password = Annotated[str, Field(min_length=8, max_length=200, pattern=_NO_NUL)]


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
    sip_password: Password | None = None
    queues: Annotated[tuple[Serves, ...], Field(max_length=200)] = ()
    skills: Annotated[tuple[Word, ...], Field(max_length=100)] = ()
    accept_mode: Literal["manual", "auto"] | None = None
    auto_answer: bool = False
    wrap_up: Annotated[float, Field(ge=0, le=900)] | None = None


class AgentState(Sent):
    """What an agent chooses to be. `reason` is kept for not_ready."""

    state: Availability
    reason: Word | None = None


class Done(Sent):
    """How the work ended."""

    disposition: Slug | None = None
    note: Text | None = None


class Paged(Sent):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=400, pattern=_NO_NUL)] | None = None


class HomeList(Paged):
    """Without `status` everything that is not closed. `status` may be repeated."""

    status: Annotated[tuple[Status, ...], Field(max_length=7)] = ()
    subtype: Subtype | None = None
    queue: Annotated[str, Field(max_length=64, pattern=_NO_NUL)] | None = None
    assigned_to: Annotated[str, Field(max_length=32, pattern=_NO_NUL)] | None = None
    number: Annotated[str, Field(max_length=20, pattern=_NO_NUL)] | None = None
    q: Annotated[str, Field(max_length=100, pattern=_NO_NUL)] | None = None
    order: Order = Order.NEWEST


class Stream(Sent):
    """`after`: the cursor of the last message seen."""

    after: Annotated[int, Field(ge=0, lt=2**63)] | None = None
