"""One machine that runs Ringback as it was at commit 420f5e4, and then today's, on the same data directory.

The old version is a zip of its packages; today's Python and packages are enough for it. Its `ringback up` makes the
database and configures Asterisk, which keeps that configuration as long as it runs.
"""

import asyncio
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from demo import stage
from demo.stage import Stage
from routing.local.postgres.server import Postgres
from routing.local.system.home import Home
from routing.local.system.ports import Ports
from routing.local.system.processes import Process

OLD = Path(__file__).with_name("420f5e4.zip")
"""`git archive --format=zip -9 420f5e4 routing ivr dialplan asterisk-config ':!routing/api/swagger'`"""
_RINGBACK = (sys.executable, "-P", "-m", "routing")  # -P: the code is not looked for where we happen to be


@dataclass
class Machine:
    home: Path
    ports: Ports
    sounds: Path
    up: asyncio.subprocess.Process = field(init=False)

    @property
    def data_dir(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        """Of the new version alone."""
        return self.home / "new.log"

    @property
    def _up(self) -> tuple[str, ...]:
        where = ("--data-dir", str(self.data_dir), "--port-base", str(self.ports.base))
        return (*_RINGBACK, "up", *where, "--sounds", str(self.sounds), "--seed", "none")

    async def start_old(self) -> Path:
        """Its log."""
        with zipfile.ZipFile(OLD) as archive:
            archive.extractall(self.home / "old")
        log = self.home / "old.log"
        self.up = await stage.start(self._up, log, {**os.environ, "PYTHONPATH": str(self.home / "old")})
        await stage.until_ready(self.up, self.ports, log)
        return log

    async def end_old(self, service: Process, how: signal.Signals) -> None:
        """Asterisk and Postgres stay. `up` would start another service, and is stopped before; it is killed in the
        end, as at SIGTERM it ends all calls."""
        if how is signal.SIGTERM:
            self.up.send_signal(signal.SIGSTOP)
            service.send(how)
            await service.wait()
        self.up.kill()  # the service, should it live, dies with it
        await self.up.wait()
        await service.wait()

    async def ringback(self, *words: str) -> str:
        """What today's command prints."""
        command = (*_RINGBACK, *words, "--data-dir", str(self.data_dir))
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, output.decode()
        return output.decode().strip()

    async def start_new(self, on: Stage) -> None:
        """Its Postgres is another process, so the test's own connection ends."""
        self.up = on.up = await stage.start(self._up, self.log)
        await stage.until_ready(self.up, self.ports, self.log)
        on.log = self.log
        await on.sql.close(timeout=1)
        on.sql = await asyncpg.connect(Postgres(Home(self.data_dir).postgres, Path()).dsn)
