"""The rig itself: its proxies break as they should, and its auditor sees what is wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from routing.local.asterisk.prompts import TONES
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.proxy import Proxy
from tests.faults.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def echo() -> AsyncIterator[Proxy]:
    """A proxy before somebody who says everything again."""

    async def say_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(say_again, "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()[:2]) as proxy:
        yield proxy
    server.close()


async def _connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def _said(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes, within: float = 5.0
) -> bytes:
    writer.write(text)
    async with asyncio.timeout(within):
        return await reader.read(100)


async def test_a_proxy_passes_delays_holds_and_cuts(echo: Proxy) -> None:
    reader, writer = await _connect(echo)
    assert await _said(reader, writer, b"one") == b"one"
    echo.half_open()
    with pytest.raises(TimeoutError):
        await _said(reader, writer, b"two", within=0.3)
    await echo.heal()
    assert await reader.read(100) == b"two", "what was under way arrives, as TCP repeats it"
    loop = asyncio.get_running_loop()
    began = loop.time()
    echo.delay(0.1)
    assert await _said(reader, writer, b"three") == b"three" and loop.time() - began >= 0.1
    echo.cut()
    with pytest.raises(ConnectionResetError):
        await reader.read(100)
    writer.close()


async def test_a_proxy_that_refuses_lets_nobody_in_until_it_is_healed(echo: Proxy) -> None:
    await echo.refuse()
    with pytest.raises(ConnectionRefusedError):
        await _connect(echo)
    await echo.heal()
    reader, writer = await _connect(echo)
    assert await _said(reader, writer, b"here") == b"here"
    writer.close()


async def test_the_auditor_finds_a_promise_without_a_row_and_a_call_nobody_asked_for(
    rig: Rig, line: AuditedLine
) -> None:
    call = await line.in_menu(line.caller())
    assert await line.auditor.check() == []
    line.auditor.promised["+4915100000000"] += 1
    assert any("A5" in each for each in await line.auditor.check())
    del line.auditor.promised["+4915100000000"]
    await call.hangup()


async def test_the_auditor_finds_a_promise_that_nobody_will_keep(rig: Rig, line: AuditedLine) -> None:
    caller = line.caller()
    call = await line.in_menu(caller)
    await call.dtmf("2")
    await call.hear(TONES["confirm-keys"])
    await call.hear(TONES["music"])
    await call.dtmf("1")
    await call.ended(10)
    it = await line.stage.when(caller.number, status="open", subtype="callback")
    assert await line.auditor.check() == []
    planted = rig.sql.transaction()
    await planted.start()
    await rig.sql.execute(
        "UPDATE interactions SET status = 'closed', outcome = 'abandoned', closed_at = now() WHERE id = $1", it["id"]
    )
    found = await line.auditor.check()
    await planted.rollback()
    assert [each.split(":")[0] for each in found] == ["A6"]


async def test_figures_say_whether_their_limits_held(repeats: Callable[[int, int], range]) -> None:
    figures = Figures(1.0)
    figures.note("F2", "seconds", [1.0, 2.0], unit="s", limit=2)
    with pytest.raises(AssertionError, match="limit 1"):
        figures.note("F1", "lost", 2, limit=1)
    assert [row[0] for row in figures.rows()] == ["F1", "F2"]
    assert [row[-1] for row in figures.rows()] == ["NO", "yes"]
    assert len(repeats(2, 3)) in (2, 3)
