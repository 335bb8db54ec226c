"""What the parts of a running Ringback use: CPU time and memory out of /proc, with their children's."""

import contextlib
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
    each = [_of_one(one) for one in family(pid)]
    return Usage(sum(one.cpu for one in each), sum(one.memory for one in each))


def open_files(pid: int) -> int:
    """Descriptors of a process and those it started."""
    return sum(_files(one) for one in family(pid))


def family(pid: int) -> list[int]:
    """A process and those it started. Threads and children that end while we look are left out."""
    with contextlib.suppress(OSError):
        children = [_words(task / "children") for task in Path(f"/proc/{pid}/task").iterdir()]
        return [pid, *(int(child) for each in children for child in each)]
    return []


def _of_one(pid: int) -> Usage:
    fields = (_text(Path(f"/proc/{pid}/stat")).rpartition(")")[2]).split()
    pages = _words(Path(f"/proc/{pid}/statm"))
    if not fields or not pages:
        return Usage(0, 0)
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, (int(pages[1]) - int(pages[2])) * _PAGE)


def _files(pid: int) -> int:
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    """Nothing, of who has ended."""
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""
