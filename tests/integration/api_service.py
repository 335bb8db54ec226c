"""The service as API tests see it: real engine, real HTTP server, real Postgres; only the phones are not."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp

from routing.core.agents import PhoneState
from routing.core.effects import DialCustomer, Effect, RingAgent
from routing.core.events import CallerArrived, DigitPressed, LegDialled, LegGone
from routing.core.interaction import Interaction, Role, Stage
from routing.core.queues import Queue
from routing.engine.engine import Engine
from routing.engine.phones import KnownAtOnce, MayCall
from routing.store import agents, interactions, queues, tokens
from routing.store.agents import Membership, Settings

CUSTOMER = "+4915112345678"
QUICK = {"steps": [{"after": 0, "menu": "offer", "keys": {"2": "callback"}}], "loop": False}


@dataclass
class SilentPhones:
    """Takes every request and places every call; of what comes of it the test tells. `places` may be taken back."""

    asked: list[Effect] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)
    fails: Exception | None = None
    places: bool = True

    async def perform(self, effect: Effect, may_call: MayCall) -> KnownAtOnce | None:
        self.asked.append(effect)
        return LegDialled(effect.leg) if self.places and isinstance(effect, RingAgent | DialCustomer) else None

    def reserve(self, call: DialCustomer) -> None:
        pass

    def expects(self, leg: str) -> bool:
        return False

    async def provisioned(self) -> set[str]:
        return {"carrier", *self.accounts}

    async def provision(self, agent: str, ha1: str) -> None:
        if self.fails:
            raise self.fails
        self.accounts[agent] = ha1

    async def withdraw_account(self, agent: str) -> None:
        self.accounts.pop(agent, None)


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any


@dataclass
class Service:
    engine: Engine
    phones: SilentPhones
    http: aiohttp.ClientSession
    url: str
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, who: str | None = "admin", **options: Any) -> Answer:
        """One request with the token of `who`: a role, or an agent's id."""
        headers = dict(options.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {await self.token(who)}"
        path = path if path.startswith("/") else f"/api/v1/{path}"
        async with self.http.request(method, self.url + path, headers=headers, **options) as response:
            raw = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Answer(
                response.status, await response.json(content_type=None) if is_json else raw, response.headers
            )

    async def token(self, who: str) -> str:
        if who not in self.tokens:
            role, agent = (who, None) if who in ("admin", "supervisor", "auditor") else ("agent", who)
            self.tokens[who] = await tokens.issue(self.engine.pool, role, agent)
        return self.tokens[who]

    async def queue(self, name: str = "support", **settings: Any) -> None:
        """With a calling window that is always open, whenever the tests run."""
        dial = {"window": ["00:00", "24:00"], **settings.pop("dial", {})}
        config = {"name": name, "callback": {"initial_delay": 0}, "dial": dial, **settings}
        await queues.put(self.engine.pool, Queue.model_validate(config))

    async def agent(self, agent_id: str, *serves: str, phone: PhoneState = PhoneState.REACHABLE) -> None:
        await agents.put(self.engine.pool, agent_id, Settings(queues=tuple(Membership(each) for each in serves)))
        await self.engine.agents.phone_changed(agent_id, phone)

    async def call_in(self, dialled: str = "600", number: str = CUSTOMER) -> UUID:
        """A caller waits with music."""
        leg = f"caller-{len(self.phones.asked)}-{number}"
        changed = self.changes()
        self.engine.arrive(CallerArrived(leg, dialled, number))
        return (await changed.until(lambda it: bool(it.legs) and it.legs[0].id == leg)).id

    async def callback(self, dialled: str = "600", number: str = CUSTOMER) -> UUID:
        """A caller chose to be called back, confirmed, and hung up. The queue needs the workflow QUICK."""
        interaction_id = await self.call_in(dialled, number)
        changed = self.changes()
        it = await interactions.load(self.engine.pool, interaction_id)
        if it.stage is not Stage.MENU:
            it = await changed.until(lambda it: it.id == interaction_id and it.stage is Stage.MENU)
        caller = it.leg(Role.CALLER)
        assert caller
        self.engine.hear(caller.id, DigitPressed(caller.id, "2"))
        self.engine.hear(caller.id, LegGone(caller.id))
        await changed.until(lambda it: it.id == interaction_id and not it.legs)
        return interaction_id

    async def stored(self, interaction_id: UUID) -> Interaction:
        return await interactions.load(self.engine.pool, interaction_id)

    async def stored_by(self, interaction_id: str) -> Interaction:
        """The same by the id as the API tells it."""
        return await self.stored(UUID(interaction_id))

    async def settled(self) -> None:
        """What was begun until now is done."""
        if begun := tuple(self.engine._tasks):
            await asyncio.wait(begun)

    def changes(self) -> "Changes":
        return Changes(self.engine)


class Changes:
    """What the engine told since this was made; waiting for it is a signal, not a sleep."""

    def __init__(self, engine: Engine) -> None:
        self._seen: asyncio.Queue[Any] = asyncio.Queue()
        engine.subscribe(self._seen.put_nowait)

    async def until(self, wanted: Any) -> Interaction:
        async with asyncio.timeout(10):
            while True:
                notice = await self._seen.get()
                it: Interaction | None = getattr(notice, "interaction", None)
                if it and wanted(it):
                    return it
