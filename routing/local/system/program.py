"""Our own program, started as another account. That account may not be let into the folders the code is in, as root's
home is closed: then they are handed over open, and /proc/self/fd/N leads into them past whatever lies above them.
"""

import compileall
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from routing.local.system.users import User, may

_ROOT = Path(__file__).parents[3]
_OURS = ("dialplan", "ivr", "routing")


@dataclass(frozen=True)
class Program:
    """`argv` begins the command, `environment` adds to ours, `folders` are descriptors it has to be given."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[int, ...] = ()


@contextmanager
def ringback(user: User | None) -> Iterator[Program]:
    """`python -m routing`, for as long as it takes to start it."""
    module = ("-P", "-m", "routing")
    if user is None:
        yield Program((sys.executable, *module))
        return
    _compile()
    home = {"HOME": "/nonexistent"}  # root's is not theirs
    if may(user, "-r", Path(sys.executable), *_folders()):
        yield Program((sys.executable, *module), home)
        return
    with ExitStack() as stack:
        folders = tuple(_open(stack, folder) for folder in _folders())
        python, packages, code = (f"/proc/self/fd/{folder}" for folder in folders)
        where = {"PYTHONHOME": python, "PYTHONPATH": f"{packages}:{code}", "LD_LIBRARY_PATH": f"{python}/lib"}
        name = f"bin/python{sys.version_info.major}.{sys.version_info.minor}"
        yield Program((f"{python}/{name}", *module), home | where, folders)


def _folders() -> tuple[Path, Path, Path]:
    """Of Python, of the packages installed, of our own code."""
    return Path(sys.base_prefix), Path(sysconfig.get_path("purelib")), _ROOT


@cache
def _compile() -> None:
    """They may not store what they compile, and would at every start do it again. `make setup` compiles packages."""
    for name in _OURS:
        compileall.compile_dir(_ROOT / name, quiet=2)


def _open(stack: ExitStack, folder: Path) -> int:
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor
