"""Debian's libfaketime: a process whose wall clock is set by a file while it runs. Its monotonic clock stays real."""

from contextlib import suppress
from pathlib import Path

from routing.local.install import apt

LIBRARY = "faketime/libfaketime.so.1"


class WallClock:
    """Of the processes that are started with `environment`: `ahead` seconds ahead of the machine's, from when it is
    set on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead = 0.0
        self.ahead = 0.0

    @property
    def ahead(self) -> float:
        return self._ahead

    @ahead.setter
    def ahead(self, seconds: float) -> None:
        self._ahead = seconds
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+.3f}\n")
        draft.chmod(0o644)
        draft.rename(self._file)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library()),
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
        }


def library() -> Path:
    """Installed by apt if we are root and it is not there."""
    _clear_leftovers()
    if (found := _find()) is None:
        apt.install("libfaketime")
        found = _find()
    assert found, "install Debian's package libfaketime"
    return found


def _clear_leftovers() -> None:
    """A process that was killed leaves a semaphore and shared memory, named by its pid: the next with that pid, of
    another account, could not begin."""
    for left in Path("/dev/shm").glob("*faketime_s*_*"):  # libfaketime chooses it
        if not Path("/proc", left.name.rpartition("_")[2]).exists():
            with suppress(OSError):
                left.unlink()


def _find() -> Path | None:
    return next(iter(Path("/usr/lib").glob(f"*/{LIBRARY}")), None)
