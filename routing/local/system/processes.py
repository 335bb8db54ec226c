"""Processes we start, or find again by pid: watched through pidfds, so no reused pid is ever hit."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from routing.local.system.users import User, confined


class Process:
    """A running process, ours or adopted. `wait()` returns the moment it ends; `send()` hits no other."""

    def __init__(self, pid: int, popen: "subprocess.Popen[bytes] | None" = None) -> None:
        """Raise ProcessLookupError when there is no such process."""
        self.pid = pid
        self._popen = popen
        self._fd = os.pidfd_open(pid)

    @property
    def alive(self) -> bool:
        """False from the moment it ended, even while nobody has reaped it."""
        return self._fd >= 0 and not select.select([self._fd], [], [], 0)[0]

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a process that ended already is not an error."""
        if self._fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, number)

    async def wait(self) -> int | None:
        """Wait for the end. The exit code (negative: killed by that signal), None for an adopted process."""
        if self._fd >= 0:
            await _readable(self._fd)
        code = self._popen.wait() if self._popen else None
        self.close()
        return code

    async def stop(self, number: signal.Signals, *, patience: float) -> int | None:
        """Ask with `number`, insist with SIGKILL after `patience` seconds."""
        self.send(number)
        try:
            return await asyncio.wait_for(self.wait(), patience)
        except TimeoutError:
            self.send(signal.SIGKILL)
            return await self.wait()

    def close(self) -> None:
        """Let go of the process without touching it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


async def _readable(fd: int) -> None:
    """A pidfd is readable once its process ended. Through a copy, as a loop takes one reader per fd."""
    copy = os.dup(fd)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(copy, ended.cancel)
    try:
        await asyncio.wait([ended])
    finally:
        loop.remove_reader(copy)
        os.close(copy)


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path | None,
    cwd: Path,
    stdin: int = subprocess.DEVNULL,
    user: User | None = None,
    env: Mapping[str, str] | None = None,
    folders: Sequence[int] = (),
) -> Process:
    """Start a process in a session of its own: Ctrl-C at the terminal and our own death do not reach it.

    It has no capabilities and can get none, nor root, whoever it runs as. `folders` are descriptors it gets. Output
    goes to the end of `log`, or where ours goes when `log` is None.
    """
    environment = dict(os.environ if env is None else env)
    preloaded = environment.pop("LD_PRELOAD", None)  # is for the program, not for what gives up root before it
    shim = ["/usr/bin/env", f"LD_PRELOAD={preloaded}"] if preloaded else []
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(open(log, "ab", opener=_for_us)) if log else None  # Path.open has none
        popen = subprocess.Popen(
            [*confined(user), *shim, *(str(arg) for arg in argv)],
            stdin=stdin,
            stdout=out,
            stderr=subprocess.STDOUT if out else None,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            pass_fds=folders,
        )
    return Process(popen.pid, popen)


def _for_us(path: str, flags: int) -> int:
    """A log may hold numbers: others do not read it. Not through a link: the folder may be that account's."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o640)


def find(pid_file: Path, *marks: str) -> Process | None:
    """The process a pid file names, if it lives and has all `marks` among its arguments; else None.

    The pidfd is opened before and checked after reading the arguments, so both are of one process.
    """
    pid = read_pid(pid_file)
    if pid is None:
        return None
    try:
        process = Process(pid)
    except OSError:
        return None
    arguments = _arguments(pid)
    if process.alive and all(mark in arguments for mark in marks):
        return process
    process.close()
    return None


def _arguments(pid: int) -> list[str]:
    """Its command line, argument by argument; empty for a process that ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def read_pid(pid_file: Path) -> int | None:
    """The number in the first line of a pid file; None if there is no usable one."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if pid > 0 else None


def write_pid(pid_file: Path, pid: int) -> None:
    """Replace the pid file in one step: readers see the old or the new pid, never a half."""
    draft = pid_file.with_name(f".{pid_file.name}.new")
    draft.write_text(f"{pid}\n")
    draft.replace(pid_file)
