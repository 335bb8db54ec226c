"""F2, F3, F19: the service dies around the commit of key 2, or Postgres and the service lose sight of each other."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest

from demo.sip.carrier import Phone
from demo.sip.outgoing import OutgoingCall
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from routing.store.shards import LEASE
from tests.calls.desk import customer_with_callback, hear_each_other, talk
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")

MUSIC, MENU, READ_BACK, BOOKED = (TONES[key] for key in ("music", "menu-offer", "confirm-number", "booked"))
MARGIN = 0.5
ROWS = "SELECT count(*) FROM interactions WHERE number = $1"
REQUESTED = "SELECT count(*) FROM interactions WHERE number = $1 AND requested_at IS NOT NULL"

Injection = Callable[[Rig, OutgoingCall, str], Coroutine[Any, Any, None]]


async def _killed(rig: Rig) -> None:
    """And a successor, which need not wait for the lease."""
    await _succeeded(rig, await rig.kill("service"))


async def _succeeded(rig: Rig, dead: int) -> None:
    await rig.pg.heal()
    await rig.succeed(dead)


async def before_the_commit(rig: Rig, call: OutgoingCall, number: str) -> None:
    """What is to be stored never arrives."""
    rig.pg.drop_up()
    await call.dtmf("2")
    await asyncio.sleep(0.05)
    await _killed(rig)


async def during_the_commit(rig: Rig, call: OutgoingCall, number: str) -> None:
    """Postgres has the statement, and carries it out after the service's death."""
    async with _row_locked(rig, number):
        await call.dtmf("2")
        await _waits_for_the_row(rig)
        dead = await rig.kill("service")
    await _succeeded(rig, dead)


async def after_the_commit(rig: Rig, call: OutgoingCall, number: str) -> None:
    """It is stored, but the service never learns of it."""
    async with _row_locked(rig, number):
        await call.dtmf("2")
        await _waits_for_the_row(rig)
        rig.pg.drop_down()
    async with asyncio.timeout(5):
        while not await rig.sql.fetchval(REQUESTED, number):  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    await _killed(rig)


@asynccontextmanager
async def _row_locked(rig: Rig, number: str) -> AsyncIterator[None]:
    other = await asyncpg.connect(rig.parts.postgres.dsn)
    async with other.transaction():
        await other.execute("SELECT FROM interactions WHERE number = $1 FOR UPDATE", number)
        yield
    await other.close()


async def _waits_for_the_row(rig: Rig) -> None:
    async with asyncio.timeout(5):
        while not await rig.sql.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("when", [before_the_commit, during_the_commit, after_the_commit])
async def test_the_service_is_killed_around_the_commit_of_key_2(
    line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range], when: Injection
) -> None:
    """Nobody is promised what is not stored; there is one row, whatever happens."""
    await line.settings(**steps(menu(timeout=30)))
    rows, promises = [], []
    for _ in repeats(1, 10):
        phone = line.caller()
        call = await line.in_menu(phone)
        await call.hear(MUSIC)
        next_heard = asyncio.create_task(call.hear_any({MENU, READ_BACK, BOOKED}, 15))
        await when(line.rig, call, phone.number)
        heard = (await next_heard).frequency
        stored = await line.stage.sql.fetchval(REQUESTED, phone.number)
        assert heard == (READ_BACK if stored else MENU)
        promises.append(int(heard == BOOKED or line.auditor.promised[phone.number] > 0))
        rows.append(abs(1 - await line.stage.sql.fetchval(ROWS, phone.number)))
        await line.rig.gets_ready()
        await _books(line, phone, call, stored=bool(stored))
    row = "F2" if when is before_the_commit else "F3"
    name = when.__name__.replace("_", " ")
    figures.note(row, f"killed {name} of key 2: promises without a row", promises, limit=0)
    figures.note(row, f"killed {name} of key 2: rows too many or too few", rows, limit=0)


async def _books(line: AuditedLine, phone: Phone, call: OutgoingCall, *, stored: bool) -> None:
    """As if nothing had been: a callback, once."""
    if not stored:
        await asyncio.gather(call.hear(READ_BACK), call.dtmf("2"))
    await call.hangup()
    await line.stage.when(phone.number, status="open", subtype="callback")


# F19


@asynccontextmanager
async def partition(rig: Rig) -> AsyncIterator[float]:
    """Between the service and Postgres; when the lease has run out at the latest."""
    began = time.monotonic()
    rig.pg.half_open()
    yield began + LEASE
    await rig.pg.heal()


async def _picks_up(agent: Worker, interaction: str) -> None:
    """Whatever becomes of it."""
    with suppress(AssertionError):
        await agent.api.post(f"interactions/{interaction}/pickup")


def _invites(line: AuditedLine, after: float) -> int:
    seen = [line.stage.carrier.invites, *(phone.invites for phone in line.auditor.phones)]
    return sum(invite.at > after for invites in seen for invite in invites)


async def test_without_sight_of_postgres_no_call_is_started_after_the_lease(
    line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """An agent accepts just when it begins, another is ready, and callbacks fall due. Talks go on."""
    await line.settings(**steps(menu(timeout=30)), callback={"initial_delay": 0}, dial={"ready_to_call": 60})
    going_on = await talk(line)
    customers: dict[Phone, str] = {}
    for i in repeats(1, 8):
        picks, waits = await line.agent(), await line.agent()
        made = [await customer_with_callback(line) for _ in range(2)]
        customers |= dict(made)
        first = made[0][1]
        async with partition(line.rig) as lease_end:
            picking = asyncio.create_task(_picks_up(picks, first))
            await asyncio.sleep(0.002 * i)
            await asyncio.sleep(lease_end + 3 - time.monotonic())
            late = _invites(line, lease_end - MARGIN)
            await hear_each_other(going_on.offer, going_on.back)
        await picking
        figures.note("F19", "calls started after the lease's end", late, limit=0)
        figures.note("F19", "ready again after a partition", await line.rig.gets_ready(), unit="s", limit=8)
        await waits.ready()
        offer = await waits.phone.incoming(10)
        (customer,) = (each for each in customers if each.number == offer.from_user)
        offer.answer()
        await (await customer.incoming(10)).hangup()
        await waits.not_ready()


@pytest.mark.full
async def test_a_service_cut_off_from_postgres_ends_once_another_has_its_shard(
    line: AuditedLine, figures: Figures
) -> None:
    going_on = await talk(line)
    old, began = line.rig.process("service"), time.monotonic()
    line.rig.pg.half_open()
    past_the_proxy = {"DATABASE_URL": line.rig.parts.postgres.service_dsn, "HTTP_PORT": str(line.rig.ports.http + 4)}
    other = line.rig.another_service(**past_the_proxy)
    try:
        async with asyncio.timeout(20):
            await old.wait()
        figures.note("F19", "cut off and taken over: ended after", time.monotonic() - began, unit="s", limit=10)
        await hear_each_other(going_on.offer, going_on.back)
        assert going_on.offer.end is None and going_on.back.end is None
    finally:
        await other.stop(signal.SIGTERM, patience=5)
