"""How a process reaches the simulated Asterisk: the real client, connection and phones over a simulated wire."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiohttp import WSMsgType

from dialplan.ari import models
from dialplan.ari.client import AriClient, anybody
from dialplan.ari.errors import AriUnavailable
from dialplan.ari.resources import Resources
from routing.engine.lease import Lease
from tests.simulation.world import Runner

if TYPE_CHECKING:
    from tests.simulation.asterisk import Asterisk

T = TypeVar("T")
TIMEOUT = 3.0
HEARTBEAT_FAILS_AFTER = 3.0


@dataclass(frozen=True)
class Frame:
    """One message of the websocket, as aiohttp gives it."""

    type: WSMsgType
    data: bytes = b""


class Socket:
    """The events websocket. In order, as TCP is, except where the world's disorder says otherwise."""

    close_code = None

    def __init__(self, runner: Runner, asterisk: "Asterisk") -> None:
        self.runner = runner
        self.open = True
        self.mute = False
        self.ended_at = float("inf")
        self._asterisk = asterisk
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._last = 0.0

    def send(self, event: models.AnyEvent) -> None:
        world, disorder = self.runner.world, self._asterisk.disorder
        if not self.open or self.mute:
            return
        arrives = world.now + self._asterisk.latency()
        if not world.chance(disorder):
            arrives = self._last = max(arrives, self._last)
        else:
            arrives += world.between(0.0, 0.3)
        world.at(arrives, self._deliver, event)
        if world.chance(disorder) and not isinstance(event, models.StasisStart):  # which comes once
            world.at(arrives + world.between(0.0, 0.5), self._deliver, event)

    def _deliver(self, event: models.AnyEvent) -> None:
        """Into the buffer of the process' machine, also while that process is paused."""
        if self.open and not self.mute and self.runner.alive:
            if isinstance(event, models.ApplicationReplaced):
                self._ended()
            self._asterisk.witness.reached(self, event)
            self._frames.put_nowait(Frame(WSMsgType.TEXT, msgspec.json.encode(event)))

    @property
    def epoch(self) -> int:
        """Of the process whose connection this is."""
        return self.runner.ari.epoch  # type: ignore[attr-defined,no-any-return]

    def cut(self) -> None:
        """The connection is reset."""
        if self.open:
            self.open = False
            self._ended()
            self._frames.put_nowait(Frame(WSMsgType.CLOSED))

    def _ended(self) -> None:
        """As far as its owner can know, now or when it goes on."""
        self.ended_at = min(self.ended_at, self.runner.world.now)

    def blackhole(self) -> None:
        """Half open: nothing comes any more, until the heartbeat notices."""
        self.mute = True
        self.runner.world.after(HEARTBEAT_FAILS_AFTER, self.cut)

    async def receive(self) -> Frame:
        return await self._frames.get()

    async def pong(self, _: bytes) -> None:
        return

    async def close(self) -> None:
        self.cut()
        self._asterisk.left(self)


class SimulatedAri(AriClient):
    """The real client; only what would be HTTP is simulated. `cut`: its network to Asterisk is gone."""

    def __init__(self, runner: Runner, asterisk: "Asterisk", pool: Any) -> None:
        Resources.__init__(self, self)
        self.last_answer = None
        self.may_change = anybody
        self.cut = False
        self.lease: Lease | None = None
        self.socket: Socket | None = None
        self._runner = runner
        self._asterisk = asterisk
        self._made: set[str] = set()

    async def send(self, method: str, path: str, fields: Mapping[str, object], returns: type[T]) -> T:
        if method == "DELETE":
            self._made.discard(path.rpartition("/")[2])
        if path != "/channels/create" or "@" not in str(fields["endpoint"]):
            return await self._send(method, path, fields)  # type: ignore[no-any-return]
        leg = str(fields["channelId"])
        if leg in self._made:
            world = self._runner.world
            world.at(world.now, self._asterisk.witness.made_again, leg)
        made = await self._send(method, path, fields)
        self._made.add(leg)
        return made  # type: ignore[no-any-return]

    async def _send(self, method: str, path: str, fields: Mapping[str, object]) -> Any:
        world, asterisk = self._runner.world, self._asterisk
        name = f"{method} {path}"
        if not asterisk.up or (self.cut and world.chance(0.5)):
            await asyncio.sleep(world.between(0.0005, 0.01))
            raise AriUnavailable("refused", name, sent=False)
        sent_at = world.now

        def act() -> Any:
            if not asterisk.up or self.cut:
                return _LOST
            return asterisk.obey(self, sent_at, method, path, {k: v for k, v in fields.items() if v is not None})

        lost = asterisk.loses()
        try:
            async with asyncio.timeout(TIMEOUT):
                if lost == "request":
                    await asyncio.sleep(TIMEOUT + 1)
                answer = await self._runner.call(asterisk.latency(), act, asterisk.latency())
                if answer is _LOST or lost == "answer":
                    await asyncio.sleep(TIMEOUT + 1)
        except TimeoutError:
            raise AriUnavailable("timeout", name, sent=True) from None
        self.last_answer = self._runner.monotonic()
        return answer

    @property
    def epoch(self) -> int:
        return self.lease.ownership.epoch if self.lease else 0

    def out_of_contact(self, at: float) -> bool:
        """Whether it could know at that moment that Asterisk's news go to it no longer."""
        return self.socket is None or self.socket.ended_at < at

    async def renew(self) -> None:
        return

    async def close(self) -> None:
        return

    @asynccontextmanager
    async def listen(self, app: str) -> AsyncIterator[Any]:  # type: ignore[override]
        world = self._runner.world
        asked_at = world.now
        await asyncio.sleep(self._asterisk.latency())
        if not self._asterisk.up or self.cut:
            await asyncio.sleep(world.between(0.0, 2.0 if self.cut else 0.01))
            raise AriUnavailable("refused", "GET /events", sent=False)
        socket = self.socket = Socket(self._runner, self._asterisk)
        world.at(world.now, self._asterisk.witness.connected, self, asked_at)
        self._asterisk.register(socket)
        try:
            yield socket
        finally:
            await socket.close()


_LOST = object()
