"""Who gets whom: one fair line of live callers and callbacks, and the agent who has been idle longest. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from routing.core.interaction import AgentPreferences


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open interaction. `excluded`: agents it is not offered to until that time."""

    id: UUID
    queue: str
    front: bool
    priority: int
    queued_at: datetime
    excluded: Mapping[str, datetime]

    @property
    def place(self) -> tuple[bool, int, datetime, UUID]:
        return (not self.front, -self.priority, self.queued_at, self.id)


@dataclass(frozen=True, slots=True)
class IdleAgent:
    """A ready agent without work. `queues`: queue -> penalty, lower is asked first."""

    agent: str
    idle_since: datetime
    queues: Mapping[str, int]
    desk: AgentPreferences = AgentPreferences()


def match(line: Iterable[Candidate], free: Sequence[IdleAgent], now: datetime) -> list[tuple[Candidate, IdleAgent]]:
    """Pairs in the order of the line: nobody is overtaken by a later one whom the same agent could serve."""
    left = list(free)
    pairs = []
    for waiting in sorted(line, key=lambda each: each.place):
        able = [agent for agent in left if _can_take(agent, waiting, now)]
        if able:
            chosen = min(able, key=lambda agent: (agent.queues[waiting.queue], agent.idle_since, agent.agent))
            left.remove(chosen)
            pairs.append((waiting, chosen))
    return pairs


def _can_take(agent: IdleAgent, waiting: Candidate, now: datetime) -> bool:
    until = waiting.excluded.get(agent.agent)
    return waiting.queue in agent.queues and (until is None or until <= now)
