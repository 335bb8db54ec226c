"""F31 and a stalled event loop: a full disk is like an absent Postgres, and nothing at all to the log."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from demo.lags import Lags
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import hear_each_other, talk
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")

MUSIC, MOMENT, READ_BACK = TONES["music"], TONES["one-moment"], TONES["confirm-number"]
ROOM = 96
"""MiB that are left on the small disk before it is filled."""


@asynccontextmanager
async def small_disk(rig: Rig) -> AsyncIterator[Path]:
    """Postgres' data moved to a disk with little room; the same data move back."""
    data = rig.parts.postgres.data
    kept = data.with_name("data.kept")
    await rig.stop_postgres(signal.SIGINT)
    data.rename(kept)
    try:
        with _mounted(data, _megabytes(kept) + ROOM):
            _copy(kept, data)
            await rig.start_postgres()
            try:
                yield data
            finally:
                if await rig.alive_or_gone("postgres"):
                    await rig.stop_postgres(signal.SIGINT)
                (data / "ballast").unlink(missing_ok=True)
                _copy(data, kept)
    finally:
        data.rmdir()
        kept.rename(data)
        await rig.start_postgres()


@contextmanager
def _mounted(folder: Path, megabytes: int) -> Iterator[None]:
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=False)
    assert mounted.returncode == 0, "to fill a disk, this row mounts a small one: it has to be run as root"
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _copy(source: Path, target: Path) -> None:
    """Owners included, and nothing left of what was there."""
    for each in target.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def _megabytes(folder: Path) -> int:
    return int(subprocess.run(["du", "-sm", str(folder)], capture_output=True, check=True).stdout.split()[0])


def _fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 65536):
            pass
    return ballast


async def _until_refused(rig: Rig) -> None:
    """Use up what Postgres has set aside: it ends itself when its log has no room, and is in vain started again."""
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        async with asyncio.timeout(20):
            while True:
                await rig.sql.execute("SELECT pg_logical_emit_message(false, 'fault', 'x')")
                await rig.sql.execute("SELECT pg_switch_wal()")
    await rig.sql.close(timeout=1)


@pytest.mark.full
async def test_postgres_disk_is_full(line: AuditedLine, figures: Figures) -> None:
    async with small_disk(line.rig) as disk:
        await line.rig.gets_ready()
        await line.settings(**steps(menu(timeout=60)), dial={"ready_to_call": 120})
        talking = await talk(line)
        waits, chooses = line.caller(), line.caller()
        first, second = await line.in_menu(waits), await line.in_menu(chooses)
        await asyncio.gather(first.hear(MUSIC), second.hear(MUSIC))
        await first.dtmf("1")
        await line.stage.when(waits.number, status="open")
        ballast = _fill(disk)
        await _until_refused(line.rig)
        for call in (first, second):
            call.reset_gaps()
        pressed = time.monotonic()
        heard, _ = await asyncio.gather(second.hear_any({MOMENT, READ_BACK}), second.dtmf("2"))
        await asyncio.sleep(3)
        await asyncio.gather(first.hear(MUSIC), second.hear(MUSIC), hear_each_other(talking.offer, talking.back))
        assert heard.frequency == MOMENT, "there is room yet: the disk was not full"
        figures.note("F31", "one moment, Postgres' disk being full", heard.at - pressed, unit="s", limit=1)
        ballast.unlink()
        assert not await line.rig.alive_or_gone("postgres"), "it lived on: its log had room"
        await line.rig.start_postgres()
        figures.note("F31", "ready again once there is room", await line.rig.gets_ready(), unit="s", limit=5)
        if (await line.stage.when(chooses.number, status="bot"))[
            "stage"
        ] == "menu":  # it took longer than a key is worth
            await asyncio.gather(second.hear(READ_BACK), second.dtmf("2"))
        await line.stage.when(chooses.number, stage="confirm")
        silences = [first.gaps.silence, second.gaps.silence]
        figures.note("F31", "silence heard, Postgres' disk being full", silences, unit="s", limit=2)
        dropped = sum(call.end is not None for call in (first, second, talking.offer, talking.back))
        figures.note("F31", "calls dropped, Postgres' disk being full", dropped, limit=0)


@pytest.mark.full
async def test_the_logs_disk_is_full(line: AuditedLine, figures: Figures) -> None:
    """/dev/full: every write is refused for want of room."""
    await line.rig.kill("service")
    right = line.rig.log
    line.rig.log = Path("/dev/full")
    try:
        line.rig.start_service()
        await line.rig.gets_ready()
        before = await line.rig.loop_lags()
        await talk(line)
        dropped = await line.rig.metric("ringback_log_lines_dropped")
        lag = (await line.rig.loop_lags()).p99_since(before)
    finally:
        line.rig.log = right
        await line.rig.kill("service")
    assert dropped > 10
    figures.note("F31", "event loop lag p99, the log's disk being full, at most", lag, unit="s", limit=0.1)
    figures.note("F31", "log lines dropped and counted, the log's disk being full", dropped)


async def test_a_stalled_event_loop_shows_in_the_metrics(line: AuditedLine, figures: Figures) -> None:
    before = await line.rig.loop_lags()
    os.kill(line.rig.pid("service"), signal.SIGSTOP)
    await asyncio.sleep(1.5)
    os.kill(line.rig.pid("service"), signal.SIGCONT)
    began = time.monotonic()
    async with asyncio.timeout(10):
        while _stalls(await line.rig.loop_lags()) == _stalls(before):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    figures.note("F7", "event loop stalled 1.5 s: in the metrics after", time.monotonic() - began, unit="s", limit=2)


def _stalls(lags: Lags) -> int:
    """How often the loop was more than a second late."""
    return lags.at_most[float("inf")] - lags.at_most[1.0]
