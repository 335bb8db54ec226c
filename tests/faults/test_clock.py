"""F30, F42, F44: clocks that jump or disagree, and a machine that was suspended. Real parts; the wall clocks of
Postgres and of the service are set while they run (libfaketime), their monotonic clocks are the machine's."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from demo.folder import enterable_folder
from demo.sip.carrier import Phone
from routing.local.asterisk import prompts
from tests.calls.auditor import Auditor
from tests.calls.desk import hear_each_other, offered
from tests.calls.story import menu, steps
from tests.faketime import WallClock
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Clocks, Rig, open_rig
from tests.faults.scenes import Scene, everywhere, own_line

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUR, DAY = 3600.0, 86400.0
SOON = 5.0
"""Seconds within which a jump is noticed and followed."""
ANSWER_TO = 12.0
"""Seconds an agent has to accept."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clocks() -> AsyncIterator[Clocks]:
    with enterable_folder("clocks") as folder:
        yield Clocks(WallClock(folder / "postgres"), WallClock(folder / "service"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rig(clocks: Clocks) -> AsyncIterator[Rig]:
    """Another one than that of the other rows, which is not under libfaketime."""
    with enterable_folder("clock") as home:
        async with open_rig(home / "data", prompts.tones(home / "tones"), clocks) as rig:
            yield rig


@pytest.fixture(scope="module")
def auditor(rig: Rig) -> Auditor:
    return Auditor(rig)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def put_back(clocks: Clocks, rig: Rig) -> AsyncIterator[None]:
    """Clocks agree again when a row is done, and the service knows it."""
    yield
    if (clocks.postgres.ahead, clocks.service.ahead) != (0.0, 0.0):
        await _noticed(rig, lambda: _set(clocks, 0.0, 0.0))


def _set(clocks: Clocks, postgres: float, service: float) -> None:
    clocks.postgres.ahead, clocks.service.ahead = postgres, service


async def _clock(rig: Rig) -> dict[str, Any]:
    """What `/readyz` tells of it."""
    async with aiohttp.ClientSession() as http, http.get(f"{rig.url}/readyz") as response:
        told: dict[str, Any] = (await response.json(content_type=None))["clock"]
        return told


async def _noticed(rig: Rig, jump: Callable[[], None]) -> float:
    """Seconds from the jump of Postgres' clock until `/readyz` tells of it."""
    jumps = (await _clock(rig))["jumps"]
    began = time.monotonic()
    jump()
    async with asyncio.timeout(30):
        while (await _clock(rig))["jumps"] == jumps:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def _postgres_time(rig: Rig) -> datetime:
    at: datetime = await rig.sql.fetchval("SELECT clock_timestamp()")
    return at


async def _appointment(line: AuditedLine, ahead: float) -> str:
    """A callback for a time, by Postgres' clock; its id."""
    at = await _postgres_time(line.rig) + timedelta(seconds=ahead)
    body = {"queue": line.queue, "number": line.caller().number, "at": at.isoformat()}
    made: str = (await line.stage.api.post("callbacks", body))["id"]
    return made


async def _is(line: AuditedLine, interaction: str, status: str) -> bool:
    return bool((await line.stage.api.get(f"interactions/{interaction}"))["status"] == status)


async def _due(line: AuditedLine, interaction: str) -> int:
    return (await line.stage.feed(interaction)).count("due")


def _nothing_changed(scene: Scene) -> dict[str, dict[str, Any]]:
    """Where everybody is, and stays for two minutes unless somebody does something."""
    return {
        scene.waiting.number: {"status": "open", "subtype": "inbound"},
        scene.offered[1].number: {"status": "offered", "stage": None},
        scene.ringing[1].number: {"status": "connected", "stage": "ringing"},
        scene.talking.customer.number: {"status": "connected", "stage": "talking"},
        scene.inbound[1].number: {"status": "connected", "stage": "talking"},
    }


async def _everybody_is_where_they_were(line: AuditedLine, scene: Scene) -> list[str]:
    apart = []
    for number, expected in _nothing_changed(scene).items():
        it = await line.stage.interaction(number)
        if any(it[key] != value for key, value in expected.items()):
            apart.append(f"{number}: {it['status']}/{it['stage']} instead of {expected}")
    apart += [f"{call}: {call.end}" for call in scene.calls if call.end]
    return apart


@pytest.mark.parametrize("by", [3 * HOUR, -3 * HOUR], ids=["forward", "back"])
async def test_postgres_clock_is_set_while_people_are_at_every_point_of_the_path(
    rig: Rig, clocks: Clocks, line: AuditedLine, figures: Figures, by: float
) -> None:
    """And the machine's. Nobody's call is touched; what is due by the new time is due, and nothing else."""
    scene = await everywhere(line)
    due = own_line(line, 90)
    await due.settings(callback={"initial_delay": 0})
    passed, ahead = await _appointment(due, 2 * HOUR), await _appointment(due, 4 * HOUR)
    way = "forward" if by > 0 else "back"

    began = time.monotonic()
    noticed = await _noticed(rig, lambda: _set(clocks, by, by))
    figures.note("F44", "clock set 3 h: told in /readyz", noticed, unit="s", limit=SOON)
    if by > 0:
        await rig.until(lambda: _is(due, passed, "open"), "what the clock jumped past is due", 10)
        figures.note("F44", "set forward: an appointment is due", time.monotonic() - began, unit="s", limit=SOON)
    await asyncio.sleep(max(0.0, began + SOON - time.monotonic()))

    figures.note("F44", f"set {way}: calls touched", len(await _everybody_is_where_they_were(line, scene)), limit=0)
    await hear_each_other(scene.talking.offer, scene.talking.back)
    assert await _is(due, ahead, "scheduled") and await _due(due, ahead) == 0
    assert await _is(due, passed, "open" if by > 0 else "scheduled")
    assert rig.log_lines().count("clock jumped") and await rig.metric("ringback_clock_jumps_total")

    await _noticed(rig, lambda: _set(clocks, 0.0, 0.0))
    assert await _is(due, passed, "open" if by > 0 else "scheduled")
    told = [await _due(due, passed), await _due(due, ahead)]
    figures.note("F30", "set and set back: an appointment due too often", [max(0, n - 1) for n in told], limit=0)
    scene.ringing[1].calls[-1].answer()
    await hear_each_other(scene.ringing[0].phone.calls[-1], scene.ringing[1].calls[-1])
    figures.note("F44", "INVITEs per accept", len(scene.ringing[1].invites), limit=1)


@pytest.mark.parametrize("by", [3 * HOUR, -3 * HOUR], ids=["forward", "back"])
async def test_an_agent_has_as_long_to_accept_as_ever_when_the_clock_is_set(
    rig: Rig, clocks: Clocks, line: AuditedLine, figures: Figures, by: float
) -> None:
    await line.settings(**steps(menu(timeout=30)), offer={"accept_timeout": ANSWER_TO, "exclude": 3})
    agent = await line.agent()
    began = time.monotonic()
    customer, interaction, _ = await offered(line, agent)
    earliest = time.monotonic()
    await _noticed(rig, lambda: _set(clocks, by, 0.0))

    await line.stage.when(customer.number, 20, status="open")

    lasted = time.monotonic() - earliest
    assert lasted > ANSWER_TO - (earliest - began) - 1
    figures.note(
        "F44", f"an offer of {ANSWER_TO:.0f} s, by too much", max(0.0, lasted - ANSWER_TO), unit="s", limit=2
    )
    assert (await line.stage.feed(interaction)).count("rona") == 1


async def test_appointments_are_made_once_through_jumps_of_an_hour_and_a_day(
    rig: Rig, clocks: Clocks, line: AuditedLine, figures: Figures, full: bool
) -> None:
    """F30: never early by the clock there is, never twice, and none is lost."""
    await line.settings(callback={"initial_delay": 0})
    waiting = {ahead: await _appointment(line, ahead) for ahead in (0.5 * HOUR, 1.5 * HOUR, 12 * HOUR, 30 * HOUR)}
    began, furthest, ahead_now = time.monotonic(), 0.0, 0.0
    early = 0
    jumps = [HOUR, 0.0, DAY, 0.0, -DAY, 0.0, 2 * HOUR] if full else [HOUR, 0.0, DAY, -DAY]
    for ahead_now in [*jumps, 2 * DAY]:
        await _noticed(rig, lambda ahead_now=ahead_now: _set(clocks, ahead_now, 0.0))  # type: ignore[misc]
        furthest = max(furthest, ahead_now)
        await asyncio.sleep(2)
        reached = furthest + (time.monotonic() - began)
        for ahead, interaction in waiting.items():
            early += int(ahead > reached and await _due(line, interaction) > 0)
            if ahead <= furthest:
                await rig.until(lambda interaction=interaction: _is(line, interaction, "open"), "it is due", 5)  # type: ignore[misc]
    told = [await _due(line, each) for each in waiting.values()]
    figures.note("F30", "appointments due before their time", early, limit=0)
    figures.note("F30", "appointments due other than once", sum(n != 1 for n in told), limit=0)


async def test_clocks_that_differ_by_five_seconds_dial_nobody_twice(
    rig: Rig, clocks: Clocks, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """F42: the service's and Postgres' against Asterisk's, both ways, while calls are made and another service wants
    the shard."""
    await line.settings(**steps(menu(timeout=30)))
    agent = await line.agent()
    called: list[Phone] = []
    epoch = await rig.sql.fetchval("SELECT epoch FROM shards")
    for n in repeats(1, 10):
        for postgres, service in ((5.0, -5.0), (-5.0, 5.0)):
            jump = postgres - clocks.postgres.ahead
            await _noticed(rig, lambda postgres=postgres, service=service: _set(clocks, postgres, service))  # type: ignore[misc]
            assert abs(jump) >= 5
            rival = rig.another_service(HTTP_PORT=str(rig.ports.http + 3))
            try:
                called.append(await _talks(line, agent))
                await asyncio.sleep(0.5 if n else 5)
            finally:
                await rival.stop(signal.SIGTERM, patience=5)
    figures.note("F42", "INVITEs per accept", [len(phone.invites) for phone in called], limit=1)
    taken = await rig.sql.fetchval("SELECT epoch FROM shards") - epoch
    figures.note("F42", "shard taken from a living owner", taken, limit=0)
    figures.note("F42", "skew told, off by", abs(abs((await _clock(rig))["ahead"]) - 10), unit="s", limit=0.5)


async def _talks(line: AuditedLine, agent: Any) -> Phone:
    """A callback that comes about and ends."""
    customer, interaction, offer = await offered(line, agent)
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    await back.hangup()
    await line.stage.when(customer.number, stage="ready_to_call")
    await agent.api.post(f"interactions/{interaction}/done", {})
    await line.stage.when(customer.number, status="closed")
    await agent.not_ready()  # or the next caller is offered before the menu
    return customer


async def test_a_machine_that_was_suspended_goes_on_where_it_stopped(
    rig: Rig, clocks: Clocks, line: AuditedLine, figures: Figures
) -> None:
    """The service stands still for longer than its lease, and by Postgres' clock ten minutes have gone by."""
    scene = await everywhere(line)
    soon = own_line(line, 91)
    await soon.settings(callback={"initial_delay": 0})
    due = await _appointment(soon, 300)
    service = rig.process("service")

    service.send(signal.SIGSTOP)
    clocks.postgres.ahead = clocks.service.ahead = 600.0
    await asyncio.sleep(6)
    woken = time.monotonic()
    service.send(signal.SIGCONT)

    await rig.until(lambda: _is(soon, due, "open"), "what fell due meanwhile is due", 10)
    figures.note("F44", "suspended 10 min: an appointment is due", time.monotonic() - woken, unit="s", limit=SOON)
    await rig.gets_ready()
    touched = await _everybody_is_where_they_were(line, scene)
    figures.note("F44", "suspended 10 min: calls touched", len(touched), limit=0)
    await hear_each_other(scene.talking.offer, scene.talking.back)
    assert "slept" in rig.log_lines()
