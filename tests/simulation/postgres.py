"""A simulated Postgres: `Memory` behind a network that delays, loses, answers late or not at all.

`installed()` puts it in the place of the functions of `routing.store`; everything else of the service stays real.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from enum import Enum
from typing import Any
from unittest.mock import patch
from uuid import UUID

from routing.core.errors import Conflict, RingbackError, Unavailable
from routing.store import agents, clock, interactions, number_rules, queues, shards
from routing.store.database import ACQUIRE_TIMEOUT, STATEMENT_TIMEOUT
from routing.store.read import line
from tests.model.memory import Impossible, Memory
from tests.simulation.world import Runner, World

STORE = {
    interactions: (
        "load",
        "load_living",
        "create",
        "save",
        "known_legs",
        "due_until",
        "pending",
        "stored_before_jump",
    ),
    line: ("free_agents", "in_line", "is_ready", "places"),
    agents: ("desk", "set_availability", "offered_interaction", "sip_ha1", "sip_accounts"),
    queues: ("version", "by_number", "current", "get"),
    shards: ("held", "take", "renew", "release", "asterisk_life", "remember_asterisk_life"),
    clock: ("shift", "jumped"),
    number_rules: ("ask",),
}
WRITES = frozenset({"create", "save", "set_availability"})


Key = UUID | str
"""An interaction's row, or an agent's."""


class Mood(Enum):
    """What happens to a statement."""

    WELL = "well"
    REFUSED = "refused"  # nobody listens on the port
    FROZEN = "frozen"  # the statement arrives, and is done when Postgres goes on


class Postgres:
    """The server. `unconfirmed` is how often an answer is lost after the statement was done, or before."""

    def __init__(self, world: World) -> None:
        self.memory = Memory(lambda: world.wall)
        self.mood = Mood.WELL
        self.unconfirmed = 0.0
        self.slow = 0.0
        self._world = world
        self._frozen: list[Callable[[], None]] = []
        self._locked: dict[Key, list[Callable[[], None]]] = {}

    def refuse(self) -> None:
        self._world.log("postgres is stopped")
        self.mood = Mood.REFUSED

    def freeze(self) -> None:
        self._world.log("postgres freezes")
        self.mood = Mood.FROZEN

    def heal(self) -> None:
        """What waited in a frozen server's sockets is done now, some of it for clients that have given up."""
        if self.mood is not Mood.WELL:
            self._world.log("postgres is back")
        self.mood, held, self._frozen = Mood.WELL, self._frozen, []
        for statement in held:
            statement()

    def hold(self, statement: Callable[[], None]) -> None:
        self._frozen.append(statement)

    def lock(self, key: Key) -> None:
        """Somebody's transaction holds this row, and does not end."""
        self._world.log(f"row {key if isinstance(key, str) else key.hex[:8]} is locked")
        self._locked.setdefault(key, [])

    def unlock(self, key: Key) -> None:
        """What waited for the row is done, in order, also for clients that have given up."""
        for statement in self._locked.pop(key, []):
            statement()

    def unlock_all(self) -> None:
        for key in list(self._locked):
            self.unlock(key)

    def waits(self, name: str, arguments: tuple[Any, ...], statement: Callable[[], None]) -> bool:
        """Whether this statement has to wait for a row, and does."""
        key = next((each for each in _written(name, arguments) if each in self._locked), None)
        if key is not None:
            self._locked[key].append(statement)
        return key is not None


class Pool:
    """One process' connections; stands for `asyncpg.Pool`. `cut`: its network to Postgres is gone."""

    def __init__(self, runner: Runner, server: Postgres) -> None:
        self.runner = runner
        self.server = server
        self.cut = False

    async def call(self, name: str, *arguments: Any) -> Any:
        """A store function, as its caller lives through it. Raises Unavailable as `routing.store.database` does."""
        world = self.runner.world
        if self.cut or self.server.mood is Mood.REFUSED:
            await asyncio.sleep(world.between(0.001, ACQUIRE_TIMEOUT if self.cut else 0.02))
            raise Unavailable("Postgres does not answer.")
        try:
            async with asyncio.timeout(STATEMENT_TIMEOUT):
                return await self._answer(name, arguments)
        except TimeoutError:
            raise Unavailable("Postgres does not answer.") from None

    async def _answer(self, name: str, arguments: tuple[Any, ...]) -> Any:
        world, server = self.runner.world, self.server
        answer: asyncio.Future[Any] = self.runner.loop.create_future()
        up, down = (world.between(0.0002, 0.002 + server.slow) for _ in range(2))
        lost = name in WRITES and world.chance(server.unconfirmed)
        fate = world.rng.choice(("lost", "done", "late")) if lost else "done"
        if fate == "lost":
            await asyncio.sleep(up)
            world.log(f"{self.runner.name}: {name} is lost before it is done")
            raise Unavailable("Postgres does not answer.")

        def arrive() -> None:
            if server.mood is Mood.FROZEN:
                server.hold(do)
            elif server.mood is Mood.WELL and not self.cut and not server.waits(name, arguments, arrive):
                do()

        def do() -> None:
            try:
                result, error = getattr(server.memory, name)(*arguments), None
            except (RingbackError, Conflict, number_rules.Stale, Impossible) as refused:
                result, error = None, refused
            if lost:
                world.log(f"{self.runner.name}: {name} is done, its answer lost")
                result, error = None, Unavailable("Postgres does not answer.")
            if not self.cut and fate != "late":
                world.after(down, self.runner._answer, answer, result, error)

        if fate == "late":  # the connection breaks while Postgres is at it
            world.log(f"{self.runner.name}: {name} breaks off")
            world.after(up + world.between(0.0, 2.0), arrive)
            await asyncio.sleep(up)
            raise Unavailable("Postgres does not answer.")
        world.after(up, arrive)
        return await answer

    @asynccontextmanager
    async def acquire(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109  # asyncpg's own signature
        """For what does not pass through a store function: the clock only."""
        yield self

    async def fetchval(self, statement: str) -> Any:
        assert statement == "SELECT clock_timestamp()", f"the simulated Postgres does not know: {statement}"
        return self.runner.world.wall


def _written(name: str, arguments: tuple[Any, ...]) -> Iterator[Key]:
    """The rows a statement writes to: an interaction, agents."""
    match name:
        case "save":
            _, before, decision, *_ = arguments
            yield before.id
            yield from {each.assigned_to for each in (before, decision.interaction) if each.assigned_to}
        case "set_availability":
            yield arguments[0]
        case _:
            pass


def _stand_in(name: str) -> Callable[..., Any]:
    async def stored(pool: Pool, *arguments: Any) -> Any:
        return await pool.call(name, *arguments)

    return stored


@contextmanager
def installed() -> Iterator[None]:
    """The service's store functions go to the simulated Postgres."""
    with ExitStack() as stack:
        for module, names in STORE.items():
            for name in names:
                stack.enter_context(patch.object(module, name, _stand_in(name)))
        yield
