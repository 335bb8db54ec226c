"""Who looks, and what of it they may see. Pure."""

from dataclasses import dataclass

from routing.api.http.permissions import HOLDERS, Permission
from routing.core.interaction import Interaction
from routing.store.agents import Agent
from routing.store.tokens import Identity


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `queues`: the ones an agent serves; None sees all of them."""

    identity: Identity
    queues: frozenset[str] | None = None

    @property
    def reads_numbers(self) -> bool:
        """Whether every number is shown in full."""
        return self.identity.role in HOLDERS[Permission.PII_READ]

    def may_see(self, it: Interaction) -> bool:
        return self.queues is None or it.queue in self.queues or self.owns(it)

    def may_see_agent(self, agent: Agent) -> bool:
        return self.queues is None or agent.id == self.identity.agent or bool(agent.queues & self.queues)

    def may_see_queue(self, name: str) -> bool:
        return self.queues is None or name in self.queues

    def owns(self, it: Interaction) -> bool:
        return it.assigned_to is not None and it.assigned_to == self.identity.agent

    def reads_number_of(self, it: Interaction) -> bool:
        return self.reads_numbers or self.owns(it)
