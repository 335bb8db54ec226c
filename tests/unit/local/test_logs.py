"""Logs have a greatest size, and who writes one notices nothing."""

import asyncio
from pathlib import Path

import pytest

from routing.local.system import logs


def test_a_log_that_has_grown_becomes_the_older_one_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "asterisk.log"
    path.write_bytes(b"old\n")
    path.chmod(0o640)
    with path.open("ab") as writer:
        for round_ in range(3):
            writer.write(b"x" * 100 + b"round %d\n" % round_)
            writer.flush()
            logs.cap(path, 50)
            assert path.stat().st_size == 0
        writer.write(b"new\n")
    logs.cap(path, 50)
    older = tmp_path / "asterisk.log.1"
    assert path.read_bytes() == b"new\n"
    assert older.read_bytes() == b"x" * 42 + b"round 2\n"
    assert older.stat().st_mode & 0o777 == 0o640
    assert {each.name for each in tmp_path.iterdir()} == {"asterisk.log", "asterisk.log.1"}


def test_a_log_there_is_not_yet_is_no_error(tmp_path: Path) -> None:
    logs.cap(tmp_path / "service.log")
    assert list(tmp_path.iterdir()) == []


async def test_where_the_disk_is_full_the_log_is_emptied_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "postgres.log"
    path.write_bytes(b"x" * (logs.MOST + 1))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logs.shutil, "copyfileobj", full)
    keeping = asyncio.create_task(logs.keep_small([path]))
    async with asyncio.timeout(5):
        while path.stat().st_size:  # noqa: ASYNC110  # a file's size tells us nothing by itself
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.wait([keeping])
