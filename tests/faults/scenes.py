"""What the rows about the parts' ends share: people at every point of the path, and readings of the rig."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from demo.sip.carrier import Phone
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import Talk, customer_with_callback, offered, talk
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.rig import Rig

T = TypeVar("T")

PATIENT: dict[str, Any] = {
    **steps(menu(timeout=60)),
    "offer": {"accept_timeout": 120, "answer_timeout": 120, "exclude": 60},
    "dial": {"ring_timeout": 120, "ready_to_call": 120},
    "callback": {"initial_delay": 0},
}
"""A queue in which nothing happens by itself while the test looks on."""


def own_line(line: AuditedLine, n: int) -> AuditedLine:
    """Another queue of the same test, with people of its own."""
    assert n < 98, "telephone numbers have room for so many"
    return AuditedLine(
        line.stage,
        f"{line.queue}-{n}",
        f"{line.dnis}{n:03}",
        line.n,
        line.people + 10 * (n + 1),
        auditor=line.auditor,
    )


@dataclass
class Scene:
    """Somebody at every point of the path. Agents whose interaction it is stand beside the customer."""

    in_menu: Phone
    waiting: Phone
    confirming: Phone
    offered: tuple[Worker, Phone]
    ringing: tuple[Worker, Phone]
    talking: Talk
    inbound: tuple[Worker, Phone]
    calls: list[OutgoingCall | IncomingCall] = field(default_factory=list)

    @property
    def agents(self) -> list[Worker]:
        return [self.offered[0], self.ringing[0], self.talking.agent, self.inbound[0]]

    @property
    def customers(self) -> list[Phone]:
        several = [self.offered, self.ringing, self.inbound]
        return [self.in_menu, self.waiting, self.confirming, self.talking.customer, *(each for _, each in several)]

    def drop(self) -> None:
        """The calls end here only: the other side knows nothing of them any more."""
        for phone in (*self.customers, *(each.phone for each in self.agents)):
            for call in phone.calls:
                call.drop()
        for each in self.calls:
            each.drop()


async def everywhere(line: AuditedLine, n: int = 0, **of_the_callers: Any) -> Scene:
    """A scene in five queues, so that nobody is offered what is not meant for them. The settings are of the first,
    where the callers are who have nobody to talk to."""
    callers, *lines = [own_line(line, 5 * n + k) for k in range(5)]
    await asyncio.gather(*(each.settings(**PATIENT) for each in lines))
    await callers.settings(**{**PATIENT, **of_the_callers})
    (menu_, menu_call), (waiting, waiting_call), (confirming, confirm_call) = await asyncio.gather(
        in_menu(callers), waits(callers), confirms(callers)
    )
    offered_, ringing, talking, (agent, caller, call) = await asyncio.gather(
        is_offered(lines[0]), customer_rings(lines[1]), talk(lines[2]), talks_at_once(lines[3])
    )
    calls: list[OutgoingCall | IncomingCall] = [menu_call, waiting_call, confirm_call, call]
    return Scene(menu_, waiting, confirming, offered_, ringing, talking, (agent, caller), calls)


async def in_menu(line: AuditedLine) -> tuple[Phone, OutgoingCall]:
    caller = line.caller()
    return caller, await line.in_menu(caller)


async def waits(line: AuditedLine) -> tuple[Phone, OutgoingCall]:
    """With music, after the menu."""
    caller, call = await in_menu(line)
    await call.dtmf("1")
    await line.stage.when(caller.number, status="open")
    return caller, call


async def confirms(line: AuditedLine) -> tuple[Phone, OutgoingCall]:
    """Has asked for a callback and hears the number read back."""
    caller, call = await in_menu(line)
    await call.dtmf("2")
    await call.hear(TONES["confirm-number"])
    return caller, call


async def is_offered(line: AuditedLine) -> tuple[Worker, Phone]:
    """A callback that rings at an agent's phone."""
    agent = await line.agent()
    customer, _, _ = await offered(line, agent)
    return agent, customer


async def customer_rings(line: AuditedLine) -> tuple[Worker, Phone]:
    """An agent waits for the customer to answer."""
    agent = await line.agent()
    customer, interaction = await customer_with_callback(line)
    await agent.api.post(f"interactions/{interaction}/pickup")
    (await agent.phone.incoming()).answer()
    await customer.incoming()
    await line.stage.when(customer.number, stage="ringing")
    return agent, customer


async def talks_at_once(line: AuditedLine) -> tuple[Worker, Phone, OutgoingCall]:
    """A caller who waited for an agent and talks."""
    agent = await line.agent()
    caller, call = await waits(line)
    await agent.ready()
    (await agent.phone.incoming()).answer()
    await line.stage.when(caller.number, status="connected", stage="talking")
    return agent, caller, call


async def few_at_a_time(makings: Iterable[Awaitable[T]], few: int = 4) -> list[T]:
    """Agents, say: a password takes long on purpose, so that not too many are made at once."""
    made: list[T] = []
    todo = iter(makings)
    while group := list(itertools.islice(todo, few)):
        made += await asyncio.gather(*group)
    return made


async def is_noticed(rig: Rig, part: str, within: float = 10) -> float:
    """Seconds until /readyz names the part as away."""
    began = time.monotonic()
    async with asyncio.timeout(within), aiohttp.ClientSession() as http:
        while await _part_is_there(rig, http, part):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return time.monotonic() - began


async def _part_is_there(rig: Rig, http: aiohttp.ClientSession, part: str) -> bool:
    async with http.get(f"{rig.url}/readyz") as response:
        return bool((await response.json(content_type=None))["parts"][part])


async def asterisk_cli(rig: Rig, command: str) -> None:
    """As somebody at Asterisk's console."""
    asterisk = rig.parts.asterisk
    arguments = [*asterisk.binary.argv, "-C", str(asterisk.home / "etc/asterisk.conf"), "-rx", command]
    process = await asyncio.create_subprocess_exec(
        *map(str, arguments), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    await process.wait()


async def events_of(line: AuditedLine, number: str) -> list[str]:
    """The story of the number's latest interaction."""
    return await line.stage.feed((await line.stage.interaction(number))["id"])
