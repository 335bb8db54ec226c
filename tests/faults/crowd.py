"""Many people whose time runs out while nobody serves them. What they did before that has to count.

Callers in the menu, agents whose phones ring, customers whose phones ring, and people who talk all the while.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from demo.sip import policy
from demo.sip.carrier import Phone
from demo.sip.errors import SipError
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import AGENT, CUSTOMER, Talk, hear_each_other
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.scenes import few_at_a_time

CALLS_A_SECOND = 25

_LEFT = """
SELECT extract(epoch FROM min(wake_at) - now())::float8 AS first, count(wake_at) AS n,
       count(*) FILTER (WHERE wake_at < now()) AS over
  FROM interactions WHERE number = ANY($1) AND status IN ('bot', 'offered', 'connected')
"""
_BECAME = "SELECT number, status, subtype, outcome, assigned_to FROM interactions WHERE number = ANY($1)"


@dataclass(frozen=True)
class Size:
    """`stay` and `leave` press 2; `idle` do nothing, so that their time is really over. `pairs` of agents and
    customers of each kind. `gathered`: seconds in which everybody has to be at their place."""

    stay: int
    leave: int
    idle: int
    talks: int
    pairs: int
    gathered: float


SMALL, LARGE = Size(4, 3, 1, 1, 1, gathered=4.0), Size(20, 20, 10, 10, 4, gathered=6.0)


@dataclass
class Caller:
    phone: Phone
    call: OutgoingCall


@dataclass
class Pair:
    """An agent and who is to talk with them. `back` is there when the customer's phone rings already."""

    agent: Worker
    offer: IncomingCall
    back: IncomingCall | None = None


@dataclass
class People:
    """Of one round. What they do they do in time. Phones ring: of agents who are `offered` something, of those who
    `picked` something up and of their customers, and of the customers whose agents wait (`waiting`)."""

    stay: list[Caller]
    leave: list[Caller]
    idle: list[Caller]
    offered: list[Pair]
    picked: list[Pair]
    waiting: list[Pair]
    customers: list[Phone]
    numbers: list[str]
    first: float
    """When the first of their deadlines passes, monotonic."""

    @property
    def pairs(self) -> list[Pair]:
        return [*self.offered, *self.picked, *self.waiting]

    async def act(self) -> None:
        """All at once; half of the callers hang up as soon as they have pressed."""
        for each in (*self.offered, *self.picked):
            each.offer.answer()
        for each in self.pairs:
            if each.back:
                each.back.answer()
        await asyncio.gather(*(each.call.dtmf("2") for each in (*self.stay, *self.leave)))
        await asyncio.gather(*(each.call.hangup() for each in self.leave))
        assert time.monotonic() < self.first, "they were too slow themselves: nothing is shown by this round"


