"""What clients send about agents."""

from typing import Annotated, Literal

from pydantic import Field

from routing.api.http.fields import NO_NUL, AgentId, Sent, Title, Word
from routing.core.agents import Availability
from routing.core.queues import Slug

Password = Annotated[str, Field(min_length=8, max_length=200, pattern=NO_NUL)]
# A machine guesses these, and no person has to type them often: PUT /agents/{id}/sip-password makes one of 32.
SipPassword = Annotated[str, Field(min_length=12, max_length=200, pattern=NO_NUL)]


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

    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
