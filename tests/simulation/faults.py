"""What goes wrong in a run: which faults, when, for how long. All of it is over before liveness is asked for."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from routing.core.interaction import Status
from tests.simulation.asterisk import Asterisk
from tests.simulation.postgres import Key, Postgres
from tests.simulation.process import Process
from tests.simulation.world import World

KINDS = ("kill", "pause", "postgres stopped", "postgres frozen", "postgres cut", "asterisk crash", "asterisk cut",
         "websocket cut", "websocket half open", "rival", "stop", "phone lost", "row locked")  # fmt: skip

LONGEST, VERY_LONG = 8.0, 60.0
"""Seconds; how long one lasts at most, in most runs and in some."""

OWNERS = ("kill", "pause", "pause", "rival", "stop", "postgres cut", "websocket cut")


class Faults:
    """`services` lists the processes that live, `start` brings one up."""

    def __init__(
        self,
        world: World,
        asterisk: Asterisk,
        postgres: Postgres,
        services: Callable[[], list[Process]],
        start: Callable[[], object],
    ) -> None:
        self._world = world
        self._asterisk = asterisk
        self._postgres = postgres
        self._services = services
        self._start = start
        self.planned = False
        self.long = world.chance(0.1)
        self.struck: Counter[str] = Counter()

    def plan(self, until: float) -> None:
        """Draw the faults of this run: none in some, and in others many of one kind."""
        world = self._world
        sort = world.rng.choice(("calm", "owners", "owners", "commits", "mixed", "mixed"))
        if sort == "calm":
            return
        self.planned = True
        kinds, most = (OWNERS, 10) if sort == "owners" else (KINDS, 5)
        for _ in range(world.rng.randrange(1, most)):
            world.at(world.between(world.now, until), self._strike, world.rng.choice(kinds))
        if sort == "commits" or world.chance(0.2):
            self._postgres.unconfirmed = world.between(0.0, 0.3)
        self._wear(sort)

    def _wear(self, sort: str) -> None:
        """What is not a stroke but lasts."""
        world, asterisk = self._world, self._asterisk
        if world.chance(0.3):
            asterisk.disorder = world.between(0.0, 0.1)
        if world.chance(0.3):
            asterisk.slow = world.between(0.01, 1.5)
        if sort == "mixed" and world.chance(0.3):
            asterisk.losing = world.between(0.0, 0.03)
        if world.chance(0.2):
            asterisk.odd, asterisk.never_ends = 0.2, 0.05
        if world.chance(0.3):
            self._postgres.slow = world.between(0.01, 0.5)
        lasting = {
            "commits unconfirmed": self._postgres.unconfirmed,
            "events in disorder": asterisk.disorder,
            "asterisk slow": asterisk.slow,
            "requests lost": asterisk.losing,
            "prompts odd": asterisk.odd,
            "postgres slow": self._postgres.slow,
        }
        self.struck.update(kind for kind, much in lasting.items() if much)

    def over(self) -> None:
        """Everything works again."""
        self._postgres.unlock_all()
        self._postgres.heal()
        self._postgres.unconfirmed = self._postgres.slow = 0.0
        asterisk = self._asterisk
        asterisk.disorder = asterisk.slow = asterisk.losing = asterisk.odd = asterisk.never_ends = 0.0
        if not asterisk.up:
            asterisk.start()
        for process in self._services():
            process.paused = process.pool.cut = process.ari.cut = False
        for agent in self._phones():
            asterisk.registered.add(agent)

    def _phones(self) -> list[str]:
        return sorted(self._postgres.memory.agents)

    def _strike(self, kind: str) -> None:
        lasts = self._world.between(0.1, VERY_LONG if self.long else LONGEST)
        process = self._world.rng.choice(self._services() or [None])  # type: ignore[list-item]
        match kind:
            case "postgres stopped":
                self._for(lasts, self._postgres.refuse, self._postgres.heal)
            case "postgres frozen":
                self._for(lasts, self._postgres.freeze, self._postgres.heal)
            case "asterisk crash" if self._asterisk.up:
                self._for(lasts / 4, self._asterisk.crash, self._asterisk.start)
            case "websocket cut" if self._asterisk.app:
                self._world.log("the websocket is cut")
                self._asterisk.app.cut()
                self._asterisk.app = None
            case "websocket half open" if self._asterisk.app:
                self._world.log("the websocket is half open")
                self._asterisk.app.blackhole()
            case "row locked" if self._rows():
                key = self._world.rng.choice(self._rows())
                self._for(lasts, partial(self._postgres.lock, key), partial(self._postgres.unlock, key))
            case "rival":
                self._start()
            case "phone lost":
                agent = self._world.rng.choice(self._phones())
                self._asterisk.registered.discard(agent)
                self._world.after(lasts, self._asterisk.registered.add, agent)
            case _ if process:
                self._strike_process(kind, process, lasts)
            case _:
                return
        self.struck[kind] += 1

    def _rows(self) -> list[Key]:
        """Those that a lock can hold somebody up at."""
        memory = self._postgres.memory
        living = [each.id for each in memory.rows.values() if each.status is not Status.CLOSED]
        return [*living, *self._phones()]

    def kill_all(self) -> None:
        """Not in a run without faults."""
        for process in self._services() if self.planned else []:
            self.struck["kill"] += 1
            self._world.log(f"{process.name} is killed")
            process.kill_now(expire=True)

    def _strike_process(self, kind: str, process: Process, lasts: float) -> None:
        world = self._world
        match kind:
            case "kill":
                world.log(f"{process.name} is killed")
                process.kill_now(expire=world.chance(0.5))
            case "pause":
                world.log(f"{process.name} is paused for {lasts:.1f} s")
                process.pause(lasts)
                self._successor()
            case "stop":
                world.log(f"{process.name} is told to stop")
                process.stop()
            case "postgres cut":
                world.log(f"{process.name} does not reach postgres")
                process.pool.cut = True
                self._successor()
                world.after(lasts, setattr, process.pool, "cut", False)
            case "asterisk cut":
                world.log(f"{process.name} does not reach asterisk")
                process.ari.cut = True
                if self._asterisk.app and self._asterisk.app.runner is process:
                    self._asterisk.app.blackhole()
                world.after(lasts, setattr, process.ari, "cut", False)
            case _:
                pass

    def _successor(self) -> None:
        """Somebody takes the process for dead and starts another."""
        if self._world.chance(0.7):
            self._world.after(self._world.between(0.0, 3.0), self._start)

    def _for(self, seconds: float, begin: Callable[[], object], end: Callable[[], object]) -> None:
        begin()
        self._world.after(seconds, end)
