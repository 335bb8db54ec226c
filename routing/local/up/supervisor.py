"""Keeps a part of Ringback (Postgres, Asterisk, the service) running: starts it again the moment it ends."""

import asyncio
from pathlib import Path
from typing import Protocol

import structlog

from routing.local.system.errors import SetupError
from routing.local.system.processes import Process, write_pid

log = structlog.get_logger(__name__)

# Seconds before the next start, by how often in a row it ended without having worked:
_DELAYS = (0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 5.0)


class Part(Protocol):
    """What the supervisor asks of each of the three (parts.py)."""

    name: str

    async def start(self) -> Process:
        """Find it running or start it."""

    async def ended(self) -> bool:
        """Told when it ended by itself, before the next start. Returns whether it had worked until then."""

    async def stop(self, process: Process) -> None:
        """End it on purpose, within a few seconds."""


class Keeper:
    """Runs one part and writes its pid into a file. `begin()` once, then `run()` as a task, at the end `stop()`."""

    def __init__(self, part: Part, pid_file: Path) -> None:
        self.part = part
        self._pid_file = pid_file
        self._process: Process | None = None
        self._begun = False

    async def begin(self) -> None:
        """The first start; whatever it raises is the user's to hear."""
        self._process = await self.part.start()
        self._begun = True
        write_pid(self._pid_file, self._process.pid)
        log.info("part_started", part=self.part.name, pid=self._process.pid)

    async def run(self) -> None:
        """For ever: wait for the end, start again, more slowly while that does not help."""
        failures = 0
        while True:
            worked = await self._watch()
            failures = 0 if worked else min(failures + 1, len(_DELAYS) - 1)
            await asyncio.sleep(_DELAYS[failures])
            await self._begin_again()

    async def stop(self) -> None:
        """End the part, if we began it, and forget its pid."""
        if self._process:
            await self.part.stop(self._process)
            self._process = None
            log.info("part_stopped", part=self.part.name)
        if self._begun:
            self._pid_file.unlink(missing_ok=True)

    async def _watch(self) -> bool:
        """Wait for the end of the process, if there is one. Whether the part had worked."""
        if self._process is None:
            return False
        process, code = self._process, await self._process.wait()
        self._process = None
        log.error("part_ended", part=self.part.name, pid=process.pid, code=code)
        return await self.part.ended()

    async def _begin_again(self) -> None:
        try:
            await self.begin()
        except (SetupError, OSError) as error:
            log.error("part_not_started", part=self.part.name, error=str(error))
