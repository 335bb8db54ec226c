"""The fault rig, one for the session; each test is a row of the fault table and is audited when it is done.

`--faults=fast` (the default) repeats a row a few times and allows its times some slack; `--faults=full`, which is
`make faults`, repeats it often and allows none.
"""

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from demo.api import Refused
from demo.folder import enterable_folder
from demo.sip.carrier import Phone
from demo.sip.outgoing import OutgoingCall
from demo.stage import Worker
from routing.local.asterisk import prompts
from tests.calls.auditor import Auditor
from tests.calls.line import Line
from tests.faults.figures import Figures
from tests.faults.rig import Rig, open_rig
from tests.workers.gathered import gathered

_counter = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A row takes longer than a test; in full, a good deal. Some are for then."""
    full = config.getoption("--faults") == "full"
    later = [] if full else [item for item in items if item.get_closest_marker("full")]
    if later:
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if item not in later]
    seconds = 3600 if config.getoption("--rounds") else 900 if full else 120
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """`figures.note("F16", "missed-event repair", seconds, unit="s", limit=1)`"""
    return gathered(pytestconfig).figures


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--faults") == "full")


@pytest.fixture(scope="session")
def repeats(full: bool) -> Callable[[int, int], range]:
    """`for i in repeats(3, 100)`: so often when fast, and when full."""
    return lambda fast, often: range(often if full else fast)


@pytest.fixture(scope="session")
def rounds(full: bool, pytestconfig: pytest.Config) -> Callable[[int], range]:
    """`for n in rounds(2)`: once when fast, so often when full, or as often as `--rounds` says."""
    told: int | None = pytestconfig.getoption("--rounds")
    return lambda often: range(told or (often if full else 1))


@dataclass(kw_only=True)
class AuditedLine(Line):
    """A queue of the test's own, whose callers and agents the auditor watches."""

    auditor: Auditor

    @property
    def rig(self) -> Rig:
        assert isinstance(self.stage, Rig)
        return self.stage

    async def agent(self, **options: Any) -> Worker:
        worker = await super().agent(**options)
        self.auditor.phones.append(worker.phone)
        return worker

    async def call(self, caller: Phone, **options: Any) -> OutgoingCall:
        call = await super().call(caller, **options)
        self.auditor.follow(caller.number, call)
        return call


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rig() -> AsyncIterator[Rig]:
    with enterable_folder("rig") as home:
        async with open_rig(home / "data", prompts.tones(home / "tones")) as rig:
            yield rig


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def auditor(rig: Rig, pytestconfig: pytest.Config) -> AsyncIterator[Auditor]:
    auditor = Auditor(rig)
    yield auditor
    gathered(pytestconfig).reached.update(await auditor.reached())


@pytest_asyncio.fixture(loop_scope="session")
async def line(rig: Rig, auditor: Auditor, pytestconfig: pytest.Config) -> AsyncIterator[AuditedLine]:
    """At the end everything is healed, audited, and hung up, and the test's agents are logged out: what it left open
    rings nobody while Asterisk dies in the next one."""
    await rig.heal()
    n, before = next(_counter), len(auditor.phones)
    made = AuditedLine(rig, f"fault-{n}", f"8{n:03}", 900 + n, auditor=auditor)
    await made.settings()
    try:
        yield made
        await rig.heal()
        assert await auditor.check() == []
        gathered(pytestconfig).reached["rows audited"] += 1
    finally:
        await rig.heal()
        await asyncio.gather(*(_logs_out(rig, phone.name) for phone in auditor.phones[before:]))
        await auditor.end_all_calls()


async def _logs_out(rig: Rig, agent: str) -> None:
    """Unless the test deleted the agent."""
    try:
        await rig.api.put(f"agents/{agent}/state", {"state": "logged_out"})
    except Refused as refused:
        assert refused.status == 404, refused


@pytest.fixture(autouse=True)
def nothing_old_is_collected() -> Iterator[None]:
    """All phones are this process: to search what the rows before have left would be a silence in every talk."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def service_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the service logged meanwhile stands in the report of a test that fails."""
    if "rig" not in request.fixturenames:
        yield
        return
    rig: Rig = request.getfixturevalue("rig")
    before = rig.log.stat().st_size
    yield
    request.node.add_report_section("teardown", "service log", rig.log_lines(before)[-20_000:])
