"""The measurements, each taking one sample; all times in seconds. What is compared is taken in turns."""

import asyncio
import itertools
from collections import defaultdict

from bench.scene import BARE, DNIS_NOBODY, PLAIN, Scene
from bench.wire import Wire
from demo.sip.carrier import Phone

ACCEPT, ACCEPT_HTTP, ACCEPT_FLOOR = "accept", "accept over bare http", "accept floor"
ANSWER, ANSWER_FLOOR = "answer", "answer floor"
INBOUND, INBOUND_BARE, INBOUND_PLAIN = "inbound", "inbound bare", "inbound plain"

PAUSE = 0.05
"""Seconds of quiet before each sample, and in which a phone may ring before its agent lifts it."""


class Measures:
    def __init__(self, scene: Scene, service: Wire, floor: Wire) -> None:
        self._scene, self._service, self._floor = scene, service, floor
        self._numbers = (f"+49153{n:06}" for n in itertools.count(1))
        self.forget()

    def forget(self) -> None:
        """What was taken so far was for warming up."""
        self.samples: dict[str, list[float]] = defaultdict(list)
        self.windows: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """The same as (sent, seen), in monotonic seconds."""
        self.floor_stamps: list[tuple[float, ...]] = []
        """When the floor began, had saved, created and started, and the INVITE was seen."""

    async def round(self) -> None:
        """One sample of each, the compared ones next to each other, with nothing else going on."""
        for take in (
            self._accept,
            self._accept_floor,
            self._answer,
            self._answer_floor,
            self._inbound,
            self._inbound_plain,
            self._inbound_bare,
        ):
            await self._scene.offered()  # all that the last sample led to has happened: the next offer rings
            await asyncio.sleep(PAUSE)
            await take()

    async def _accept(self) -> None:
        """The Accept button while the agent's phone rings."""
        offered, number = await self._scene.offered()
        customer = self._scene.customer(number)
        answer = await self._service.post(f"/api/v1/interactions/{offered}/accept")
        self._note(ACCEPT, answer.sent, (await customer.incoming()).invited_at)

    async def _accept_floor(self) -> None:
        """One sample for two figures: from the request, and from its handler on."""
        customer = self._scene.customer(next(self._numbers))
        answer = await self._floor.post(f"/dial/{customer.number}")
        seen = (await customer.incoming()).invited_at
        stamps = answer.content
        self._note(ACCEPT_HTTP, answer.sent, seen)
        self._note(ACCEPT_FLOOR, stamps["began"], seen)
        self.floor_stamps.append((stamps["began"], stamps["saved"], stamps["created"], stamps["started"], seen))
        await self._over(customer)

    async def _answer(self) -> None:
        """The agent lifts the ringing phone."""
        _, number = await self._scene.offered()
        customer = self._scene.customer(number)
        sent = self._scene.agent.phone.calls[-1].answer()
        self._note(ANSWER, sent, (await customer.incoming()).invited_at)

    async def _answer_floor(self) -> None:
        customer, spare = self._scene.customer(next(self._numbers)), self._scene.spare
        leg = (await self._floor.post(f"/ring/{spare.id}/{customer.number}")).content["leg"]
        ringing = await spare.phone.incoming()
        await asyncio.sleep(PAUSE)
        sent = ringing.answer()
        self._note(ANSWER_FLOOR, sent, (await customer.incoming()).invited_at)
        await self._floor.post("/dialled")
        await self._floor.post(f"/hang-up/{leg}")
        await ringing.ended()
        await self._over(customer)

    async def _inbound(self) -> None:
        await self._call_in(INBOUND, DNIS_NOBODY)

    async def _inbound_plain(self) -> None:
        await self._call_in(INBOUND_PLAIN, PLAIN)

    async def _inbound_bare(self) -> None:
        await self._call_in(INBOUND_BARE, BARE)

    async def _call_in(self, what: str, dialled: str) -> None:
        call = await self._scene.customer(next(self._numbers)).call(dialled)
        self._note(what, call.invited_at, await call.answered())
        await call.hangup()

    async def _over(self, customer: Phone) -> None:
        await customer.calls[-1].ended()

    def _note(self, what: str, sent: float, seen: float) -> None:
        self.samples[what].append(seen - sent)
        self.windows[what].append((sent, seen))
