"""Limits of the service while it runs, set as its own account: root may not everywhere (CAP_SYS_RESOURCE)."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from routing.local.system.users import SERVICE, account, confined


@contextmanager
def limited(pid: int, what: str, most: int) -> Iterator[None]:
    """`what` as prlimit(1) names it, such as `data` or `nofile`. A process that ended took its limit along."""
    before = _prlimit(pid, f"--{what}", "--output=SOFT", "--noheadings", "--raw", check=True)
    _prlimit(pid, f"--{what}={most}:", check=True)
    try:
        yield
    finally:
        _prlimit(pid, f"--{what}={before}:", check=False)


def _prlimit(pid: int, *words: str, check: bool) -> str:
    command = [*confined(account(SERVICE)), "prlimit", "--pid", str(pid), *words]
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout.strip()
