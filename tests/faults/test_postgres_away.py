"""F11: Postgres is gone for half a minute, in every way it can be. Everybody on the line keeps what they have."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from demo.api import Refused
from demo.sip.carrier import Phone
from demo.sip.outgoing import OutgoingCall
from demo.stage import Stage, Worker, scratch_stage
from routing.local.asterisk.prompts import TONES
from routing.local.postgres.server import Postgres
from routing.local.system.home import Home
from tests.calls.auditor import Auditor
from tests.calls.desk import Talk, hear_each_other, offered, talk
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")

MUSIC, MOMENT, MENU = TONES["music"], TONES["one-moment"], TONES["menu-offer"]
READ_BACK, BOOKED = TONES["confirm-number"], TONES["booked"]
SHORT, LONG = 13.0, 30.0
"""Seconds without Postgres. A key is worth ten: the shorter one outlasts that, too."""

Outage = Callable[[Any], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def stopped(rig: Rig, how: signal.Signals = signal.SIGQUIT) -> AsyncIterator[None]:
    """As `pg_ctl stop -m immediate` does it."""
    await rig.stop_postgres(how)
    yield
    await rig.start_postgres()


def killed(rig: Rig) -> AbstractAsyncContextManager[None]:
    return stopped(rig, signal.SIGKILL)


@asynccontextmanager
async def cut_off(rig: Rig) -> AsyncIterator[None]:
    """Nothing comes back any more, and nobody says why."""
    rig.pg.half_open()
    yield
    await rig.pg.heal()


@dataclass
class Caller:
    phone: Phone
    call: OutgoingCall

    async def is_told_to_wait_a_moment(self) -> float:
        """Press 2; seconds until the answer, from the end of the key on."""
        pressed = time.monotonic() + 0.08
        heard, _ = await asyncio.gather(self.call.hear(MOMENT, 5), self.call.dtmf("2"))
        return max(0.0, heard - pressed)


@dataclass
class People:
    """Who is on the line when it begins."""

    waits: Caller
    """Hears music."""
    is_read_to: Caller
    """Has chosen the callback and hears the number being read back."""
    chooses: Caller
    """In the menu; will press 2 meanwhile, and stay."""
    hangs_up: Caller
    """In the menu; will press 2 meanwhile, and hang up."""
    talk: Talk
    agent: Worker
    """Is offered a callback."""
    offer: str


async def _in_menu(line: AuditedLine) -> Caller:
    phone = line.caller()
    return Caller(phone, await line.in_menu(phone))


async def _gather(line: AuditedLine) -> People:
    patient = {"offer": {"accept_timeout": 120}, "dial": {"ready_to_call": 120}}
    await line.settings(**steps(menu(timeout=1)), **patient)
    talking = await talk(line)
    agent = await line.agent()
    _, interaction, _ = await offered(line, agent)
    await line.settings(**steps(menu(timeout=SHORT + 2)), **patient)
    waits, chooses, hangs_up = await asyncio.gather(*(_in_menu(line) for _ in range(3)))
    await waits.call.dtmf("1")
    await asyncio.gather(*(each.call.hear(MUSIC) for each in (waits, chooses, hangs_up)))
    is_read_to = await _in_menu(line)
    await is_read_to.call.dtmf("2")
    await is_read_to.call.hear(READ_BACK)
    return People(waits, is_read_to, chooses, hangs_up, talking, agent, interaction)


async def _accept(people: People) -> tuple[float, Refused]:
    """Seconds until the refusal."""
    began = time.monotonic()
    with pytest.raises(Refused) as refused:
        await people.agent.api.post(f"interactions/{people.offer}/accept")
    return time.monotonic() - began, refused.value


async def _through(line: AuditedLine, figures: Figures, outage: Outage, seconds: float, how: str) -> None:
    at_once = 2.5 if outage is cut_off else 0.5  # who is not told has to wait a little to know
    people = await _gather(line)
    listening = (people.waits.call, people.is_read_to.call, people.chooses.call)
    talking = (people.talk.offer, people.talk.back)
    place = (await line.stage.interaction(people.waits.phone.number))["position"]
    for call in (*listening, *talking):
        call.reset_gaps()
    async with outage(line.stage):
        began = time.monotonic()
        moments = [await people.chooses.is_told_to_wait_a_moment(), await people.hangs_up.is_told_to_wait_a_moment()]
        await people.hangs_up.call.hangup()
        await people.is_read_to.call.hear(MUSIC)
        accepts = [await _accept(people) for _ in range(5)]
        await people.chooses.call.hear(MUSIC)
        await asyncio.sleep(began + seconds - time.monotonic())
        await asyncio.gather(*(each.hear(MUSIC) for each in listening))
        await hear_each_other(*talking)
    figures.note("F11", f"ready again, Postgres {how}", await _gets_ready(line.stage), unit="s", limit=8)
    figures.note("F11", "one moment, after key 2", moments, unit="s", limit=1)
    figures.note("F11", f"accept refused, Postgres {how}", [took for took, _ in accepts], unit="s", limit=at_once)
    assert {(it.status, it.code, it.retry_after) for _, it in accepts} == {(503, "unavailable", "1")}
    figures.note(
        "F11", "silence heard by waiting callers", [each.gaps.silence for each in listening], unit="s", limit=2
    )
    figures.note("F11", "gap in a talk", [each.gaps.silence for each in talking], unit="s", limit=0.5)
    dropped = [f"{each}: {each.end}" for each in (*listening, *talking) if each.end]
    figures.note("F11", "calls dropped", len(dropped), limit=0)
    await _goes_on(line, people, place)
    figures.note("F11", "promises without a row", await _promises_without_row(line), limit=0)


async def _gets_ready(stage: Stage) -> float:
    began = time.monotonic()
    await stage.until(stage.ready, "ready again", 20)
    took = time.monotonic() - began
    if stage.sql.is_closed():
        stage.sql = await asyncpg.connect(Postgres(Home(stage.data_dir).postgres, Path()).dsn)
    return took


async def _promises_without_row(line: AuditedLine) -> int:
    return sum("A5" in each for each in await line.auditor.check())


async def _goes_on(line: AuditedLine, people: People, place: int) -> None:
    """As if nothing had been. An accept that Postgres was about to store may have been stored when it was back."""
    stage = line.stage
    await stage.when(people.hangs_up.phone.number, status="open", subtype="callback")
    await stage.when(people.waits.phone.number, status="open")
    await stage.until(lambda: _keeps_its_place(line, people, place), "the caller who waits has the same place", 5)
    accepted = await _is_connected(line, people)
    assert people.chooses.phone.number not in line.auditor.promised
    if (await stage.when(people.chooses.phone.number, status="bot"))[
        "stage"
    ] == "menu":  # else the key arrived after all, long after it was given up
        await asyncio.gather(people.chooses.call.hear(READ_BACK), people.chooses.call.dtmf("2"))
    await stage.when(people.chooses.phone.number, status="bot", stage="confirm")
    await asyncio.gather(people.is_read_to.call.hear(BOOKED), people.is_read_to.call.dtmf("1"))
    await stage.when(people.is_read_to.phone.number, status="open", subtype="callback")
    if not accepted:
        await people.agent.api.post(f"interactions/{people.offer}/accept")
    await stage.until(lambda: _is_connected(line, people), "the offer is accepted after all", 5)


async def _keeps_its_place(line: AuditedLine, people: People, place: int) -> bool:
    """Or the next one, where the offer before it was accepted."""
    waits = await line.stage.interaction(people.waits.phone.number)
    return bool(waits["position"] == place - await _is_connected(line, people))


async def _is_connected(line: AuditedLine, people: People) -> bool:
    return bool((await line.stage.api.get(f"interactions/{people.offer}"))["status"] == "connected")


async def test_postgres_is_stopped_from_outside(line: AuditedLine, figures: Figures, full: bool) -> None:
    await _through(line, figures, stopped, LONG if full else SHORT, "stopped")


@pytest.mark.full
async def test_postgres_is_killed(line: AuditedLine, figures: Figures) -> None:
    await _through(line, figures, killed, LONG, "stopped")


@pytest.mark.full
async def test_postgres_is_cut_off_without_a_word(line: AuditedLine, figures: Figures) -> None:
    await _through(line, figures, cut_off, LONG, "cut off")


async def test_postgres_stores_and_cannot_say_so_and_the_caller_has_time_for_a_key_afterwards(
    rig: Rig, line: AuditedLine, figures: Figures
) -> None:
    """The end of the read-back, stored at once and known late: were the time for a key over by then, it would be read
    again, and a key pressed meanwhile count for nothing."""
    timeout = 4.0
    await line.settings(**steps(menu(timeout=timeout)))
    await _every_connection_is_used(line)
    caller = await _in_menu(line)
    await caller.call.dtmf("2")
    await caller.call.hear(READ_BACK)
    rig.pg.drop_down()
    await caller.call.hear(MUSIC)
    await asyncio.sleep(timeout + 1)
    await rig.pg.heal()
    healed = time.monotonic()
    await rig.gets_ready()
    booked, _ = await asyncio.gather(caller.call.hear(BOOKED), caller.call.dtmf("1"))
    figures.note("F11", "promised after key 1, from when Postgres is heard again", booked - healed, unit="s", limit=5)
    it = await line.stage.when(caller.phone.number, status="open", subtype="callback")
    told = await rig.feed(it["id"])
    assert told.count("callback_confirmed") == 1, told


async def _every_connection_is_used(line: AuditedLine) -> None:
    """A statement a connection has not prepared yet takes two messages, and the second waits for Postgres' answer."""
    for _ in range(2):
        many = await asyncio.gather(*(_in_menu(line) for _ in range(12)))
        await asyncio.gather(*(each.call.dtmf("1") for each in many))
        await asyncio.gather(*(line.stage.when(each.phone.number, status="open") for each in many))
        await asyncio.gather(*(each.call.hangup() for each in many))


@pytest.mark.full
async def test_postgres_dies_under_up_and_cannot_be_started_for_a_while(figures: Figures) -> None:
    async with scratch_stage("up") as stage:
        line = AuditedLine(stage, "fault-up", "8900", 990, auditor=Auditor(stage))
        await _through(line, figures, unstartable, LONG, "gone under up")
        assert await line.auditor.check() == []


@asynccontextmanager
async def unstartable(stage: Stage) -> AsyncIterator[None]:
    """Killed, and its configuration broken, so that `up` starts it in vain."""
    settings = stage.data_dir / "postgres/data/postgresql.auto.conf"
    right = settings.read_text()
    settings.write_text("no_such_setting = 1\n")
    await stage.sql.close(timeout=1)
    os.kill(stage.pid("postgres"), signal.SIGQUIT)
    yield
    settings.write_text(right)
