"""What agents do, or the router for them. Each names the agent."""

from dataclasses import dataclass

from routing.core.interaction import AgentPreferences


@dataclass(frozen=True, slots=True)
class Offered:
    """The router picked an agent."""

    agent: str
    desk: AgentPreferences = AgentPreferences()


@dataclass(frozen=True, slots=True)
class OfferAccepted:
    agent: str


@dataclass(frozen=True, slots=True)
class OfferRejected:
    agent: str


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """The agent logged out or went Not Ready, or the phone was lost, while the offer stood."""

    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class PickedUp:
    """An agent took it from the Home List."""

    agent: str
    desk: AgentPreferences = AgentPreferences()


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The agent pressed End Call."""

    agent: str


@dataclass(frozen=True, slots=True)
class Redialled:
    agent: str


@dataclass(frozen=True, slots=True)
class WorkDone:
    agent: str
    disposition: str | None = None
    note: str | None = None
