"""Agents: they lift, accept on the page, decline, ignore, pick up, redial, take breaks, and log out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from demo.api import Api
from demo.sip.agent import SipAgent
from demo.sip.errors import CallFailed, SipError, SipTimeout
from demo.sip.incoming import IncomingCall
from demo.stage import Worker
from tests.soak.world import QUEUE, SOON, World

WAYS = {"lifts": 8, "accepts on the page": 4, "declines": 1, "rejects on the page": 1, "ignores": 1}
IDLE = {"picks up": 4, "takes a break": 1, "restarts the phone": 1, "logs out": 1}
CUSTOMER = 450
LATE = 15.0
"""Seconds after which the agents begin: else the callers of a short soak are served at once, and none is promised a
call."""


class Clerk:
    """One agent. Use `async with clerk(world, n) as it: await it.work()`."""

    def __init__(self, world: World, worker: Worker, sessions: contextlib.AsyncExitStack) -> None:
        self.world, self.id, self.phone = world, worker.id, worker.phone
        self._api, self._sessions = worker.api, sessions

    async def work(self) -> None:
        """Until the end; then logged out."""
        while not self.world.ending.is_set():
            await self.world.without_trouble(self._next())
        await self._state("logged_out")

    async def _next(self) -> None:
        await self._state("ready")
        try:
            call = await self.phone.incoming(self.world.dice.uniform(2, 6))
        except SipTimeout:
            await self._is_idle()
        else:
            await self._meets(call)

    async def _meets(self, call: IncomingCall) -> None:
        way = self.world.dice.choices([*WAYS], [*WAYS.values()])[0]
        self.world.done[f"agent {way}"] += 1
        await self.world.over(self.world.dice.uniform(0.1, 1.5))
        with contextlib.suppress(CallFailed), self.world.up(call):  # it may be over by now
            match way:
                case "lifts":
                    call.answer()
                    await self._talks(call)
                case "accepts on the page":
                    await self._on_it("accept")
                    await self.world.over(self.world.dice.uniform(0, 1))
                    call.answer()
                    await self._talks(call)
                case "declines":
                    call.reject(486)
                case "rejects on the page":
                    await self._on_it("reject")
                    await call.ended(SOON)
                case "ignores":
                    await call.ended(SOON)

    async def _talks(self, call: IncomingCall) -> None:
        """Or not: the customer may be busy, or rings for ever."""
        try:
            await call.hear(CUSTOMER, self.world.dice.uniform(4, 10))
            await self.world.over(self.world.dice.uniform(1, 6))
        except SipTimeout:
            self.world.done["agents who heard nobody"] += 1
        if self.world.dice.random() < 0.5:
            await self._on_it("end-call")
        await call.hangup(SOON)
        if self.world.dice.random() < 0.15 and await self._on_it("redial"):
            self.world.done["redials"] += 1
            return
        await self._on_it("done", {"note": "as agreed"})

    async def _is_idle(self) -> None:
        doing = self.world.dice.choices([*IDLE], [*IDLE.values()])[0]
        self.world.done[f"agent {doing}"] += 1
        match doing:
            case "picks up":
                await self._picks_up()
            case "takes a break":
                await self._state("not_ready", reason="break")
                await self.world.over(self.world.dice.uniform(1, 5))
            case "restarts the phone":
                await self._restarts()
            case "logs out":
                await self._logs_out()

    async def _picks_up(self) -> None:
        found = await self.world.ask(self._api.get("interactions", subtype="callback", status="open"))
        for it in (found or {"items": []})["items"][:1]:
            if await self.world.ask(self._api.post(f"interactions/{it['id']}/pickup")):
                self.world.done["picked up"] += 1

    async def _restarts(self) -> None:
        """Between two calls: a call that comes just then fails, which is what the service has to live with."""
        await self.phone.unregister(SOON)
        await self.world.over(self.world.dice.uniform(0.5, 3))
        await self.phone.register(within=SOON)
        self.world.done["registrations"] += 1

    async def _logs_out(self) -> None:
        await self._state("logged_out")
        await self.world.ask(self._api.post("logout"))
        await self.world.over(self.world.dice.uniform(0.5, 3))
        user = {"user": self.id, "password": f"login-{self.id}-secret"}
        if told := await self.world.ask(self.world.stage.api.post("login", user)):
            await self._sessions.aclose()
            self._api = await self._sessions.enter_async_context(Api(self.world.stage.url, told["token"]))

    async def _on_it(self, what: str, body: object = None) -> Any:
        """On what the agent has just now, if anything."""
        state = await self.world.ask(self._api.get(f"agents/{self.id}"))
        if state and (it := state["interaction"]):
            return await self.world.ask(self._api.post(f"interactions/{it}/{what}", body))
        return None

    async def _state(self, state: str, **more: str) -> None:
        await self.world.ask(self._api.put(f"agents/{self.id}/state", {"state": state, **more}))


@contextlib.asynccontextmanager
async def clerk(world: World, n: int) -> AsyncIterator[Clerk]:
    worker = await world.stage.worker(f"soak-{n}", QUEUE)
    world.auditor.phones.append(worker.phone)
    async with contextlib.AsyncExitStack() as sessions:
        yield Clerk(world, worker, sessions)


async def work(world: World, agents: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clerks = [await stack.enter_async_context(clerk(world, n)) for n in range(agents)]
        await world.over(LATE)
        async with asyncio.TaskGroup() as group:
            for each in clerks:
                group.create_task(each.work(), name=each.id)


async def spare_phone(world: World, n: int) -> None:
    """A phone of an agent who is not there: it comes, goes with a word or without one, and comes again."""
    worker = await world.stage.worker(f"soak-spare-{n}", register=False)
    phone: SipAgent = worker.phone
    while not await world.over(world.dice.uniform(1, 4)):
        try:
            await phone.register(within=SOON)
            world.done["registrations"] += 1
            await world.over(world.dice.uniform(1, 4))
            if world.dice.random() < 0.5:
                await phone.unregister(SOON)
            else:
                phone.unplug()
                world.done["phones gone without a word"] += 1
                await phone.open()
        except SipError as error:
            world.complaints.append(str(error))
