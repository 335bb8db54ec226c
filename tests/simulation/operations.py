"""What is asked for over the API besides a call: cancelled, requeued, reassigned, rescheduled, settled, edited,
annotated, requested, stopped, agents freed. At any moment, sensible or not; what is refused is refused.

Their chance is their own.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from routing.core.events import (
    AgentReleased,
    CallbackRequested,
    CallStopped,
    Cancelled,
    Edited,
    NoteAdded,
    PersonEvent,
    Requeued,
    Rescheduled,
    Settled,
)
from routing.core.interaction import Interaction, Stage, Status, Subtype
from routing.engine.engine import Engine
from tests.model.memory import Commit, Memory
from tests.simulation.world import World

KINDS = ("cancel", "requeue", "reassign", "reschedule", "settle", "edit", "note", "request", "stop", "release")
OFTEN = 0.08
"""How often a change of an interaction leads somebody to do something to it."""

Request = Callable[[Engine], Awaitable[Any]]


class Operations:
    """`ask` lets a request reach the service after some seconds; `numbers` are those that call."""

    def __init__(
        self,
        world: World,
        memory: Memory,
        numbers: tuple[str, ...],
        ask: Callable[[float, str, Request], None],
    ) -> None:
        self.friendly = False
        self._world = world
        self._memory = memory
        self._numbers = numbers
        self._ask = ask
        self._rng = Random(f"operations {world.seed}")

    def committed(self, commit: Commit) -> None:
        rng, it = self._rng, commit.after
        if self.friendly or rng.random() > OFTEN:
            return
        after = rng.choice([rng.uniform(0.0, 0.5), rng.uniform(0.0, 4.0)])
        what = rng.choice(_sensible(it) if rng.random() < 0.8 else KINDS)
        self._ask(after, "an operation", self._request(what, it, after))

    def _request(self, what: str, it: Interaction, after: float) -> Request:
        rng, now = self._rng, self._world.wall + timedelta(seconds=after)
        agents = sorted(self._memory.agents)
        by = rng.choice(["operator:admin", "operator:admin", f"agent:{it.assigned_to or agents[0]}"])
        match what:
            case "cancel":
                return partial(_put, it.id, Cancelled(by))
            case "requeue":
                return partial(_put, it.id, Requeued(by, priority=rng.choice([None, 1, 5])))
            case "reassign":
                return partial(_reassign, it.id, rng.choice([*agents, None]))
            case "reschedule":
                return partial(_put, it.id, Rescheduled(by, now + timedelta(seconds=rng.choice([0.5, 3.0, 12.0]))))
            case "settle":
                return partial(_put, it.id, Settled(by, resolved=rng.random() < 0.4, disposition="solved"))
            case "edit":
                number = rng.choice([None, *self._numbers])
                return partial(_put, it.id, Edited(by, number=number, priority=rng.choice([None, 2, 3])))
            case "stop":
                return partial(_put, it.id, CallStopped("operator:admin"))
            case "release":
                agent = it.assigned_to or agents[0]
                return partial(_put, it.id, AgentReleased("operator:admin", agent, "gone home"))
            case "note":
                return partial(_put, it.id, NoteAdded(by, "a note"))
            case _:
                at = now + timedelta(seconds=rng.choice([5.0, 10.0])) if rng.random() < 0.4 else None
                return partial(_ask_for_call, CallbackRequested(by, it.queue, rng.choice(self._numbers), at))


def _sensible(it: Interaction) -> tuple[str, ...]:
    """What may well be done to it as it is now."""
    if it.status is Status.WRAP_UP or it.stage is Stage.READY_TO_CALL:
        return ("settle", "settle", "reschedule", "edit")
    if it.subtype is Subtype.CALLBACK and it.status in (Status.OPEN, Status.OFFERED, Status.SCHEDULED):
        return ("cancel", "requeue", "reassign", "reschedule", "edit")
    if it.status is Status.CONNECTED:
        return ("stop", "release", "note", "request")
    return KINDS


async def _put(interaction_id: UUID, event: PersonEvent, engine: Engine) -> None:
    await engine.ask(interaction_id, event)


async def _reassign(interaction_id: UUID, agent: str | None, engine: Engine) -> None:
    await engine.agents.reassign(interaction_id, agent, "operator:admin")


async def _ask_for_call(event: CallbackRequested, engine: Engine) -> None:
    await engine.request(event)
