"""What the parts hold while the soak goes on: memory, file descriptors, logs; and whether it grew."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import usage
from bench.usage import PARTS
from demo.stage import Stage

WARM_UP, WINDOW = 0.25, 0.125
"""Of the whole time: what comes before is not looked at; the medians of two windows are compared."""


@dataclass(frozen=True)
class Look:
    """At one moment. `cpu` in seconds; `memory` in bytes, resident and not shared; `files` are open descriptors; all
    with children. `logs` in bytes."""

    at: float
    cpu: dict[str, float]
    memory: dict[str, int]
    files: dict[str, int]
    logs: dict[str, int]


def look(stage: Stage) -> Look:
    pids = {part: stage.pid(part) for part in PARTS}
    used = {part: usage.of(pid) for part, pid in pids.items()}
    return Look(
        time.monotonic(),
        {part: each.cpu for part, each in used.items()} | {"phones": time.process_time()},
        {part: each.memory for part, each in used.items()},
        {part: usage.open_files(pid) for part, pid in pids.items()},
        {name: path.stat().st_size for name, path in _logs(stage).items()},
    )


def _logs(stage: Stage) -> dict[str, Path]:
    home = stage.data_dir
    asterisk, postgres = home / "asterisk/asterisk.log", home / "postgres/postgres.log"
    return {"service": stage.log, "asterisk": asterisk, "postgres": postgres}


def windows(looks: Sequence[Look]) -> tuple[Sequence[Look], Sequence[Look]]:
    """The first after the warm-up, and the last."""
    size = max(1, int(len(looks) * WINDOW))
    first = int(len(looks) * WARM_UP)
    return looks[first : first + size], looks[-size:]


def memory(looks: Sequence[Look], part: str) -> tuple[float, float]:
    """In bytes, in both windows: the medians, as a login takes 64 MiB for a moment."""
    before, after = (statistics.median(each.memory[part] for each in window) for window in windows(looks))
    return before, after


def files(looks: Sequence[Look], part: str) -> tuple[float, float]:
    """Open descriptors, in both windows: the least, as every call has some of its own."""
    before, after = (min(each.files[part] for each in window) for window in windows(looks))
    return before, after


def cpu(looks: Sequence[Look], part: str) -> float:
    """Share of one core."""
    return (looks[-1].cpu[part] - looks[0].cpu[part]) / (looks[-1].at - looks[0].at)


def logged(looks: Sequence[Look], name: str) -> float:
    """Bytes an hour, from the end of the warm-up on."""
    first, last = windows(looks)[0][0], looks[-1]
    return (last.logs[name] - first.logs[name]) / (last.at - first.at) * 3600