class Crowd:
    """The agents and the talks are there for all rounds. `patience` is how many seconds whoever is asked has."""

    def __init__(self, line: AuditedLine, size: Size, patience: float) -> None:
        self.line, self.size, self.patience = line, size, patience
        self.desk = _in_queue_of(line, f"{line.queue}-desk", f"{line.dnis}9", line.n)
        self.talks: list[Talk] = []
        self._rounds = 0

    async def come(self) -> None:
        """Everybody who stays."""
        limits = {"requests_per_agent": None}
        patient = {
            "offer": {"accept_timeout": self.patience, "answer_timeout": self.patience, "exclude": 60},
            "dial": {"ring_timeout": min(120.0, self.patience), "ready_to_call": 120, "cps": 1000},
        }
        await self.desk.settings(limits=limits, **patient)
        await self.line.settings(**steps(menu(timeout=self.patience, tries=1)), callback={"initial_delay": 0})
        workers = await few_at_a_time(self.desk.agent() for _ in range(self.size.talks + 3 * self.size.pairs))
        talking, rest = workers[: self.size.talks], workers[self.size.talks :]
        pairs = self.size.pairs
        self.offered, self.picked, self.dialling = rest[:pairs], rest[pairs : 2 * pairs], rest[2 * pairs :]
        self.talks = await asyncio.gather(*(self._talk(each) for each in talking))

    async def _talk(self, agent: Worker) -> Talk:
        customer = self.desk.caller(policy.answer())
        interaction = await self._callback(customer)
        offer = await self._picks_up(agent, interaction)
        offer.answer()
        back = await customer.incoming()
        await hear_each_other(offer, back)
        return Talk(agent, customer, offer, back, interaction)

    async def _callback(self, customer: Phone) -> str:
        body = {"queue": self.desk.queue, "number": customer.number}
        return str((await self.line.stage.api.post("callbacks", body))["id"])

    async def _picks_up(self, agent: Worker, interaction: str) -> IncomingCall:
        await agent.api.post(f"interactions/{interaction}/pickup")
        return await agent.phone.incoming()

    # A round

    async def gather(self) -> People:
        """Everybody at their place, with time that runs out together, more or less."""
        self._rounds += 1
        line = _in_queue_of(self.line, self.line.queue, self.line.dnis, self.line.n + 1000 * self._rounds)
        many = self.size.stay + self.size.leave + self.size.idle
        (offered, picked, waiting, customers), callers = await asyncio.gather(
            self._pairs(line),
            asyncio.gather(*(_in_menu(line, k / CALLS_A_SECOND) for k in range(many))),
        )
        stay, rest = callers[: self.size.stay], callers[self.size.stay :]
        leave, idle = rest[: self.size.leave], rest[self.size.leave :]
        numbers = [each.number for each in (*customers, *(one.phone for one in callers))]
        first = time.monotonic() + await self._everybody_has_a_deadline(numbers)
        for each in self.talks:
            each.offer.reset_gaps()
            each.back.reset_gaps()
        return People(stay, leave, idle, offered, picked, waiting, customers, numbers, first)

    async def _pairs(self, line: AuditedLine) -> tuple[list[Pair], list[Pair], list[Pair], list[Phone]]:
        """What nobody has picked up is offered to those who are ready."""
        late, picked, dialled = (
            [line.caller(each) for _ in range(self.size.pairs)]
            for each in (policy.answer(), policy.ring(), policy.ring())
        )
        customers = [*late, *picked, *dialled]
        made = await asyncio.gather(*(self._callback(each) for each in customers))
        ids = dict(zip((each.number for each in customers), made, strict=True))
        ring, wait = await asyncio.gather(
            asyncio.gather(*(self._rings(a, c, ids[c.number]) for a, c in zip(self.picked, picked, strict=True))),
            asyncio.gather(*(self._waits(a, c, ids[c.number]) for a, c in zip(self.dialling, dialled, strict=True))),
        )
        await asyncio.gather(*(each.ready() for each in self.offered))
        offers = await asyncio.gather(*(each.phone.incoming() for each in self.offered))
        return [Pair(agent, offer) for agent, offer in zip(self.offered, offers, strict=True)], ring, wait, customers

    async def _rings(self, agent: Worker, customer: Phone, interaction: str) -> Pair:
        """Both phones ring."""
        return Pair(agent, await self._picks_up(agent, interaction), await customer.incoming())

    async def _waits(self, agent: Worker, customer: Phone, interaction: str) -> Pair:
        """The customer's does, and the agent waits."""
        offer = await self._picks_up(agent, interaction)
        offer.answer()
        back = await customer.incoming()
        await self.line.stage.when(customer.number, stage="ringing")
        return Pair(agent, offer, back)

    async def _everybody_has_a_deadline(self, numbers: list[str]) -> float:
        """Seconds until the first."""
        async with asyncio.timeout(self.size.gathered):
            while (row := await self.line.stage.sql.fetchrow(_LEFT, numbers))["n"] < len(numbers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return float(row["first"])

    async def over(self, people: People) -> int:
        """How many deadlines have passed that nobody has seen to yet."""
        return int((await self.line.stage.sql.fetchrow(_LEFT, people.numbers))["over"])

    # What became of them

    async def abandoned(self, callers: list[Caller], within: float = 10) -> int:
        """Of those who pressed 2 in time and hung up: who has no callback."""
        numbers = [each.phone.number for each in callers]
        end = time.monotonic() + within
        while True:
            rows = await self.line.stage.sql.fetch(_BECAME, numbers)
            kept = {row["number"] for row in rows if (row["status"], row["subtype"]) == ("open", "callback")}
            if len(kept) == len(callers) or time.monotonic() > end:
                return len(callers) - len(kept)
            await asyncio.sleep(0.1)

    async def not_joined(self, people: People, within: float = 10) -> tuple[int, int]:
        """Of those who lifted or answered in time: how many agents, how many customers hear nobody."""
        backs = [each.back for each in people.pairs if each.back]
        agents, customers = await asyncio.gather(
            asyncio.gather(*(_hears(each.offer, CUSTOMER, within) for each in people.pairs)),
            asyncio.gather(*(_hears(each, AGENT, within) for each in backs)),
        )
        return agents.count(False), customers.count(False)

    async def not_ready_by_rona(self) -> list[str]:
        states = await asyncio.gather(*(each.state() for each in (*self.offered, *self.picked, *self.dialling)))
        return [each["id"] for each in states if each["reason"] == "rona"]

    def talks_ended(self) -> int:
        return sum(call.end is not None for each in self.talks for call in (each.offer, each.back))

    def silences(self) -> list[float]:
        """Seconds, the longest of every side of every talk since the round began."""
        return [call.gaps.silence for each in self.talks for call in (each.offer, each.back)]

    async def leave(self, people: People) -> None:
        """All but the talks."""
        await asyncio.gather(*(each.call.hangup() for each in (*people.stay, *people.leave, *people.idle)))
        await asyncio.gather(*(call.hangup() for each in people.customers for call in each.calls))
        await asyncio.gather(*(each.not_ready() for each in self.offered))
        await self._done(people)

    async def _done(self, people: People) -> None:
        """The agents are through with it, and free again."""
        agents = {each.id: each for each in (*self.offered, *self.picked, *self.dialling)}
        rows = await self.line.stage.sql.fetch(_BECAME.replace("SELECT", "SELECT id,"), people.numbers)
        mine = [(agents[row["assigned_to"]], row["id"]) for row in rows if row["assigned_to"] in agents]
        numbers = [each.number for each in people.customers]
        await asyncio.gather(*(self.line.stage.when(number, stage="ready_to_call") for number in numbers))
        await asyncio.gather(*(agent.api.post(f"interactions/{interaction}/done") for agent, interaction in mine))
        await self.line.stage.until(lambda: self._free(agents), "all agents are free again", 10)

    async def _free(self, agents: Iterable[str]) -> bool:
        return not await self.line.auditor.busy(agents)


def _in_queue_of(line: AuditedLine, queue: str, dnis: str, n: int) -> AuditedLine:
    """A queue, and people of their own in it."""
    return AuditedLine(line.stage, queue, dnis, n, auditor=line.auditor)


async def _in_menu(line: AuditedLine, after: float) -> Caller:
    await asyncio.sleep(after)
    phone = line.caller()
    return Caller(phone, await line.in_menu(phone))


async def hear(callers: Sequence[Caller], tone: str, within: float) -> list[bool]:
    """Who of them hears it from now on."""
    return await asyncio.gather(*(_hears(each.call, TONES[tone], within) for each in callers))


async def _hears(call: OutgoingCall | IncomingCall, tone: int, within: float) -> bool:
    try:
        await call.hear(tone, within)
    except SipError:
        return False
    return True
