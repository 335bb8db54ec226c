"""F38, F39: what strangers send over SIP and HTTP costs those who call and work nothing."""

import asyncio
import contextlib
import io
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from demo.sip.outgoing import OutgoingCall
from routing.api.app import IDLE
from routing.local.asterisk.prompts import TONES
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")

INJECTIONS = (
    "'; DROP TABLE interactions; --",
    "' OR '1'='1",
    "$1); DELETE FROM agents; --",
    "\\'; UPDATE agents SET availability='ready'; --",
    "1' UNION SELECT hash FROM tokens --",
    "${SHELL(touch /tmp/owned)}",
    "%s%s%n",
    "admin'/*",
    '"); SELECT pg_sleep(10); --',
    "`id`;$(id)",
)
_COUNTS = """
SELECT (SELECT count(*) FROM agents), (SELECT count(*) FROM queues), (SELECT count(*) FROM tokens),
       (SELECT count(*) FROM agents WHERE availability = 'ready')
"""


async def test_sql_in_names_numbers_and_fields_changes_nothing(
    line: AuditedLine, figures: Figures, full: bool
) -> None:
    """In the caller's name and number, in paths, queries and bodies."""
    await line.settings(**steps(menu(timeout=30)))
    before = await _counts(line)
    for text in INJECTIONS if full else INJECTIONS[:2]:
        caller = line.caller()
        call = await caller.call(line.dnis, display=text)
        await call.answered()
        await call.hear(TONES["menu-offer"])
        await call.hangup()
        await line.stage.when(caller.number, status="closed")
    statuses = [status for text in INJECTIONS for status in await _sent_over_http(line, text)]
    after = await _counts(line)
    figures.note(
        "F38", "rows changed by injected SQL", sum(a != b for a, b in zip(after, before, strict=True)), limit=0
    )
    figures.note("F38", "5xx for injected SQL", sum(status >= 500 for status in statuses), limit=0)


async def _counts(line: AuditedLine) -> list[int]:
    row = await line.stage.sql.fetchrow(_COUNTS)
    assert row
    return list(row)


async def _sent_over_http(line: AuditedLine, text: str) -> list[int]:
    api, headers = f"{line.rig.url}/api/v1", line.stage.api.headers
    requests: tuple[tuple[str, str, Any], ...] = (
        ("GET", "/interactions", {"params": {"number": text}}),
        ("GET", "/interactions", {"params": {"queue": text}}),
        ("GET", f"/queues/{text}".replace("/*", "*"), {}),
        ("PUT", "/agents/1999", {"json": {"name": text, "skills": [text], "queues": [{"queue": text}]}}),
        ("POST", "/login", {"json": {"user": text, "password": text}}),
        ("POST", "/numbers/check", {"json": {"queue": line.queue, "number": text}}),
    )
    statuses = []
    async with aiohttp.ClientSession(headers=headers) as http:
        for method, path, options in requests:
            async with http.request(method, api + path, **options) as response:
                statuses.append(response.status)
    return statuses


# F39


def _memory(rig: Rig) -> float:
    """MiB the service holds."""
    status = Path(f"/proc/{rig.pid('service')}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@asynccontextmanager
async def _connections(rig: Rig, n: int, say: Callable[[int], bytes]) -> AsyncIterator[list[asyncio.StreamReader]]:
    """`n` sockets that said something and then keep silent."""
    readers, writers = [], []
    try:
        for i in range(n):
            reader, writer = await asyncio.open_connection("127.0.0.1", rig.ports.http)
            writer.write(say(i))
            readers.append(reader)
            writers.append(writer)
        yield readers
    finally:
        for writer in writers:
            writer.close()


def _slowly(i: int) -> bytes:
    """Nothing, half a head, or a head whose body never comes."""
    half = b"GET /api/v1/agents HTTP/1.1\r\nHost: x\r\nX-A: "
    whole = (
        b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    )
    return (b"", half, whole)[i % 3]


async def _asked(line: AuditedLine, times: int) -> list[float]:
    """Seconds, of requests one after another."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        await line.stage.api.get("agents")
        took.append(time.monotonic() - began)
    return took


async def _closed(readers: list[asyncio.StreamReader], within: float) -> int:
    """How many were ended by the service in that time."""

    async def end(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()

    tasks = [asyncio.create_task(end(reader)) for reader in readers]
    done, waiting = await asyncio.wait(tasks, timeout=within)
    for task in waiting:
        task.cancel()
    return len(done)


@pytest.mark.full
async def test_slow_and_silent_connections_cost_others_nothing_and_are_closed(
    line: AuditedLine, figures: Figures
) -> None:
    n = 2000
    memory = _memory(line.rig)
    async with _connections(line.rig, n, _slowly) as readers:
        took = await _asked(line, 100)
        call = await line.in_menu(line.caller())
        figures.note("F39", f"API beside {n} slow connections", took, unit="s", limit=0.2)
        figures.note("F39", f"memory for {n} slow connections", _memory(line.rig) - memory, unit="MiB", limit=n / 20)
        left = n - await _closed(readers, IDLE + 5)
        figures.note("F39", f"slow connections left after {IDLE + 5:g} s", left, limit=0)
        await call.hangup()


async def test_bodies_that_are_too_large_are_refused(line: AuditedLine, figures: Figures) -> None:
    """By what they announce, and by what comes without announcement."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 4096

    memory, statuses = _memory(line.rig), []
    async with aiohttp.ClientSession(headers=line.stage.api.headers) as http:
        for body in (b" " * 70_000, io.BytesIO(b" " * 40_000_000), chunks()):
            with contextlib.suppress(aiohttp.ClientError):
                async with http.put(f"{line.rig.url}/api/v1/agents/1999", data=body) as response:
                    statuses.append(response.status)
    assert statuses and set(statuses) == {413}
    figures.note("F39", "memory for oversized bodies", _memory(line.rig) - memory, unit="MiB", limit=20)


@pytest.mark.full
async def test_live_streams_that_are_never_read_are_cut_off(line: AuditedLine, figures: Figures) -> None:
    """While queues change without end; whoever reads is told everything."""
    memory, n = _memory(line.rig), 20
    token = line.stage.api.headers["Authorization"]

    def upgrade(i: int) -> bytes:
        key = random.randbytes(16).hex()[:22] + "=="
        lines = ("GET /api/v1/stream HTTP/1.1", "Host: x", f"Authorization: {token}", "Upgrade: websocket")
        more = ("Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")
        return "\r\n".join([*lines, *more, "", ""]).encode()

    big = {"name": f"{line.queue}-big", "numbers": [f"{i:020}" for i in range(900)]}
    async with _connections(line.rig, n, upgrade) as readers:
        for reader in readers:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
        before = await line.rig.metric("ringback_stream_clients")
        took = []
        for i in range(600):
            began = time.monotonic()
            await line.stage.api.put(f"queues/{line.queue}-big", {**big, "title": f"{i}"})
            took.append(time.monotonic() - began)
            if await line.rig.metric("ringback_stream_clients") <= before - n:
                break
        left = await line.rig.metric("ringback_stream_clients") - (before - n)
        figures.note("F39", "streams that are never read and still open", left, limit=0)
        figures.note("F39", "API beside streams that are never read", took, unit="s", limit=0.5)
        figures.note("F39", f"memory for {n} streams never read", _memory(line.rig) - memory, unit="MiB", limit=5 * n)
    await _reads(line)


async def _reads(line: AuditedLine) -> None:
    caller = line.caller()
    call: OutgoingCall = await line.in_menu(caller)
    await line.stage.when(caller.number, status="bot")
    await call.hangup()
