"""The containers of docker-compose.yml as processes on this machine: its commands and its settings, its secrets in
files, Postgres over TCP with a password. Only addresses, ports and folders are others.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import yaml

from demo.api import Api
from demo.sip.carrier import Carrier
from demo.stage import Stage
from routing.local.asterisk import prompts
from routing.local.install.postgres_binaries import find_or_install
from routing.local.system.ports import Ports, reserved
from routing.local.system.users import POSTGRES, account

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
RINGBACK = (sys.executable, "-m", "routing")


@dataclass
class Parts:
    """Use `async with running(folder)`. `service` is the process of the service, which a test may replace."""

    folder: Path
    ports: Ports
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def postgres_port(self) -> int:
        return self.ports.base + 3

    @property
    def dsn(self) -> str:
        """The database as its owner."""
        return (self.secrets / "owner_url").read_text()

    def environment(self, service: str) -> dict[str, str]:
        """What the container is told, and nothing of our own but where programs are."""
        here = {
            "RINGBACK_ARI_URL": f"http://127.0.0.1:{self.ports.ari}",
            "RINGBACK_AMI_HOST": "127.0.0.1",
            "RINGBACK_AMI_PORT": str(self.ports.ami),
            "RINGBACK_HTTP_HOST": "127.0.0.1",
            "RINGBACK_HTTP_PORT": str(self.ports.http),
            "RINGBACK_DATA_DIR": str(self.folder / "asterisk"),
        }
        told = COMPOSE["services"][service]["environment"]
        defaults = {k: re.sub(r"\$\{\w+:-(.*)\}", r"\1", v) for k, v in told.items()}  # no .env here
        settings = {k: here.get(k, v.replace("/run/secrets", str(self.secrets))) for k, v in defaults.items()}
        ours = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "XDG_CACHE_HOME", "LANG")}
        return {**ours, "PYTHONPATH": str(ROOT), **settings}

    def command(self, service: str) -> list[str]:
        """What the container runs."""
        here = {
            "--carrier": f"sip:127.0.0.1:{self.ports.carrier}",
            "--external-address": "127.0.0.1",
            "--control": "127.0.0.1",
            "--control-net": "127.0.0.1/32",
            "--rtp": "{}-{}".format(*self.ports.rtp),
        }
        told = [str(word).partition("=") for word in COMPOSE["services"][service]["command"]]
        words = [f"{name}={here[name]}" if equals else name for name, equals, _ in told]
        if service == "asterisk":
            words += ["--bind=127.0.0.1", f"--sip-port={self.ports.sip}", f"--tls-port={self.ports.sip_tls}"]
            words += [f"--sounds={self.folder / 'tones'}"]
        return [*RINGBACK, *words]

    def health(self, service: str) -> list[str]:
        """The container's health check."""
        words = COMPOSE["services"][service]["healthcheck"]["test"]
        assert words[:4] == ["CMD", "python", "-m", "routing"]
        return [*RINGBACK, *words[4:]]

    async def start(self, service: str) -> None:
        """Returns when the health check says so."""
        with (self.folder / f"{service}.log").open("ab") as log:
            self.processes[service] = await asyncio.create_subprocess_exec(
                *self.command(service), stdout=log, stderr=log, env=self.environment(service), cwd=self.folder
            )
        code = await self.run(*self.health(service), "--within=30", service=service)
        assert code == 0, (self.folder / f"{service}.log").read_text()[-3000:]

    async def run(self, *words: str, service: str) -> int:
        """A command with that container's settings; its exit code."""
        process = await asyncio.create_subprocess_exec(*words, env=self.environment(service), cwd=self.folder)
        return await asyncio.wait_for(process.wait(), 40)

    async def asked(self, *words: str) -> str:
        """What a command prints that is run in the service's container."""
        process = await asyncio.create_subprocess_exec(
            *RINGBACK, *words, env=self.environment("service"), stdout=subprocess.PIPE, cwd=self.folder
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0
        return out.decode().strip()

    async def stop(self, service: str, number: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(service)
        if process.returncode is None:
            process.send_signal(number)
        await asyncio.wait_for(process.wait(), 15)


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Parts, Stage]]:
    """Everything started in the order that compose keeps; a carrier and the means to make calls."""
    with reserved() as ports:
        parts = Parts(folder, ports)
        prompts.tones(folder / "tones")
        _make_secrets(parts)
        try:
            await _start_postgres(parts)
            assert await parts.run(*parts.command("migrate"), service="migrate") == 0
            await parts.start("asterisk")
            await parts.start("service")
            async with _stage(parts) as stage:
                yield parts, stage
        finally:
            for service in reversed(list(parts.processes)):
                await parts.stop(service, signal.SIGINT if service == "postgres" else signal.SIGTERM)


def _make_secrets(parts: Parts) -> None:
    """By the script; only the port in the addresses of the database is another."""
    subprocess.run([ROOT / "deploy/make-secrets", parts.secrets, "127.0.0.1"], check=True, capture_output=True)
    for url in (parts.secrets / "database_url", parts.secrets / "owner_url"):
        text = url.read_text().replace(":5432/", f":{parts.postgres_port}/")
        url.unlink()
        url.write_text(text)


async def _start_postgres(parts: Parts) -> None:
    """As the official image does it: a cluster with a password, which is read from the secret's file."""
    programs, data, user = find_or_install(lambda line: None), parts.folder / "pgdata", account(POSTGRES)
    identity: dict[str, Any] = {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}
    _make_cluster(parts, programs, data, identity)
    options = [f"--port={parts.postgres_port}", "--listen_addresses=127.0.0.1", "--unix_socket_directories="]
    with (parts.folder / "postgres.log").open("ab") as log:
        parts.processes["postgres"] = await asyncio.create_subprocess_exec(
            *(programs / "postgres", "-D", data, *COMPOSE["services"]["postgres"]["command"][1:], *options),
            stdout=log,
            stderr=log,
            cwd="/",
            **identity,
        )
    await _make_database(parts)


def _make_cluster(parts: Parts, programs: Path, data: Path, identity: dict[str, Any]) -> None:
    data.mkdir(mode=0o700)
    password = parts.folder / "pgpassword"
    shutil.copyfile(parts.secrets / "postgres_password", password)
    if identity:
        os.chown(data, identity["user"], identity["group"])
    words = [programs / "initdb", "-D", data, "-U", "ringback", f"--pwfile={password}"]
    words += COMPOSE["services"]["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    subprocess.run(words, check=True, capture_output=True, cwd="/", **identity)
    password.unlink()


async def _make_database(parts: Parts) -> None:
    url = parts.dsn.rpartition("/")[0] + "/postgres"
    async with asyncio.timeout(20):
        while True:
            try:
                connection = await asyncpg.connect(url)
                break
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.05)
    await connection.execute("CREATE DATABASE ringback")
    await connection.close()


@contextlib.asynccontextmanager
async def _stage(parts: Parts) -> AsyncIterator[Stage]:
    token = await parts.asked("token", "create", "--role", "admin")
    sql = await asyncpg.connect(parts.dsn)
    ports = parts.ports
    carrier = Carrier("127.0.0.1", ports.carrier, asterisk=("127.0.0.1", ports.sip))
    try:
        async with Api(f"http://127.0.0.1:{ports.http}", token) as api, carrier:
            process, log = parts.processes["service"], parts.folder / "service.log"
            async with Stage(parts.folder, ports, api, carrier, sql, process, log) as stage:
                yield stage
    finally:
        await sql.close()
