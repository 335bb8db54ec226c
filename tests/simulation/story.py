"""One run: a centre with its queue, its agents and callers, faults for a while, then peace until all is done."""

import gc
import random
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from routing.core.agents import Availability
from routing.core.interaction import AgentPreferences
from routing.core.queues import Queue
from tests.model.memory import Agent, Commit
from tests.simulation.asterisk import Asterisk
from tests.simulation.auditor import Auditor
from tests.simulation.faults import Faults
from tests.simulation.operations import Operations
from tests.simulation.operators import Operators
from tests.simulation.people import People
from tests.simulation.postgres import Postgres, installed
from tests.simulation.process import Process
from tests.simulation.reality import noticed
from tests.simulation.world import HARNESS, START, Violation, World

TROUBLE = 45.0
"""Seconds of load, with faults."""

PEACE = 600.0
"""Seconds within which everything has to be done once the faults are over and everybody is friendly."""

SETTLED = 15.0
"""Seconds after the last fault from which everything is as if there had been none."""

NUMBERS = tuple(f"+491511234567{n}" for n in range(8))
QUEUES = {"support": "600", "sales": "601"}
TAIL = 60


@dataclass
class Report:
    """What a run came to. `violation` is None when all was well; `invariant` is the one that was broken, HARNESS when
    the run could not be lived through."""

    seed: int
    steps: int = 0
    seconds: float = 0.0
    violation: str | None = None
    invariant: str | None = None
    trace: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)

    def break_off(self, invariant: str, violation: str) -> None:
        self.invariant, self.violation = invariant, violation

    def __str__(self) -> str:
        if self.violation is None:
            return f"seed {self.seed}: all well, {self.steps} steps"
        tail = "\n".join(self.trace[-TAIL:])
        return (
            f"seed {self.seed}, step {self.steps}, second {self.seconds:.3f}: {self.violation}\n"
            f"the last of its trace:\n{tail}\n"
            f"replay: .venv/bin/pytest tests/simulation --seed {self.seed}"
        )


def run(seed: int, *, verbose: bool = False) -> Report:
    """Live through one seed. Deterministic: the same seed gives the same trace."""
    report = Report(seed)
    with quiet_ends(), installed(), noticed() as read:
        world = World(seed, verbose=verbose)
        story = Story(world)
        with _log_heard(world, story):
            try:
                story.live()
            except Violation as violation:
                report.break_off(violation.invariant, str(violation))
            except Exception as error:  # a fault of the harness, or of the service outside of a task
                report.break_off(HARNESS, f"{error!r}\n{traceback.format_exc(limit=-6)}")
            story.bury()
        report.steps, report.seconds = world.steps, world.now - START
        report.trace, report.figures = world.trace, story.auditor.figures
    if read:
        report.break_off("C1", f"C1: the real world is asked: {read[0]}")
    return report


