"""What the API wants of the engine, and no more. Implemented by `routing.engine.engine`, to which only `routing.main`
introduces it: an engine on another machine would be asked the same. Two functions stand beside it: `e164` and
`call_no_more`.

Counterpart: `routing.engine.phones`, what the engine wants of Asterisk.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

from routing.core.agents import Availability, PhoneState
from routing.core.events import CallbackRequested, Event, PersonEvent
from routing.core.interaction import Interaction
from routing.core.queues import Queue
from routing.engine.notices import Notice
from routing.engine.number_rules import Verdict
from routing.engine.timekeeping import Jump


class Agents(Protocol):
    """The agents' phones and what they do."""

    def phone(self, agent_id: str) -> PhoneState: ...

    async def pick_up(self, agent_id: str, interaction_id: UUID, row: Interaction | None = None) -> Interaction:
        """Raises NotFound, AgentBusy, PhoneUnreachable, Unavailable, or what `Engine.ask` raises."""

    async def reassign(self, interaction_id: UUID, agent_id: str | None, by: str) -> Interaction:
        """Raises Invalid for an agent there is not, or as `pick_up`."""

    async def release(self, agent_id: str, by: str, reason: str) -> None:
        """Raises NotFound, or what `Engine.ask` raises."""

    async def set_availability(self, agent_id: str, availability: Availability, reason: str | None) -> None:
        """Raises NotFound, Unavailable."""

    async def settle(self, agent_id: str) -> None:
        """Have the SIP account in Asterisk as the row says. Raises Unavailable."""

    async def delete(self, agent_id: str) -> None:
        """Raises NotFound, AgentBusy, Unavailable."""


class Queues(Protocol):
    async def version(self, name: str, version: int) -> Queue:
        """The settings of that version. Raises NotFound, Unavailable."""


class NumberRules(Protocol):
    async def explain(self, queue_name: str, raw: str, *, history: bool = True) -> Verdict:
        """Raises NotFound, Unavailable."""


class Clock(Protocol):
    def now(self) -> datetime: ...


class Timekeeper(Protocol):
    """What became of the clock: how often Postgres' jumped, and by how many seconds this machine's is ahead of it."""

    @property
    def jumps(self) -> int: ...
    @property
    def last_jump(self) -> Jump | None: ...
    @property
    def ahead(self) -> float | None: ...


class Engine(Protocol):
    @property
    def agents(self) -> Agents: ...
    @property
    def queues(self) -> Queues: ...
    @property
    def number_rules(self) -> NumberRules: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def timekeeper(self) -> Timekeeper: ...

    @property
    def epoch(self) -> int:
        """Which turn of a process at its shard it is."""

    async def request(self, event: CallbackRequested) -> Interaction:
        """A callback that is asked for. Raises NotFound, Invalid, DuplicateCallback, Unavailable."""

    async def ask(self, interaction_id: UUID, event: PersonEvent, row: Interaction | None = None) -> Interaction:
        """Let a person's event happen; what became of the interaction. Raises the RingbackError that refuses it."""

    def tell(self, interaction_id: UUID, event: Event) -> None:
        """Let it happen without waiting."""

    def subscribe(self, listener: Callable[[Notice], None]) -> Callable[[], None]:
        """Call it after every commit; what is returned ends that."""

    def agents_changed(self, agent_id: str) -> None: ...

    def queues_changed(self, name: str = "") -> None: ...

    def health(self) -> dict[str, bool]:
        """Of each part, whether it is there."""
