"""What the acceptance tests of the agents' side share: callbacks by the dozen, talks, refusals."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from demo.api import Refused
from demo.sip.carrier import Phone
from demo.sip.incoming import IncomingCall
from demo.sip.policy import Policy
from demo.stage import Stage, Worker
from tests.calls.line import Line

AGENT, CUSTOMER = 350, 450
"""What the two sides sound like."""
RING_TONE = 425
"""What an agent hears while the customer's phone rings."""


@dataclass
class Talk:
    """A customer and an agent who talk, both calls, and the interaction as it was then."""

    agent: Worker
    customer: Phone
    offer: IncomingCall
    back: IncomingCall
    id: str


async def callbacks(line: Line, *customers: Phone) -> list[str]:
    """All of them ring in at once and leave a callback; the interactions' ids, in the order of the customers."""
    return [it["id"] for it in await asyncio.gather(*(line.callback(each) for each in customers))]


async def customer_with_callback(line: Line, policy: Policy | None = None) -> tuple[Phone, str]:
    customer = line.caller(policy)
    (interaction,) = await callbacks(line, customer)
    return customer, interaction


async def offered(line: Line, agent: Worker, policy: Policy | None = None) -> tuple[Phone, str, IncomingCall]:
    """A callback that rings at the agent's phone: the customer, the interaction, the agent's call."""
    customer, interaction = await customer_with_callback(line, policy)
    await agent.ready()
    offer = await agent.phone.incoming()
    await offer.ringing()
    await line.stage.when(customer.number, status="offered", assigned_to=agent.id)
    return customer, interaction, offer


async def talk(line: Line, agent: Worker | None = None) -> Talk:
    """A callback that came about."""
    agent = agent or await line.agent()
    customer, interaction, offer = await offered(line, agent)
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    await line.stage.when(customer.number, stage="talking")
    return Talk(agent, customer, offer, back, interaction)


async def hear_each_other(offer: IncomingCall, back: IncomingCall) -> None:
    """Ten seconds, as a busy disk may hold up the commit before which nobody is joined."""
    await asyncio.gather(offer.hear(CUSTOMER, 10), back.hear(AGENT, 10))


async def refused(asked: Awaitable[Any]) -> tuple[int, str | None]:
    """Status and code of the refusal."""
    try:
        answer = await asked
    except Refused as error:
        return error.status, error.code
    raise AssertionError(f"not refused: {answer}")


async def status_of(asked: Awaitable[Any]) -> tuple[int, str | None]:
    """(200, None), or status and code of the refusal."""
    try:
        await asked
    except Refused as error:
        return error.status, error.code
    return 200, None


async def is_shown(line: Line, agent: Worker, state: str, reason: str | None = None, within: float = 5.0) -> None:
    """Wait until the agent is in that state, for that reason."""
    seen: dict[str, Any] = {}

    async def shown() -> bool:
        seen.update(await agent.state())
        return (seen["state"], seen["reason"]) == (state, reason)

    await line.stage.until(shown, f"{agent.id} is {state}, {reason}", within, seen)


async def feed_of(line: Line, interaction: str, event: str) -> list[dict[str, Any]]:
    """The data of the feed's lines of that event."""
    page = await line.stage.api.get(f"interactions/{interaction}/feed", limit="200")
    return [dict(each["data"]) for each in page["items"] if each["event"] == event]


async def kill(stage: Stage, part: str = "service") -> float:
    """kill -9; seconds until everything was ready again, with a new process in its place."""
    pid, at = stage.pid(part), time.monotonic()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while stage.pid(part) == pid or not await _is_ready(stage, session):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # a process that starts tells us nothing
    return time.monotonic() - at


async def stands_by(stage: Stage) -> int:
    """Until a successor of the service waits: one killed before that counts as one that does not work. Its pid."""
    async with asyncio.timeout(20):
        while not (waiting := _standbys(stage)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return waiting[0]


def _standbys(stage: Stage) -> list[int]:
    """But not the service itself, which may have been one."""
    wanted, service = {"--standby", str(stage.data_dir)}, stage.pid("service")
    return [pid for pid, words in _command_lines() if wanted <= set(words) and pid != service]


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # ended meanwhile
            yield int(entry.parent.name), entry.read_text(errors="replace").split("\0")


async def _is_ready(stage: Stage, session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get(f"{stage.url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
