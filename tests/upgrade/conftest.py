"""The machine, upgraded twice: once the old service was asked to end, once it was killed with its parent."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from demo.folder import enterable_folder
from demo.stage import Stage, connected
from routing.local.asterisk.prompts import TONES
from routing.local.system.ports import reserved
from routing.local.system.processes import Process
from tests.calls.auditor import Auditor
from tests.calls.desk import status_of
from tests.upgrade.machine import Machine
from tests.upgrade.party import Party, People
from tests.upgrade.people import everybody
from tests.upgrade.prompts import long_tones, shorten

Story = tuple[dict[str, Any], list[dict[str, Any]]]
"""What an interaction looks like, and its feed."""
QUESTIONS = {"in_menu": "menu-offer", "confirms": "confirm-number", "enters_number": "enter-number"}
ERRORS = ("error", "critical")
WITH_AN_AGENT = ("offered", "connected", "wrap_up")
BLOCKED = "+4915155555555"
"""On the do-not-call list."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of a machine's tests waits until everybody is at their place and the machine is upgraded."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(180))


@dataclass(frozen=True)
class Before:
    """What the old version said, just before it ended."""

    agents: dict[str, dict[str, Any]]
    stories: dict[str, Story]


@dataclass(frozen=True)
class After:
    """What the new version found: whose calls had ended, what agents do, and what those who have work were told who
    wanted more of it."""

    dropped: list[str]
    agents: dict[str, dict[str, Any]]
    refused: list[tuple[int, str | None]]
    silence: list[float]
    """Seconds, the longest of every side of both talks."""


@dataclass(frozen=True)
class Upgraded:
    stage: Stage
    people: People
    before: Before
    rows: dict[str, tuple[str, str | None]]
    """Where everybody was when nobody served them."""
    migrated: list[str]
    """What `ringback migrate` said, twice."""
    asked_again: dict[str, asyncio.Task[float]]
    """Who hears once more what they were asked."""
    after: After


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["asked to end", "killed"])
async def upgraded(request: pytest.FixtureRequest) -> AsyncIterator[Upgraded]:
    how = signal.SIGKILL if request.param == "killed" else signal.SIGTERM
    with enterable_folder("upg") as home, reserved() as ports:
        machine = Machine(home, ports, long_tones(home / "tones"))
        try:
            log = await machine.start_old()
            async with connected(machine.data_dir, ports, machine.up, log) as stage:
                auditor = Auditor(stage)
                yield await _upgrade(machine, stage, auditor, how)
                assert await auditor.check() == []
                await auditor.end_all_calls()
                assert await auditor.check() == []
                assert complaints(machine.log) == []
        finally:
            await machine.ringback("down")


async def _upgrade(machine: Machine, stage: Stage, auditor: Auditor, how: signal.Signals) -> Upgraded:
    await stage.api.put(f"do-not-call/{BLOCKED}", {"reason": "asked for it"})
    people = await everybody(stage, auditor)
    before = Before(await _agents(people), {name: await story(each) for name, each in people.items()})
    await machine.end_old(Process(stage.pid("service")), how)
    rows = await _rows(stage)
    assert rows == {each.customer.number: (each.status, each.stage) for each in people.values()}
    migrated = [await machine.ringback("migrate") for _ in range(2)]
    shorten(machine.sounds)
    asked_again = {name: asyncio.create_task(_hears(people[name], tone)) for name, tone in QUESTIONS.items()}
    await machine.start_new(stage)
    return Upgraded(stage, people, before, rows, migrated, asked_again, await _after(people))


async def _hears(party: Party, prompt: str) -> float:
    return await party.far.hear(TONES[prompt], 60)


async def _after(people: People) -> After:
    dropped = [name for name, each in people.items() if any(call.end for call in each.calls)]
    talks = [call for name in ("talks", "caller_talks") for call in people[name].calls]
    held = (await people["held"].it())["id"]
    busy = [each.agent for each in people.values() if each.agent and each.status in WITH_AN_AGENT]
    refusals = [await status_of(each.api.post(f"interactions/{held}/pickup")) for each in busy]
    return After(dropped, await _agents(people), refusals, [each.gaps.silence for each in talks])


async def _agents(people: People) -> dict[str, dict[str, Any]]:
    return {each.agent.id: await each.agent.state() for each in people.values() if each.agent}


async def story(party: Party) -> Story:
    it, stage = await party.it(), party.line.stage
    return it, (await stage.api.get(f"interactions/{it['id']}/feed", limit="200"))["items"]


async def _rows(stage: Stage) -> dict[str, tuple[str, str | None]]:
    rows = await stage.sql.fetch("SELECT number, status, stage FROM interactions")
    return {row["number"]: (row["status"], row["stage"]) for row in rows}


def complaints(log: Path) -> list[str]:
    """Whatever the new version called an error, and every traceback."""
    return [line for line in log.read_text().splitlines() if "Traceback" in line or _level(line) in ERRORS]


def _level(line: str) -> str | None:
    try:
        return str(json.loads(line)["level"])
    except ValueError:  # what `ringback up` says to people
        return None


@pytest.fixture(autouse=True)
def service_log(request: pytest.FixtureRequest, upgraded: Upgraded) -> Any:
    """What the new version logged stands in the report of a test that fails."""
    yield
    request.node.add_report_section("teardown", "service log", upgraded.stage.log.read_text()[-20_000:])
