"""The real world has no part in a run: who reads one of its clocks, or draws from its chance, is found out.

The service is given clocks and chance (`process.py`). What it takes from elsewhere would make a run depend on the
machine: how long that has been up, what time it is, how fast it is.
"""

import datetime
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any
from unittest.mock import patch

NAMES = {
    time: ("monotonic", "monotonic_ns", "time", "time_ns", "perf_counter", "perf_counter_ns", "clock_gettime"),
    os: ("urandom", "getrandom"),
}
_REAL = {id(getattr(module, name)): f"{module.__name__}.{name}" for module, names in NAMES.items() for name in names}
_TODAY = frozenset({"now", "utcnow", "today"})
_MEANT = ("prometheus_client.", "hypothesis.", __name__)
"""Metrics note when they were made, and nothing in the service looks at it; Hypothesis times Python's garbage."""


@contextmanager
def noticed() -> Iterator[list[str]]:
    """Who reads reality by its name, quick enough for every run."""
    read: list[str] = []
    chance = random.getstate()
    with ExitStack() as stack:
        for module, names in NAMES.items():
            for name in names:
                stack.enter_context(patch.object(module, name, _noting(module, name, read)))
        yield read
    if random.getstate() != chance:
        read.append("the random module's own generator")


def _noting(module: Any, name: str, read: list[str]) -> Callable[..., Any]:
    real = getattr(module, name)

    def note(*arguments: Any) -> Any:
        _note(f"{module.__name__}.{name}", sys._getframe(1), read)
        return real(*arguments)

    return note


def _note(what: str, frame: FrameType | None, read: list[str]) -> None:
    caller = frame.f_globals.get("__name__", "") if frame else ""
    if frame and not caller.startswith(_MEANT):
        read.append(f"{what} by {caller}, line {frame.f_lineno}")


@contextmanager
def seen() -> Iterator[list[str]]:
    """Who reads reality however it is called: a default, a `from time import`. It takes several times as long."""
    read: list[str] = []

    def look(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and (what := _name(called)):
            _note(what, frame, read)

    sys.setprofile(look)
    try:
        yield read
    finally:
        sys.setprofile(None)


def _name(called: Any) -> str | None:
    """What it is of the real world, None for all else."""
    owner = getattr(called, "__self__", None)
    if owner is random._inst and called.__name__ != "getstate":  # type: ignore[attr-defined]
        return f"random.{called.__name__}"
    if isinstance(owner, type) and issubclass(owner, datetime.date) and called.__name__ in _TODAY:
        return f"{owner.__name__}.{called.__name__}"
    return _REAL.get(id(called))
