"""One process of the service, built as `routing.main` does, with its wires to Asterisk and Postgres simulated."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from dialplan import words
from dialplan.ari.connection import AriConnection
from dialplan.ari.errors import AppReplaced
from dialplan.listen import Listener
from dialplan.phones import AsteriskPhones
from routing.core.agents import PhoneState
from routing.core.errors import Fenced, RingbackError, Unavailable
from routing.engine.clock import Clock
from routing.engine.engine import Engine
from routing.engine.lease import Lease
from routing.engine.notices import InteractionChanged, Notice
from routing.engine.recovery.sweeping import Sweeper
from tests.simulation.ari import SimulatedAri
from tests.simulation.asterisk import Asterisk
from tests.simulation.postgres import Pool, Postgres
from tests.simulation.world import Runner, Violation, World


class Process(Runner):
    """`engine` is there once the shard was taken; `over` hears when the process has ended by itself."""

    def __init__(
        self, world: World, name: str, asterisk: Asterisk, postgres: Postgres, over: "Callable[[Process], None]"
    ) -> None:
        super().__init__(world, name)
        self.pool = Pool(self, postgres)
        self.ari = SimulatedAri(self, asterisk, self.pool)
        self.engine: Engine | None = None
        self.troubles: list[str] = []
        self.told: set[tuple[UUID, int]] = set()
        self._asterisk = asterisk
        self._over = over
        self._contact = asyncio.Event()
        self.loop.set_exception_handler(lambda loop, context: self.troubles.append(str(context)))
        self._main = self.loop.create_task(self._live())

    @property
    def serves(self) -> bool:
        """Whether people can reach it."""
        return self.runs and self.engine is not None

    async def _live(self) -> None:
        try:
            await self._serve()
        except* (Fenced, AppReplaced, Unavailable) as why:
            self.world.log(f"{self.name} ends: {why.exceptions[0]!r}")
        finally:
            self.world.after(0.001, self._ended)

    def kill_now(self, *, expire: bool) -> None:
        """kill -9. `expire`: its parent sees it and lets a successor in at once."""
        memory = self.pool.server.memory
        if expire and words.APP in memory.shards and self.ari.epoch == memory.shards[words.APP].epoch:
            memory.expire(words.APP)
        self.kill()
        self._asterisk.forsake(self)
        self.world.after(0, self._over, self)

    def bury(self) -> None:
        """So that nothing of it is ever run again, not even by the garbage collector."""
        self.kill()
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with suppress(Exception):
                task.get_coro().close()
        self.loop.close()

    def stop(self) -> None:
        """SIGTERM."""
        self._main.cancel()

    def _ended(self) -> None:
        if self._main.done() and not self._main.cancelled() and (error := self._main.exception()):
            told = "".join(traceback.format_exception(error))
            raise Violation("F40", f"{self.name} ends by a fault of its own\n{told}")
        if self.alive:
            self.kill()
            self._asterisk.forsake(self)
            self._over(self)

    async def _serve(self) -> None:
        lease = Lease(self.pool, words.APP, self.name, self.monotonic)  # type: ignore[arg-type]
        await lease.take()
        self.ari.lease, self.ari.may_change = lease, lease.may_act
        self.world.log(f"{self.name} owns the shard, epoch {lease.ownership.epoch}")
        clock = await Clock.of(self.pool, words.APP, self.machine)  # type: ignore[arg-type]
        phones = AsteriskPhones(self.ari, monotonic=self.monotonic)
        engine = Engine(self.pool, clock, lease, phones, self.world.new_id)  # type: ignore[arg-type]
        try:
            await self._run(engine, lease, phones)
        finally:
            await engine.stop()

    async def _run(self, engine: Engine, lease: Lease, phones: AsteriskPhones) -> None:
        self.engine = engine
        engine.subscribe(self._tell)
        connection = AriConnection(self.ari, words.APP, lease, self.world.pauses.uniform)
        listener = Listener(connection, engine, phones.started, self._contact.set)
        engine.add_part("ari", lambda: connection.connected and listener.ready)
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run(), name="engine")
            group.create_task(connection.run(), name="ari connection")
            group.create_task(listener.run(), name="ari listener")
            group.create_task(listener.sweep(Sweeper(engine)), name="sweep")
            group.create_task(self._watch_phones(engine), name="phones")

    async def _watch_phones(self, engine: Engine) -> None:
        """Stands for AMI: which phones are there."""
        known: dict[str, bool] = {}
        while True:
            for agent in sorted({*known, *self._asterisk.registered}):
                there = self._asterisk.up and agent in self._asterisk.registered
                if known.get(agent) is not there:
                    known[agent] = there
                    state = PhoneState.REACHABLE if there else PhoneState.UNREACHABLE
                    with suppress(RingbackError):
                        await engine.agents.phone_changed(agent, state)
            await asyncio.sleep(1.0)

    def _tell(self, notice: Notice) -> None:
        """Stands for the live streams."""
        if isinstance(notice, InteractionChanged):
            self.told.add((notice.interaction.id, notice.interaction.version))

    def request(self, who: str, what: Callable[[Engine], Awaitable[Any]]) -> None:
        """Somebody asks for something over the API."""
        if self.serves:
            self.loop.create_task(self._ask(who, what))

    async def _ask(self, who: str, what: Callable[[Engine], Awaitable[Any]]) -> None:
        assert self.engine
        try:
            await what(self.engine)
        except RingbackError as error:
            self.world.log(f"{who} is refused: {error.code}")
        except Violation as violation:
            self.world.at(self.world.now, _fail, violation)


def _fail(violation: Violation) -> None:
    """Out of the process, into the world."""
    raise violation
