"""The measurements, each taking one sample; all times in seconds. What is compared is taken in turns."""

import asyncio
import itertools
from collections import defaultdict

from bench.scene import BARE, DNIS_NOBODY, PLAIN, Scene
from bench.wire import Answer, Wire
from demo.sip.carrier import Phone

Samples = dict[str, list[float]]

ACCEPT, ACCEPT_HTTP, ACCEPT_FLOOR = "accept", "accept over bare http", "accept floor"
ANSWER, ANSWER_FLOOR = "answer", "answer floor"
INBOUND, INBOUND_BARE, INBOUND_PLAIN = "inbound", "inbound bare", "inbound plain"

FLOOR_STAMPS = ("began", "saved", "created", "started")


class Measures:
    def __init__(self, scene: Scene, service: Wire, floor: Wire) -> None:
        self.scene, self.service, self.floor = scene, service, floor
        self.samples: Samples = defaultdict(list)
        self.windows: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """(sent, seen) of the service's own samples: `bench.parts` looks up what happened in between."""
        self.floor_parts: list[tuple[float, ...]] = []
        """The times of `FLOOR_STAMPS` and of the INVITE."""
        self._numbers = (f"+49153{n:06}" for n in itertools.count(1))

    async def round(self) -> None:
        """One sample of each, each beside its floor, with nothing else going on."""
        for measure in (
            self.accept,
            self.accept_floor,
            self.answer,
            self.answer_floor,
            self.inbound,
            self.inbound_bare,
            self.inbound_plain,
        ):
            await self.scene.quiet()
            await measure()

    async def accept(self) -> None:
        """The Accept button while the agent's phone rings."""
        offered, number = await self.scene.offered()
        customer = self.scene.customer(number)
        answer = await self.service.post(f"/api/v1/interactions/{offered}/accept")
        self._note(ACCEPT, answer.sent, (await customer.incoming()).invited_at)

    async def accept_floor(self) -> None:
        customer = self.scene.customer(next(self._numbers))
        answer: Answer = await self.floor.post(f"/dial/{customer.number}")
        seen = (await customer.incoming()).invited_at
        self._note(ACCEPT_HTTP, answer.sent, seen)
        self._note(ACCEPT_FLOOR, answer.content["began"], seen)
        self.floor_parts.append((*(answer.content[each] for each in FLOOR_STAMPS), seen))
        await self._over(customer)

    async def answer(self) -> None:
        """The agent lifts the ringing phone."""
        _, number = await self.scene.offered()
        customer = self.scene.customer(number)
        sent = self.scene.agent.phone.calls[-1].answer()
        self._note(ANSWER, sent, (await customer.incoming()).invited_at)

    async def answer_floor(self) -> None:
        customer, phone = self.scene.customer(next(self._numbers)), self.scene.spare.phone
        leg = (await self.floor.post(f"/ring/{self.scene.spare.id}/{customer.number}")).content["leg"]
        ringing = await phone.incoming()
        await asyncio.sleep(0.05)
        sent = ringing.answer()
        self._note(ANSWER_FLOOR, sent, (await customer.incoming()).invited_at)
        await self.floor.post("/dialled")
        await self.floor.post(f"/hang-up/{leg}")
        await ringing.ended()
        await self._over(customer)

    async def inbound(self) -> None:
        await self._call_in(INBOUND, DNIS_NOBODY)

    async def inbound_bare(self) -> None:
        await self._call_in(INBOUND_BARE, BARE)

    async def inbound_plain(self) -> None:
        await self._call_in(INBOUND_PLAIN, PLAIN)

    async def _call_in(self, what: str, dialled: str) -> None:
        call = await self.scene.customer(next(self._numbers)).call(dialled)
        await call.answered()
        assert call.answered_at
        self._note(what, call.invited_at, call.answered_at)
        await call.hangup()

    async def _over(self, customer: Phone) -> None:
        await customer.calls[-1].ended()

    def _note(self, what: str, sent: float, seen: float) -> None:
        self.samples[what].append(seen - sent)
        self.windows[what].append((sent, seen))
