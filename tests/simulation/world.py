"""Virtual time and one order of everything that happens; `process.py` has the event loops that live in it.

Nothing here sleeps: the clock jumps to whatever is next, a happening of the world or a process' own timer.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from dialplan.ari.errors import AriError
from routing.engine.clock import Machine

START = 10_000.0
"""Where the monotonic clock begins, in seconds."""

UPTIMES = (0.0, 0.0, -9_990.0, 2_600_000.0)
"""By how many seconds a machine's monotonic clock is ahead of the world's: one was started just now."""

WRONG = (0.0, 0.0, 0.7, -3.0, 7_200.0, -86_400.0)
"""By how many seconds a machine's wall clock is ahead."""

WALL = datetime(2026, 3, 4, 9, tzinfo=UTC)
MOST_STEPS = 400_000


HARNESS = "harness"
"""In the place of an invariant: it is the run itself that failed."""


class Violation(AssertionError):
    """Something that must never be was seen. `invariant` is one of docs/reliability.md; `about` are the ids of the
    channels and interactions concerned, where that helps."""

    def __init__(self, invariant: str, what: str, about: Iterable[str] = ()) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        self.about = frozenset(about)


class _NothingToRead:
    """What asyncio takes for a selector: a virtual loop has no files."""

    def select(self, _timeout: float | None) -> list[Any]:
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop that runs one turn at a time, when the world says so. `ahead` is how many seconds its machine's
    monotonic clock is ahead of the world's."""

    def __init__(self, world: "World", ahead: float) -> None:
        super().__init__()
        self._world = world
        self.ahead = ahead
        self._selector = _NothingToRead()
        self._clock_resolution = 1e-8  # a clock two million seconds old counts no finer

    def time(self) -> float:
        return self._world.now + self.ahead

    def _process_events(self, _: object) -> None:
        return

    def _write_to_self(self) -> None:
        return

    def due(self) -> float:
        """When it has something to do next."""
        if self._ready:  # type: ignore[attr-defined]
            return self._world.now
        scheduled = self._scheduled  # type: ignore[attr-defined]
        return float(scheduled[0]._when) - self.ahead if scheduled else float("inf")

    def turn(self) -> None:
        asyncio._set_running_loop(self)
        try:
            self._run_once()  # type: ignore[attr-defined]
        finally:
            asyncio._set_running_loop(None)


class World:
    """`rng` is the source of all chance but what the service draws for itself: ids and pauses. `trace` tells what
    happened, `verbose` prints it at once."""

    def __init__(self, seed: int, *, verbose: bool = False) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.pauses = Random(seed)
        self.clocks = Random(f"clocks {seed}")
        self._ids = Random(f"ids {seed}")
        self.now = START
        self.steps = 0
        self.trace: list[str] = []
        self.runners: list[Runner] = []
        self._verbose = verbose
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = count()

    def new_id(self) -> UUID:
        """What stands for `uuid4`."""
        return UUID(int=self._ids.getrandbits(128), version=4)

    @property
    def wall(self) -> datetime:
        """Postgres' time."""
        return WALL + timedelta(seconds=self.now - START)

    def at(self, when: float, act: Callable[..., object], *arguments: Any) -> None:
        heapq.heappush(self._heap, (max(when, self.now), next(self._order), act, arguments))

    def after(self, seconds: float, act: Callable[..., object], *arguments: Any) -> None:
        self.at(self.now + seconds, act, *arguments)

    def log(self, what: str) -> None:
        line = f"{self.now - START:9.3f} {what}"
        self.trace.append(line)
        if self._verbose:
            print(line)

    def step(self) -> None:
        """The next thing that happens, whoever does it."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Violation("L2", "it never comes to rest (more steps than any story needs)")
        first = self._heap[0][0] if self._heap else float("inf")
        runner = min((each for each in self.runners if each.runs), key=lambda each: each.loop.due(), default=None)
        if runner is not None and (due := runner.loop.due()) < first:
            self.now = max(self.now, due)
            runner.loop.turn()
            return
        if not self._heap:
            raise Violation("L2", "nothing will ever happen again")
        when, _, act, arguments = heapq.heappop(self._heap)
        self.now = max(self.now, when)
        act(*arguments)

    def run(self, until: float) -> None:
        """Everything up to that time."""
        self.at(until, lambda: None)
        while self.now < until:
            self.step()

    # Chance

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def between(self, least: float, most: float) -> float:
        return self.rng.uniform(least, most)


class Runner:
    """One operating system process: it can be paused and killed at any moment."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.loop = VirtualLoop(world, ahead=world.clocks.choice(UPTIMES))
        self._wrong_by = world.clocks.choice(WRONG)
        self.alive = True
        self.paused = False
        world.runners.append(self)

    def monotonic(self) -> float:
        """What stands for `time.monotonic` on its machine."""
        return self.loop.time()

    @property
    def machine(self) -> Machine:
        """What stands for its machine's clocks; none of these is ever suspended, some were set wrongly."""
        return Machine(self.monotonic, self.monotonic, lambda: self.world.wall.timestamp() + self._wrong_by)

    @property
    def runs(self) -> bool:
        return self.alive and not self.paused

    def pause(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after that time."""
        self.paused = True
        self.world.after(seconds, self._resume)

    def _resume(self) -> None:
        if self.paused:
            self.paused = False
            self.world.log(f"{self.name} goes on")

    def kill(self) -> None:
        """SIGKILL: nothing of it ever runs again, no `finally` either."""
        self.alive = False

    async def call(self, up: float, act: Callable[[], Any], down: float) -> Any:
        """Let `act` happen out there after `up` seconds; what it returns or raises is known `down` seconds later."""
        answer: asyncio.Future[Any] = self.loop.create_future()
        self.world.after(up, self._act, act, down, answer)
        return await answer

    def _act(self, act: Callable[[], Any], down: float, answer: "asyncio.Future[Any]") -> None:
        try:
            result, error = act(), None
        except AriError as refused:
            result, error = None, refused
        self.world.after(down, self._answer, answer, result, error)

    def _answer(self, answer: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
        if not self.alive or answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)
