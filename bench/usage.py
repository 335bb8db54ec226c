"""What the parts of a running Ringback use: CPU time and memory out of /proc, with their children's."""

import os
from dataclasses import dataclass
from pathlib import Path

PARTS = ("asterisk", "service", "postgres")
_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """`cpu` in seconds since the start; `memory` resident and not shared, in bytes."""

    cpu: float
    memory: int


def of(pid: int) -> Usage:
    """Of a process and those it started."""
    each = [_of_one(one) for one in (pid, *_children(pid))]
    return Usage(sum(one.cpu for one in each), sum(one.memory for one in each))


def _of_one(pid: int) -> Usage:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident, shared = (int(pages) for pages in Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, (resident - shared) * _PAGE)


def _children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _named(task / "children")]


def _named(children: Path) -> list[str]:
    return children.read_text().split()
