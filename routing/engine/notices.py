"""What the engine tells whoever listens in this process, after the commit. Counterpart: `routing.api.live`."""

from dataclasses import dataclass

from routing.core.interaction import Interaction
from routing.core.lifecycle import Decision


@dataclass(frozen=True, slots=True)
class InteractionChanged:
    """`cursor` is the place in the feed reached by this change."""

    decision: Decision
    cursor: int

    @property
    def interaction(self) -> Interaction:
        return self.decision.interaction


@dataclass(frozen=True, slots=True)
class AgentChanged:
    agent_id: str


@dataclass(frozen=True, slots=True)
class QueueChanged:
    name: str


Notice = InteractionChanged | AgentChanged | QueueChanged