class Story:
    def __init__(self, world: World) -> None:
        self.world = world
        self.postgres = Postgres(world)
        self.asterisk = Asterisk(world)
        self.memory = self.postgres.memory
        self.auditor = Auditor(world, self.memory, self.asterisk)
        self.people = People(world, self.asterisk, self.memory, self._serving)
        self.faults = Faults(world, self.asterisk, self.postgres, self._living, self._start)
        self.operators = Operators(world, self.memory, self.faults.kill_all)
        self.operations = Operations(world, self.memory, NUMBERS, self.people.request)
        self.processes: list[Process] = []
        self.memory.on_commit = self._committed
        self._peace = False
        self._calm = True
        self._crowded = world.chance(0.1)

    def _committed(self, commit: Commit) -> None:
        self.auditor.committed(commit)
        self.people.committed(commit)
        self.operators.committed(commit)
        self.operations.committed(commit)

    # The processes

    def _living(self) -> list[Process]:
        return [each for each in self.processes if each.alive]

    def _serving(self) -> Process | None:
        serving = [each for each in self.processes if each.serves]
        return self.world.rng.choice(serving) if serving else None

    def _start(self) -> None:
        name = f"process-{len(self.processes) + 1}"
        self.world.log(f"{name} starts")
        self.processes.append(Process(self.world, name, self.asterisk, self.postgres, self._over))

    def _over(self, process: Process) -> None:
        """There is always at least one: whoever supervises starts another."""
        if not self._living():
            self.world.after(self.world.between(0.05, 1.5), self._start_if_none)

    def _start_if_none(self) -> None:
        if not self._living():
            self._start()

    # The story

    def live(self) -> None:
        self._open_the_centre()
        self._start()
        self.world.run(START + 1.0)
        end = START + TROUBLE * (2 if self.faults.long else 1)
        self.faults.plan(end)
        self._calm = not self.faults.planned
        self._draw_calls(end)
        self._draw_moods(end)
        self._run_watching(end)
        self._make_peace()
        self._run_to_quiet()
        self.auditor.at_the_end(calm=self._calm)
        self._nothing_left_in_memory()
        for process in self._living():
            self.auditor.told(process.ari.epoch, process.told)
        self.auditor.figures["faults"] += self.faults.struck.total()
        self.auditor.figures += Counter({f"fault {kind}": n for kind, n in self.faults.struck.items()})
        self.auditor.figures += Counter({"run long": self.faults.long, "run crowded": self._crowded})

    def _open_the_centre(self) -> None:
        rng = self.world.rng
        for name, number in list(QUEUES.items())[: 2 if self._crowded else 1]:
            self.memory.queues[name] = [Queue.model_validate(_settings(rng, name, number))]
        for n in range(rng.randrange(3, 7) if self._crowded else rng.randrange(1, 4)):
            name = f"100{n + 1}"
            desk = AgentPreferences(
                auto_answer=rng.random() < 0.1,
                accept_mode=rng.choice([None, None, "manual", "auto"]),
                wrap_up=rng.choice([None, 0.0, 3.0]),
            )
            availability = rng.choice([Availability.READY, Availability.READY, Availability.NOT_READY])
            self.memory.agents[name] = Agent(desk, self._skills(rng), availability, idle_since=self.world.wall)
            self.asterisk.registered.add(name)

    def _skills(self, rng: random.Random) -> dict[str, int]:
        """In one queue at least."""
        queues = list(self.memory.queues)
        return {name: rng.randrange(2) for name in rng.sample(queues, rng.randrange(1, len(queues) + 1))}

    def _draw_calls(self, end: float) -> None:
        world = self.world
        for _ in range(world.rng.randrange(6, 15) if self._crowded else world.rng.randrange(1, 7)):
            number = world.rng.choice(NUMBERS) if world.chance(0.93) else None
            numbers = [each.numbers[0] for (each, *_) in self.memory.queues.values()]
            dialled = world.rng.choice(numbers) if world.chance(0.98) else "699"
            world.at(
                world.between(world.now, world.now + (end - world.now) * 0.8), self.people.call_in, number, dialled
            )

    def _draw_moods(self, end: float) -> None:
        """Agents come and go."""
        world = self.world
        for agent in sorted(self.memory.agents):
            for _ in range(world.rng.randrange(0, 5)):
                mood = world.rng.choice([Availability.READY] * 3 + [Availability.NOT_READY, Availability.LOGGED_OUT])
                world.at(world.between(world.now, end), self.people.set_availability, agent, mood)

    def _run_watching(self, until: float) -> None:
        self.world.at(until, lambda: None)
        while self.world.now < until:
            self._step()

    def _step(self) -> None:
        self.world.step()
        if self._calm:
            self.auditor.in_calm()

    def _make_peace(self) -> None:
        self.world.log("peace")
        self._peace = self.people.friendly = self.operators.friendly = self.operations.friendly = True
        self.faults.over()
        self._start_if_none()
        for agent in sorted(self.memory.agents):
            self.world.after(self.world.between(0.0, 1.0), self._ready_again, agent)

    def _ready_again(self, agent: str) -> None:
        if self.memory.agents[agent].availability is not Availability.READY:
            self.people.set_availability(agent, Availability.READY)
        self.world.after(2.0, self._ready_again, agent)

    def _run_to_quiet(self) -> None:
        peace = self.world.now
        quiet_since: float | None = None
        while quiet_since is None or self.world.now - quiet_since < 2.0:
            self._run_watching(self.world.now + 1.0)
            if self.world.now - peace > SETTLED:
                self.auditor.in_peace()
            left = self.auditor.unfinished()
            quiet_since = None if left else quiet_since or self.world.now
            if self.world.now - peace > PEACE:
                self.auditor.fail("L2", f"{PEACE:.0f} s after the last fault: {'; '.join(left[:5])}")
        self.auditor.figures["seconds to quiet"] += int(quiet_since - peace)

    def _nothing_left_in_memory(self) -> None:
        """But for what somebody is asking just now, which is refused."""
        for _ in range(5):
            if not (left := self._left_in_memory()):
                break
            self._run_watching(self.world.now + 1.0)
        else:
            self.auditor.fail("L2", "; ".join(left))
        troubles = [each for process in self.processes for each in process.troubles]
        if troubles:
            self.auditor.fail("F40", f"unhandled: {troubles[0]}")

    def _left_in_memory(self) -> list[str]:
        return [
            f"{process.name} remembers interactions {[*engine._boxes]}, legs {engine.legs()}"
            for process in self._living()
            if (engine := process.engine) and (engine.legs() or engine._boxes)
        ]

    def bury(self) -> None:
        """So that nothing of this run is ever run again."""
        for process in self.processes:
            process.bury()


