"""A second Postgres that follows the first and takes over from it. The service is told of both (RINGBACK_DATABASE_URL
with two hosts), and nobody tells it which of them is the primary."""

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import asyncpg

from routing.local.postgres.access import OWNER
from routing.local.postgres.server import Postgres
from routing.local.system.processes import Process
from routing.local.system.users import POSTGRES, account, give
from tests.faults.proxy import Proxy
from tests.faults.rig import Rig, service_dsn, socket_of

_FOLLOWS = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"


@dataclass(frozen=True)
class FollowedPostgres(Postgres):
    """One that lets its owner make a copy and follow; besides that as `up` starts it."""

    def _command(self) -> list[str | Path]:
        hba = self.home / "followed.conf"
        hba.write_text("local all,replication all peer map=ringback\n")
        hba.chmod(0o644)
        return [*super()._command(), f"--hba_file={hba}"]


class Standby:
    """`async with following(rig, …) as standby:`. `line` is what it hears the primary through."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.primary, self._pg = rig.parts.postgres, rig.pg
        home = rig.data_dir / f"{self.primary.home.name}+"
        self.postgres = FollowedPostgres(home, self.primary.bin_dir)
        self.line = Proxy(socket_of(self.primary))
        self.entrance = Proxy(socket_of(self.postgres))
        """Where the service finds it."""
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        await self.line.listen()
        await self.entrance.listen()
        await asyncio.to_thread(self._copy)
        self._process = await self.postgres.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Whichever of the two became the rig's Postgres, or stayed it, goes on."""
        if self._process:
            await self.postgres.stop(self._process)
        for proxy in {self.line, self.entrance, self._pg} - {self._rig.pg}:
            await proxy.__aexit__()

    def _copy(self) -> None:
        user = account(POSTGRES)
        self.postgres.home.mkdir()
        source = f"host=127.0.0.1 port={self.line.port} user={OWNER} sslmode=disable"
        subprocess.run(
            [
                *(self.primary.bin_dir / "pg_basebackup", "--pgdata", self.postgres.data, "--dbname", source),
                *("--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf"),
            ],
            check=True,
            capture_output=True,
        )
        if user:
            give(self.postgres.data, user)

    async def makes_commits_wait(self) -> None:
        """The primary confirms a commit only once the standby has it, too."""
        await self._rig.sql.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await self._rig.sql.execute("SELECT pg_reload_conf()")
        await self._until(self._rig.sql, f"{_FOLLOWS} AND sync_state = 'sync'")

    async def follows(self) -> None:
        await self._until(self._rig.sql, _FOLLOWS)

    async def promote(self) -> float:
        """As whoever watches over them does it; when it took writes, in monotonic seconds. From then on it is the
        rig's Postgres."""
        sql = await asyncpg.connect(self.postgres.dsn)
        assert await sql.fetchval("SELECT pg_promote()"), "not promoted"
        at = time.monotonic()
        self._rig.sql, self._rig.pg = sql, self.entrance
        self._rig.parts.postgres = self.postgres
        assert self._process
        self._rig.parts.running["postgres"], self._process = self._process, None
        return at

    async def _until(self, sql: "asyncpg.Connection[asyncpg.Record]", question: str) -> None:
        async with asyncio.timeout(10):
            while not await sql.fetchval(question):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@asynccontextmanager
async def following(rig: Rig) -> AsyncIterator[Standby]:
    """And the service, started anew, knows both addresses."""
    async with Standby(rig) as standby:
        await standby.follows()
        rig.parts.environment["RINGBACK_DATABASE_URL"] = service_dsn(rig.pg, standby.entrance)
        await rig.end("service", signal.SIGTERM)
        rig.start_service()
        await rig.gets_ready()
        yield standby
