"""One oddity: how a command is run so that it sees another time, and how it is told that it did."""

import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.faketime import library

ROOT = Path(__file__).parents[2]
_SITE = Path(__file__).with_name("site")


@dataclass(frozen=True)
class Oddity:
    """`uptime`: what the monotonic clock shows at the start, in seconds. `wall`: the moment at the start, for
    everything but Asterisk, which is started with an environment of its own. None: as it is."""

    zone: str
    uptime: float | None = None
    wall: datetime | None = None
    nobody: bool = False

    def command(self, *words: str) -> list[str]:
        """Has to be run soon: both clocks go on from the moment this is asked."""
        before = [sys.executable, "-m", "tests.odd_times.nobody"] if self.nobody else []
        if self.nobody:
            before = ["unshare", "--mount", *before]
        if self.uptime is not None:
            ahead = round(self.uptime - time.monotonic()) + _ahead_already()
            before = ["unshare", "--time", "--monotonic", str(ahead), *before]
        return [*before, *words]

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        told = {"TZ": self.zone, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
        if self.wall is None:
            return kept | told
        ahead = round((self.wall - datetime.now(UTC)).total_seconds())
        faked = {
            "LD_PRELOAD": str(library()),
            "FAKETIME": f"{ahead:+d}",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": f"{_SITE}:{ROOT}",
        }
        return kept | told | faked


def _ahead_already() -> int:
    """Seconds by which our monotonic clock is ahead of the machine's, from which offsets are counted."""
    offsets = dict(line.split()[:2] for line in Path("/proc/self/timens_offsets").read_text().splitlines())
    return int(offsets["monotonic"])


def three_in_the_morning(zone: str) -> datetime:
    """The last one, there."""
    now = datetime.now(ZoneInfo(zone))
    night = now.replace(hour=3, minute=0, second=0, microsecond=0)
    return (night if night < now else night - timedelta(days=1)).astimezone(UTC)


def changes(zone: str) -> list[datetime]:
    """The last two moments at which the clocks changed there; none lie ahead, so that certificates made then are
    valid for an Asterisk whose clock is right."""
    there, found = ZoneInfo(zone), []
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    half = timedelta(minutes=30)
    for n in range(2 * 24 * 400):
        at = hour - n * half
        if at.astimezone(there).utcoffset() != (at - half).astimezone(there).utcoffset():
            found.append(at)
    return found[:2]
