"""F5, F7 with many people: nobody serves them for a while, and their time runs out. What they did before that counts.

A third of a stall later callers press 2 and some of them hang up at once, agents lift, customers answer: all of it in
time. Then their deadlines pass, as many as possible before anybody runs again.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from routing.local.system.processes import Process
from tests.faults.conftest import AuditedLine
from tests.faults.crowd import LARGE, SMALL, Crowd, People, hear
from tests.faults.figures import Figures
from tests.faults.rig import Rig
from tests.faults.successors import commands, is_up, successor, waits_for_the_shard

pytestmark = pytest.mark.asyncio(loop_scope="session")

IN_TIME = 0.8
"""Seconds before the first deadline at which everybody begins to do what they do."""
KEPT = 12.0
"""Seconds after which it has to be seen what became of it."""
SILENCE = 1.0
"""Seconds in a talk, which does not need the service: a third of the shortest stall, and more than the phones of 70
people need on a busy machine."""
PAST_THE_LEASE = 5.0
"""Seconds of a stall within which another service takes over and is ready."""


async def _crowd(line: AuditedLine, stall: float, *, full: bool) -> Crowd:
    size = LARGE if full else SMALL
    crowd = Crowd(line, size, stall / 3 + size.gathered)
    await crowd.come()
    return crowd


async def _just_before(people: People, stall: float) -> None:
    """Until a third of the stall is left before the first deadline."""
    left = people.first - time.monotonic() - stall / 3 - IN_TIME
    assert left >= 0, "they were too slow to come: nothing is shown by this round"
    await asyncio.sleep(left)


@contextmanager
def _stopped(process: Process) -> Iterator[None]:
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)


async def _nobody_runs(crowd: Crowd, people: People, seconds: float) -> int:
    """They act a third of the time later; how many deadlines have passed at the end."""
    end = time.monotonic() + seconds
    await asyncio.sleep(seconds / 3)
    await people.act()
    await asyncio.sleep(end - time.monotonic())
    return await crowd.over(people)


async def _joined(crowd: Crowd, people: People, figures: Figures, row: str, what: str) -> None:
    agents, customers = await crowd.not_joined(people, KEPT)
    figures.note(row, f"{what}: lifted in time, not joined", agents, limit=0)
    figures.note(row, f"{what}: answered in time, not joined", customers, limit=0)
    figures.note(row, f"{what}: talks ended", crowd.talks_ended(), limit=0)
    figures.note(row, f"{what}: silence in a talk", crowd.silences(), unit="s", limit=SILENCE)


async def _on_the_line(crowd: Crowd, people: People, figures: Figures, row: str, what: str) -> None:
    lost = [each.call.end for each in (*people.stay, *people.idle) if each.call.end]
    figures.note(row, f"{what}: callers dropped", len(lost), limit=0)
    figures.note(row, f"{what}: agents Not Ready who lifted", len(await crowd.not_ready_by_rona()), limit=0)


@pytest.mark.parametrize(
    "seconds", [3.0, pytest.param(10.0, marks=pytest.mark.full), pytest.param(40.0, marks=pytest.mark.full)]
)
async def test_f7_what_people_did_in_time_counts_though_the_service_stood_still(
    rig: Rig, line: AuditedLine, figures: Figures, rounds: Callable[[int], range], full: bool, seconds: float
) -> None:
    what = f"stopped for {seconds:g} s"
    crowd = await _crowd(line, seconds, full=full)
    for _ in rounds(2 if seconds < 10 else 1):
        people = await crowd.gather()
        await _just_before(people, seconds)
        with _stopped(rig.process("service")):
            passed = await _nobody_runs(crowd, people, seconds)
            reading = asyncio.create_task(hear(people.stay, "confirm-number", KEPT))
            await asyncio.sleep(0)
        figures.note("F7", f"{what}: deadlines that had passed, of {len(people.numbers)}", passed)
        assert passed, "no deadline passed: nothing is shown by this round"
        figures.note("F7", f"{what}: pressed 2 in time, not read to", (await reading).count(False), limit=0)
        gone = await crowd.abandoned(people.leave)
        figures.note("F7", f"{what}: pressed 2 in time, hung up, no callback", gone, limit=0)
        await _joined(crowd, people, figures, "F7", what)
        await _on_the_line(crowd, people, figures, "F7", what)
        await crowd.leave(people)


@pytest.mark.parametrize("seconds", [3.0, pytest.param(10.0, marks=pytest.mark.full)])
async def test_f5_what_people_did_in_time_counts_though_the_service_was_dead(
    rig: Rig, line: AuditedLine, figures: Figures, rounds: Callable[[int], range], full: bool, seconds: float
) -> None:
    """kill -9, and the next one is started so much later. A key that was pressed while nobody listened is in no state
    of Asterisk: who stays is asked again, and who hung up is abandoned, which is told and no failure. Everything else
    Asterisk remembers."""
    what = f"dead for {seconds:g} s"
    crowd = await _crowd(line, seconds, full=full)
    for _ in rounds(2 if seconds < 10 else 1):
        people = await crowd.gather()
        await _just_before(people, seconds)
        await rig.kill("service")
        passed = await _nobody_runs(crowd, people, seconds)
        asked = asyncio.create_task(hear(people.stay, "menu-offer", KEPT))
        rig.start_service()
        await rig.gets_ready()
        assert passed, "no deadline passed: nothing is shown by this round"
        figures.note("F5", f"{what}: deadlines that had passed, of {len(people.numbers)}", passed)
        await _asked_again(crowd, people, figures, "F5", what, await asked)
        await _joined(crowd, people, figures, "F5", what)
        await _on_the_line(crowd, people, figures, "F5", what)
        await crowd.leave(people)


async def _asked_again(
    crowd: Crowd, people: People, figures: Figures, row: str, what: str, asked: list[bool]
) -> None:
    figures.note(row, f"{what}: in the menu, not asked again", asked.count(False), limit=0)
    reading = asyncio.create_task(hear(people.stay, "confirm-number", KEPT))
    await asyncio.gather(*(each.call.dtmf("2") for each in people.stay))
    figures.note(row, f"{what}: pressed 2 again, not read to", (await reading).count(False), limit=0)
    unheard = await crowd.abandoned(people.leave, within=0)
    figures.note(row, f"{what}: pressed 2 unheard and hung up, of {len(people.leave)}", unheard)


async def test_f7_a_service_that_was_replaced_while_it_stood_still_wakes_up_and_touches_nobody(
    rig: Rig, line: AuditedLine, figures: Figures, rounds: Callable[[int], range], full: bool
) -> None:
    """It has everything in hand that people did before it was replaced, and deadlines of all of them. Some wake up to
    find their connection to Asterisk gone as well, and some of those Postgres silent: they may not take the
    application back. Keys pressed before the successor listened are unheard, as when the service dies."""
    what = "replaced while it stood still"
    crowd = await _crowd(line, PAST_THE_LEASE, full=full)
    for n in rounds(3):
        first, mark = rig.process("service"), rig.log.stat().st_size
        async with successor(rig) as url:
            await waits_for_the_shard(rig, mark)
            people = await crowd.gather()
            await _just_before(people, PAST_THE_LEASE)
            with _stopped(first):
                asked = asyncio.create_task(hear(people.stay, "menu-offer", PAST_THE_LEASE + KEPT))
                await _nobody_runs(crowd, people, PAST_THE_LEASE)
                await is_up(url, "/readyz")
                await _asked_again(crowd, people, figures, "F7", what, await asked)
                figures.note("F7", f"{what}: commands of the woken one", await _wakes(rig, first, n), limit=0)
            await _joined(crowd, people, figures, "F7", what)
            await is_up(url, "/readyz", 1)
        rig.start_service()
        await rig.gets_ready()
        await _on_the_line(crowd, people, figures, "F7", what)
        await crowd.leave(people)


async def _wakes(rig: Rig, first: Process, n: int) -> int:
    """How many of its commands could have changed a call, until it ended by itself."""
    if n % 3:
        rig.ari.cut()
    if n % 3 == 2:
        rig.pg.half_open()
    with commands(rig) as late:
        first.send(signal.SIGCONT)
        if n % 3 == 2:
            await asyncio.sleep(3)
            await rig.pg.heal()
        code = await asyncio.wait_for(first.wait(), 10)
    rig.parts.running.pop("service")
    assert code not in (None, 0), "it says that it was replaced"
    return len(late)
