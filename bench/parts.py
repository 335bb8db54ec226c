"""Where the time went: from the service's own log lines, `decision` and `dialled`, and from the floor's stamps."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

Line = dict[str, Any]
Window = tuple[float, float]

SERVICE_PARTS = (
    "until it is in the mailbox",
    "mailbox and decide",
    "save (one statement and its commit)",
    "the channel, as far as not ready by then",
    "dial: until Asterisk has taken it",
    "Asterisk, until the INVITE is out",
)
BESIDE_SAVE = ("create, beside the save", "then StasisStart")
FLOOR_PARTS = ("INSERT and its commit", "create", "then StasisStart", "dial, until the INVITE is out")


def of_service(log: Path, windows: Sequence[Window]) -> dict[str, list[float]]:
    """Seconds of each part, for the samples sent and seen at these monotonic times."""
    parts: dict[str, list[float]] = {name: [] for name in (*SERVICE_PARTS, *BESIDE_SAVE)}
    dials = list(_dials(log))
    for sent, seen in windows:
        for decision, dialled in dials:
            if sent < _at(decision) and _at(decision) - decision["ms"] / 1000 < seen:
                for name, seconds in zip(parts, _parts(sent, seen, decision, dialled), strict=True):
                    parts[name].append(seconds)
                break
    return parts


def of_floor(stamps: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    return {name: [each[i + 1] - each[i] for each in stamps] for i, name in enumerate(FLOOR_PARTS)}


def _parts(sent: float, seen: float, decision: Line, dialled: Line) -> list[float]:
    posted = _at(decision) - decision["ms"] / 1000
    decided, saved = posted + decision["decided"] / 1000, posted + decision["saved"] / 1000
    taken = _at(dialled)
    asked = taken - dialled["dial"] / 1000
    times = (sent, posted, decided, saved, asked, taken, seen)
    steps = [later - earlier for earlier, later in pairwise(times)]
    return [*steps, dialled["create"] / 1000, dialled["start"] / 1000]


def _dials(log: Path) -> Iterator[tuple[Line, Line]]:
    """Each decision to dial a customer, with the line that tells it was done, which comes just before."""
    dialled: dict[str, Line] = {}
    for text in log.read_text(errors="replace").splitlines():
        line: Line = json.loads(text) if text.startswith("{") else {}
        if line.get("event") == "dialled":
            dialled[line["interaction"]] = line
        elif "DialCustomer" in line.get("effects", ()) and line["interaction"] in dialled:
            yield line, dialled.pop(line["interaction"])


def _at(line: Line) -> float:
    """When it was logged, on the monotonic clock."""
    return datetime.fromisoformat(line["timestamp"]).timestamp() - (time.time() - time.monotonic())
