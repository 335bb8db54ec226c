"""Postgres and Asterisk as the supervisor sees them; the service is in service.py."""

import asyncio

import structlog

from routing.local.asterisk import AsteriskInstance
from routing.local.postgres import Postgres
from routing.local.processes import Process

log = structlog.get_logger(__name__)


class PostgresPart:
    name = "postgres"

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def start(self) -> Process:
        if running := self._postgres.adopt():
            log.info("part_adopted", part=self.name, pid=running.pid)
            return running
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

    async def start(self) -> Process:
        if running := self._asterisk.adopt():
            log.info("part_adopted", part=self.name, pid=running.pid)
            return running
        self._asterisk.write_config()
        return await self._asterisk.start()

    async def ended(self) -> bool:
        return True

    async def stop(self, process: Process) -> None:
        await self._asterisk.stop(process)
