"""F14, F15: Postgres takes its time, a row is locked, a pool is used up. Calls and API do not wait for each other."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import asyncpg
import pytest

from demo.api import Refused
from demo.sip import policy
from demo.sip.carrier import Phone
from demo.sip.outgoing import OutgoingCall
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import customer_with_callback
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")

MUSIC, MOMENT, READ_BACK = TONES["music"], TONES["one-moment"], TONES["confirm-number"]
SLOW = 0.2


@asynccontextmanager
async def locked(rig: Rig, statement: str, *arguments: object) -> AsyncIterator[None]:
    """Somebody at a console forgets to commit."""
    other = await asyncpg.connect(rig.parts.postgres.dsn)
    try:
        async with other.transaction():
            await other.execute(statement, *arguments)
            yield
    finally:
        await other.close()


async def _pick_up(agent: Worker, interaction: str) -> tuple[float, bool]:
    """Seconds until the answer, and whether it was yes: else `unavailable`, when there is too much to do."""
    began = time.monotonic()
    try:
        await agent.api.post(f"interactions/{interaction}/pickup")
    except Refused as refused:
        assert (refused.status, refused.code) == (503, "unavailable")
        return time.monotonic() - began, False
    return time.monotonic() - began, True


async def _pairs(line: AuditedLine, n: int) -> list[tuple[Worker, str]]:
    """Agents, and the callbacks they are about to pick up; the customers are busy."""
    agents = [await line.agent(policy=policy.answer()) for _ in range(n)]
    found = await asyncio.gather(*(customer_with_callback(line, policy.reject(486)) for _ in range(n)))
    return [(agent, interaction) for agent, (_, interaction) in zip(agents, found, strict=True)]


async def test_postgres_takes_200_ms_for_everything_and_a_snapshot_is_left_open(
    line: AuditedLine, figures: Figures, full: bool
) -> None:
    await line.settings(**steps(menu(timeout=30)), callback={"initial_delay": 0}, dial={"ready_to_call": 60})
    pairs = await _pairs(line, 12 if full else 3)
    call = await line.in_menu(line.caller())
    await call.hear(MUSIC)
    before = await line.rig.loop_lags()
    async with locked(line.rig, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"):
        line.rig.pg.delay(SLOW)
        call.reset_gaps()
        accepts = await asyncio.gather(*(_pick_up(*pair) for pair in pairs))
        await call.dtmf("2")
        await call.hear(READ_BACK, 5)
        await asyncio.sleep(1)
    figures.note(
        "F14",
        "accept answered, 0.2 s for every message to Postgres",
        [took for took, _ in accepts],
        unit="s",
        limit=5,
    )
    figures.note("F14", "accepts refused as unavailable", sum(not yes for _, yes in accepts))
    figures.note("F14", "silence heard by a caller", call.gaps.silence, unit="s", limit=2)
    lag = (await line.rig.loop_lags()).p99_since(before)
    figures.note("F14", "event loop lag p99, at most", lag, unit="s", limit=0.05)


async def test_a_hot_row_is_locked(line: AuditedLine, figures: Figures) -> None:
    """Its caller is told to wait a moment, requests about it are refused; everybody else notices nothing."""
    await line.settings(**steps(menu(timeout=30)))
    locked_out, other = line.caller(), line.caller()
    first, second = await asyncio.gather(line.in_menu(locked_out), line.in_menu(other))
    agent = await line.agent()
    row = await line.stage.interaction(locked_out.number)
    async with locked(line.rig, "SELECT FROM interactions WHERE id = $1 FOR UPDATE", row["id"]):
        pressed = time.monotonic()
        moment, _ = await asyncio.gather(first.hear(MOMENT), first.dtmf("2"))
        figures.note("F14", "one moment, the row being locked", moment - pressed, unit="s", limit=1)
        began = time.monotonic()
        with pytest.raises(Refused) as refused:
            await agent.api.post(f"interactions/{row['id']}/pickup")
        assert (refused.value.status, refused.value.code) in ((503, "unavailable"), (409, "not_open"))
        figures.note("F14", "request about a locked row refused", time.monotonic() - began, unit="s", limit=2.5)
        await _press_2(second, figures, "F14", "read-back, another row being locked")
        assert locked_out.number not in line.auditor.promised
    await first.hear(READ_BACK, 10)
    await line.stage.when(locked_out.number, stage="confirm")


async def _press_2(call: OutgoingCall, figures: Figures, row: str, what: str) -> None:
    pressed = time.monotonic()
    heard, _ = await asyncio.gather(call.hear(READ_BACK), call.dtmf("2"))
    figures.note(row, what, heard - pressed, unit="s", limit=1)


async def test_the_apis_connections_are_used_up_and_calls_go_on(line: AuditedLine, figures: Figures) -> None:
    """Twenty strangers, each of whose tokens has to be looked up in a table somebody has locked."""
    await line.settings(**steps(menu(timeout=30)))
    phone = line.caller()
    async with locked(line.rig, "LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE"):
        strangers = [asyncio.create_task(_stranger(line.rig, i)) for i in range(20)]
        call = await _rings_in(line, phone)
        await _press_2(call, figures, "F15", "read-back, the API's connections used up")
        answers = await asyncio.gather(*strangers)
    assert {status for status, _ in answers} == {503}
    figures.note("F15", "request refused, connections used up", [took for _, took in answers], unit="s", limit=3.5)
    figures.note("F15", "tasks that hang afterwards", await _still_unanswered(line.rig), limit=0)


async def _rings_in(line: AuditedLine, phone: Phone) -> OutgoingCall:
    call = await phone.call(line.dnis)
    await call.answered()
    line.auditor.follow(phone.number, call)
    await call.hear(TONES["menu-offer"])
    return call


async def _stranger(rig: Rig, i: int) -> tuple[int, float]:
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {i:064}"}
    async with aiohttp.request("GET", f"{rig.url}/api/v1/me", headers=headers) as response:
        return response.status, time.monotonic() - began


async def _still_unanswered(rig: Rig) -> int:
    """With the lock gone, everybody is told at once that the token is unknown."""
    answers = await asyncio.gather(*(_stranger(rig, i) for i in range(20)))
    return sum(status != 401 or took > 1 for status, took in answers)


async def test_the_calls_connections_are_used_up_and_the_api_answers(line: AuditedLine, figures: Figures) -> None:
    """Fifteen callers whose news cannot be written, as somebody has locked the feed."""
    await line.settings(**steps(menu(timeout=30)))
    people = [line.caller() for _ in range(15)]
    calls = await asyncio.gather(*(line.in_menu(each) for each in people))
    async with locked(line.rig, "LOCK TABLE feed IN SHARE MODE"):
        for call in calls:
            call.reset_gaps()
        await asyncio.gather(*(call.dtmf("1") for call in calls))
        took = [await _listed(line) for _ in range(20)]
        await asyncio.gather(*(call.hear(MUSIC) for call in calls))
    figures.note("F15", "list of the API, the calls' connections used up", took, unit="s", limit=0.5)
    silences = [call.gaps.silence for call in calls]
    figures.note("F15", "silence heard, the calls' connections used up", silences, unit="s", limit=2)
    await asyncio.gather(*(line.stage.when(each.number, within=15, status="open", stage=None) for each in people))


async def _listed(line: AuditedLine) -> float:
    began = time.monotonic()
    await line.stage.api.get("interactions", queue=line.queue)
    return time.monotonic() - began
