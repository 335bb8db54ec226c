"""Postgres and Asterisk as the supervisor sees them; the service is in service.py."""

import asyncio
import signal

import structlog

from routing.local.asterisk.instance import AsteriskInstance
from routing.local.postgres.server import Postgres
from routing.local.system.processes import Process
from routing.local.up.heartbeat import until_hung

log = structlog.get_logger(__name__)


class PostgresPart:
    name = "postgres"

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def start(self) -> Process:
        if running := self._postgres.adopt_as_now():
            log.info("part_adopted", part=self.name, pid=running.pid)
            return running
        if other := self._postgres.adopt():
            log.warning("part_replaced", part=self.name, pid=other.pid, why="started by another version of Ringback")
            await self._postgres.stop(other)
        await asyncio.to_thread(self._postgres.prepare)
        return await self._postgres.start()

    async def ended(self) -> bool:
        return True  # start() returns only a server that has answered

    async def stop(self, process: Process) -> None:
        await self._postgres.stop(process)


class AsteriskPart:
    name = "asterisk"

    def __init__(self, asterisk: AsteriskInstance) -> None:
        self._asterisk = asterisk
        self._guard: asyncio.Task[None] | None = None

    async def start(self) -> Process:
        process = await self._find_or_start()
        self._guard = asyncio.create_task(self._end_when_hung(process), name="asterisk-guard")
        return process

    async def ended(self) -> bool:
        self._leave_alone()
        return True

    async def stop(self, process: Process) -> None:
        self._leave_alone()
        await self._asterisk.stop(process)

    async def _find_or_start(self) -> Process:
        if running := self._asterisk.adopt():
            log.info("part_adopted", part=self.name, pid=running.pid)
            return running
        self._asterisk.write_config()
        return await self._asterisk.start()

    async def _end_when_hung(self, process: Process) -> None:
        """Its calls are lost either way: nobody in them hears anything, and nobody can be let in."""
        await until_hung(self._asterisk.ari_url, self._asterisk.ari)
        log.error("asterisk_hung", pid=process.pid)
        process.send(signal.SIGKILL)

    def _leave_alone(self) -> None:
        if self._guard:
            self._guard.cancel()