def _settings(rng: random.Random, name: str, number: str) -> dict[str, Any]:
    """A queue, different each time, quick enough for a run."""
    menu = {
        "after": rng.choice([0.5, 2.0, 6.0]),
        "menu": "offer",
        "keys": {"1": "wait", "2": "callback", "9": {"hangup": {"say": "goodbye"}}},
        "tries": rng.choice([1, 2, 3]),
        "timeout": rng.choice([1.0, 4.0]),
    }
    steps = [menu] if rng.random() < 0.6 else [{"after": 1.0, "announce": ["position", "wait"]}, menu]
    retry = {
        kind: (rng.randrange(1, 4), rng.choice([0.5, 5.0, 15.0])) for kind in ("busy", "no_answer", "congestion")
    }
    return {
        "name": name,
        "numbers": [number],
        "workflow": {"steps": steps, "loop": rng.random() < 0.8},
        "offer": {
            "accept_timeout": rng.choice([3.0, 8.0]),
            "accept_mode": rng.choice(["manual", "manual", "auto"]),
            "countdown": 2.0,
            "answer_timeout": rng.choice([2.0, 5.0]),
            "rona_not_ready": rng.random() < 0.7,
            "exclude": rng.choice([0.0, 3.0]),
        },
        "dial": {
            "order": rng.choice(["on_alert", "agent_first"]),
            "ring_timeout": rng.choice([3.0, 10.0]),
            "ttl": rng.choice([20.0, 300.0]),
            "retry": retry,
            "max_attempts": rng.choice([1, 3]),
            "ready_to_call": rng.choice([1.0, 5.0]),
            "window": ("00:00", "24:00"),
        },
        "callback": {
            "alternate_number": rng.random() < 0.5,
            "place": rng.choice(["keep", "end", 1]),
            "initial_delay": rng.choice([0.0, 0.0, 2.0]),
            "on_hangup": rng.choice(["keep", "keep", "abandon"]),
        },
        "limits": dict.fromkeys(
            ("requests_per_number", "requests_per_source", "requests_per_prefix", "dials_per_number")
        ),
        "wrap_up": {"seconds": rng.choice([0.0, 3.0])},
    }


@contextmanager
def _log_heard(world: World, story: Story) -> Iterator[None]:
    """Whatever the service logs as an error is a violation. Of the rest of its log the decisions are counted, by what
    caused them and what they had done."""

    def hear(_logger: object, method: str, event: dict[str, Any]) -> dict[str, Any]:
        if method == "info" and event["event"] == "decision":
            story.auditor.decided(event["cause"], event["effects"])
        if method not in _ERRORS:
            raise structlog.DropEvent
        detail = "".join(traceback.format_exception(*sys.exc_info(), limit=-4)) if event.get("exc_info") else ""
        world.at(world.now, _raise, f"the service logs {method}: {event}\n{detail}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[hear],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


_ERRORS = frozenset({"error", "exception", "critical"})


def _raise(what: str) -> None:
    raise Violation("F40", what)


@contextmanager
def quiet_ends() -> Iterator[None]:
    """What a killed process leaves behind ends without a word, and not while another run is measured."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.unraisablehook = hook
