"""The service as the supervisor sees it: a child that dies with `up`, and whose successor waits warm.

A Python process takes about a second to import what the service needs. So that callers do not wait for it after
a crash, a standby has done that already and stands by for a line on its standard input (`serve --standby`).
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import structlog

from routing.local.system.home import Home
from routing.local.system.processes import Process, find, read_pid, spawn
from routing.local.system.program import ringback
from routing.local.system.users import SERVICE, account
from routing.local.up.health import Health

log = structlog.get_logger(__name__)

_LEASE_PATIENCE = 1.0  # seconds; with Postgres away the lease runs out by itself


class ServicePart:
    """`expire_lease` makes the shard free at once that a dead process had, named by its pid."""

    name = "service"

    def __init__(
        self,
        home: Home,
        environment: Mapping[str, str],
        health: Health,
        expire_lease: Callable[[int], Awaitable[None]],
        log_file: Path | None,
    ) -> None:
        self._home = home
        self._environment = environment
        self._health = health
        self._expire_lease = expire_lease
        self._log_file = log_file
        self._standby: tuple[Process, int] | None = None
        self._warming: asyncio.Task[None] | None = None
        self._guard: asyncio.Task[None] | None = None
        self._dead: int | None = None
        self._pid: int | None = None

    async def start(self) -> Process:
        await self._free_shard()
        self._health.reset()
        process = self._wake_standby() or self._spawn()
        self._pid = process.pid
        self._warming = asyncio.create_task(self._warm_up(), name="service-standby")
        self._guard = asyncio.create_task(self._end_when_hung(process), name="service-guard")
        return process

    async def ended(self) -> bool:
        if self._guard:
            self._guard.cancel()
        self._dead = self._pid
        await self._free_shard()
        return self._health.ready.is_set()

    async def stop(self, process: Process) -> None:
        """SIGTERM: it gives its shard back and leaves the calls alone."""
        for task in (self._warming, self._guard):
            if task:
                task.cancel()
        await process.stop(signal.SIGTERM, patience=3)
        if self._standby:
            standby, pipe = self._standby
            os.close(pipe)
            await standby.stop(signal.SIGKILL, patience=1)

    async def end_predecessor(self) -> None:
        """At our own start: the service of an `up` that was killed should be gone, but is not left to chance."""
        pid_file = self._home.pid_file(self.name)
        if not pid_file.exists():
            return
        if alive := find(pid_file, "serve", str(self._home.root)):
            await alive.stop(signal.SIGKILL, patience=1)
        self._dead = read_pid(pid_file)

    async def _end_when_hung(self, process: Process) -> None:
        """A service that lives and does nothing is worse than none: the next one takes its place."""
        await self._health.hung.wait()
        log.error("service_hung", pid=process.pid)
        process.send(signal.SIGKILL)

    async def _free_shard(self) -> None:
        """Of the process that died last. Another may have taken the shard meanwhile: that keeps it."""
        dead, self._dead = self._dead, None
        if dead is None:
            return
        try:
            async with asyncio.timeout(_LEASE_PATIENCE):
                await self._expire_lease(dead)
        except Exception as error:  # Postgres may be what died; then the lease runs out by itself
            log.warning("lease_not_expired", error=str(error) or type(error).__name__)

    def _wake_standby(self) -> Process | None:
        if self._standby is None:
            return None
        (process, pipe), self._standby = self._standby, None
        try:
            os.write(pipe, b"\n")
        except BrokenPipeError:
            return None
        finally:
            os.close(pipe)
        return process if process.alive else None

    async def _warm_up(self) -> None:
        """Once the service is ready, so as not to compete with it."""
        await self._health.ready.wait()
        if self._standby is None:
            ours, pipe = os.pipe2(os.O_CLOEXEC)
            try:
                self._standby = (self._spawn("--standby", stdin=ours), pipe)
            finally:
                os.close(ours)

    def _spawn(self, *more: str, stdin: int = subprocess.DEVNULL) -> Process:
        options = ["--data-dir", str(self._home.root), *more]
        return spawn_service(self._environment, options, log_file=self._log_file, cwd=self._home.root, stdin=stdin)


def spawn_service(
    environment: Mapping[str, str],
    options: Sequence[str] = (),
    *,
    log_file: Path | None,
    cwd: Path,
    stdin: int = subprocess.DEVNULL,
) -> Process:
    """`ringback serve` as the service's account, which dies with us."""
    user = account(SERVICE)
    with ringback(user) as program:
        return spawn(
            [*program.argv, "serve", "--parent", str(os.getpid()), *options],
            log=log_file,
            cwd=cwd,
            stdin=stdin,
            user=user,
            env={**environment, **program.environment},
            folders=program.folders,
        )
