"""`ringback setup` on a machine that is set up: it says what is there and starts nothing. Where something cannot be
had it says so in one line. (That it installs what a bare machine lacks shows only there.)"""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def set_up(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a session of its own, so that whatever it might start is known by it."""
    return subprocess.run(
        [sys.executable, "-m", "routing", "setup", *options],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=os.environ | environment,
        start_new_session=True,
    )


def files_below(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_what_is_there_is_told_with_its_version_and_place_and_nothing_is_made_anew() -> None:
    first = set_up()
    assert first.returncode == 0, first.stderr
    told = {line.split(" ")[0]: line for line in first.stderr.splitlines()}
    assert {"Python", "PostgreSQL", "Asterisk", "prompts"} <= told.keys()
    places = {what: Path(told[what].rpartition("(")[2].rstrip(")")) for what in ("PostgreSQL", "Asterisk", "prompts")}
    assert all(place.is_dir() for place in places.values())
    sounds = files_below(places["prompts"])
    again = set_up()
    assert (again.returncode, again.stderr) == (0, first.stderr)
    assert sounds and files_below(places["prompts"]) == sounds


def test_nothing_is_started() -> None:
    """Its session is empty once it has ended."""
    command = [sys.executable, "-m", "routing", "setup"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        assert process.wait(50) == 0
        assert sessions().count(process.pid) == 0


def sessions() -> list[int]:
    """Of every process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append(int(stat.read_text().rpartition(")")[2].split()[3]))
        except OSError:
            continue  # ended meanwhile
    return found


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PGBIN": "/nowhere"}, "PGBIN=/nowhere has no initdb and postgres"),
        ({"PATH": "/nowhere"}, "openssl"),
        ({"XDG_CACHE_HOME": "/dev/null"}, "cannot write to the cache /dev/null/ringback"),
    ],
)
def test_what_cannot_be_had_is_one_line(environment: dict[str, str], message: str) -> None:
    refused = set_up(**environment)
    assert refused.returncode == 2
    assert message in refused.stderr.splitlines()[-1]
    assert refused.stderr.splitlines()[-1].startswith("ringback: ")
    assert "Traceback" not in refused.stderr


def test_a_machine_for_asterisk_alone_needs_no_postgres() -> None:
    told = set_up("--asterisk", PGBIN="/nowhere")
    assert told.returncode == 0, told.stderr
    assert [line.split(" ")[0] for line in told.stderr.splitlines()][-2:] == ["Asterisk", "prompts"]
