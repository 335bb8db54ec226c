"""The fault rig: Postgres, Asterisk and `ringback serve`, each behind a proxy that can break, and simulated phones.

It is a `Stage`, so its tests read like the acceptance tests; and every part can be killed, stopped and started.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from demo.api import Api
from demo.sip.carrier import Carrier
from demo.sip.errors import RegistrationFailed
from demo.stage import Stage
from dialplan.words import APP
from routing.local.asterisk.instance import AsteriskInstance
from routing.local.install import asterisk_package, postgres_binaries
from routing.local.postgres.database import prepare_database
from routing.local.postgres.server import Postgres
from routing.local.system.credentials import Credentials, load_or_create
from routing.local.system.home import Home
from routing.local.system.ports import Ports, reserved
from routing.local.system.processes import Process
from routing.local.up.options import Options, service_environment
from routing.local.up.service import spawn_service
from routing.store.shards import expire_lease
from tests.faketime import WallClock
from tests.faults.proxy import Proxy


@dataclass(frozen=True)
class Clocks:
    """Wall clocks that can be set while the rig runs."""

    postgres: WallClock
    service: WallClock


@dataclass(frozen=True)
class ClockedPostgres(Postgres):
    """A Postgres that goes by another wall clock than the machine's."""

    clock: WallClock

    def _command(self) -> list[str | Path]:
        settings = [f"{name}={value}" for name, value in self.clock.environment().items()]
        return ["/usr/bin/env", *settings, *super()._command()]


@dataclass
class Parts:
    """What runs behind the proxies."""

    options: Options
    credentials: Credentials
    postgres: Postgres
    asterisk: AsteriskInstance
    environment: dict[str, str]
    running: dict[str, Process] = field(default_factory=dict)


@dataclass(kw_only=True)
class Rig(Stage):
    """`sql` goes past the proxy; `pg`, `ari` and `ami` are the proxies the service has to go through."""

    parts: Parts
    pg: Proxy
    ari: Proxy
    ami: Proxy

    # Processes

    def process(self, part: str) -> Process:
        """`service`, `asterisk` or `postgres`."""
        return self.parts.running[part]

    def pid(self, part: str) -> int:
        return self.process(part).pid

    def alive(self, part: str) -> bool:
        return part in self.parts.running and self.process(part).alive

    async def alive_or_gone(self, part: str) -> bool:
        """Whether it lives; one that ended by itself is taken note of."""
        if part not in self.parts.running:
            return False
        if self.alive(part):
            return True
        await self.parts.running.pop(part).wait()
        return False

    async def kill(self, part: str) -> int:
        """kill -9. Nobody starts it again. The pid it had."""
        pid = self.pid(part)
        await self.end(part, signal.SIGKILL)
        return pid

    async def succeed(self, dead: int) -> None:
        """Start a service that need not wait for the dead one's lease: as `up` does it."""
        await expire_lease(self.parts.postgres.dsn, APP, dead)
        self.start_service()

    async def end(self, part: str, number: signal.Signals, patience: float = 10) -> int | None:
        """Send a signal and wait for the end; the exit code."""
        process = self.parts.running.pop(part)
        return await process.stop(number, patience=patience)

    def start_service(self, **settings: str) -> None:
        """Start a service. It is ready some time later: `gets_ready()`."""
        self.parts.running["service"] = self.another_service(**settings)

    def another_service(self, **settings: str) -> Process:
        """One more, that is not ours to end: the caller's."""
        environment = {**self.parts.environment, **{f"RINGBACK_{name}": value for name, value in settings.items()}}
        return spawn_service(environment, log_file=self.log, cwd=self.data_dir)

    async def start_asterisk(self) -> None:
        self.parts.running["asterisk"] = await self.parts.asterisk.start()

    async def stop_postgres(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """As `pg_ctl stop -m immediate` does it."""
        await self.sql.close(timeout=1)
        await self.end("postgres", how)

    async def start_postgres(self) -> None:
        self.parts.running["postgres"] = await self.parts.postgres.start()
        self.sql = await asyncpg.connect(self.parts.postgres.dsn)

    # Being well

    async def gets_ready(self, within: float = 20.0) -> float:
        """Seconds until `/readyz` said yes."""
        began = time.monotonic()
        async with asyncio.timeout(within):
            while not await self.ready():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return time.monotonic() - began

    async def heal(self) -> None:
        """Whatever a row did: every part runs, every proxy passes, the service is ready."""
        for proxy in (self.pg, self.ari, self.ami):
            await proxy.heal()
        if not await self.alive_or_gone("postgres"):
            await self.start_postgres()
        if not await self.alive_or_gone("asterisk"):
            await self.start_asterisk()
        if not await self.alive_or_gone("service"):
            self.start_service()
        await self.gets_ready(30)

    async def register_again(self, worker: Any) -> None:
        """After Asterisk was started anew: refused until the account is there again."""

        async def let_in() -> bool:
            with contextlib.suppress(RegistrationFailed):
                await worker.phone.register()
            return bool(worker.phone.registered)

        await self.until(let_in, f"{worker.id}'s phone is let in again", 10)

    # Looking

    async def asked_of_asterisk(self, path: str) -> Any:
        """GET of ARI, past the proxy: `channels`, `bridges`."""
        login = self.parts.credentials.ari
        headers = {"Authorization": aiohttp.encode_basic_auth(login.username, login.password)}
        async with self._http.get(f"{self.parts.asterisk.ari_url}/{path}", headers=headers) as response:
            response.raise_for_status()
            return await response.json()

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels; 0 when it has not been counted yet."""
        async with self._http.get(f"{self.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def log_lines(self, since: int = 0) -> str:
        """What the service logged, from byte `since`."""
        with self.log.open(errors="replace") as log:
            log.seek(since)
            return log.read()

    def __post_init__(self) -> None:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))

    async def leave(self) -> None:
        await super().leave()
        await self._http.close()


@contextlib.asynccontextmanager
async def open_rig(
    data_dir: Path, sounds: Path, clocks: Clocks | None = None, kind: type[Postgres] = Postgres
) -> AsyncIterator[Rig]:
    """Start everything on free ports; stop all of it at the end. Postgres and the service go by `clocks`."""
    with reserved() as ports:
        parts = await _prepare(data_dir, sounds, ports, clocks, kind)
        async with (
            Proxy(socket_of(parts.postgres)) as pg,
            Proxy(("127.0.0.1", ports.ari)) as ari,
            Proxy(("127.0.0.1", ports.ami)) as ami,
        ):
            parts.environment |= {
                "RINGBACK_DATABASE_URL": service_dsn(pg),
                "RINGBACK_ARI_URL": f"http://127.0.0.1:{ari.port}",
                "RINGBACK_AMI_PORT": str(ami.port),
            }
            try:
                async with _on_stage(parts, data_dir, ports, pg, ari, ami) as rig:
                    yield rig
            finally:
                await _stop(parts)


def socket_of(postgres: Postgres) -> Path:
    return postgres.socket_dir / ".s.PGSQL.5432"


def service_dsn(*proxies: Proxy) -> str:
    """Through one of them: the one behind which a Postgres takes writes."""
    hosts = ",".join(f"127.0.0.1:{each.port}" for each in proxies)
    wanted = "&target_session_attrs=primary" if len(proxies) > 1 else ""
    return f"postgresql://ringback_service@{hosts}/ringback?sslmode=disable{wanted}"


async def _prepare(data_dir: Path, sounds: Path, ports: Ports, clocks: Clocks | None, kind: type[Postgres]) -> Parts:
    """Postgres and Asterisk, running; the service's settings."""
    options = Options(data_dir, ports, sounds=sounds, demo_seed=False)
    home = Home(data_dir)
    home.prepare()
    credentials = load_or_create(home.credentials)
    bin_dir = postgres_binaries.find_or_install(print)
    postgres = ClockedPostgres(home.postgres, bin_dir, clocks.postgres) if clocks else kind(home.postgres, bin_dir)
    asterisk = AsteriskInstance(
        home=home.asterisk,
        binary=asterisk_package.find_or_install(print),
        sounds=sounds,
        ports=ports,
        ari=credentials.ari,
        ami=credentials.ami,
        carrier=options.carrier_uri,
    )
    environment = dict(service_environment(options, credentials, postgres.service_dsn))
    environment |= clocks.service.environment() if clocks else {}
    parts = Parts(options, credentials, postgres, asterisk, environment)
    try:
        postgres.prepare()
        parts.running["postgres"] = await postgres.start()
        asterisk.write_config()
        parts.running["asterisk"] = await asterisk.start()
        await prepare_database(postgres, home, credentials, demo=False)
    except BaseException:
        await _stop(parts)
        raise
    return parts


@contextlib.asynccontextmanager
async def _on_stage(
    parts: Parts, data_dir: Path, ports: Ports, pg: Proxy, ari: Proxy, ami: Proxy
) -> AsyncIterator[Rig]:
    token = (data_dir / "admin.token").read_text().strip()
    log = data_dir / "service.log"
    log.touch()
    up = None  # no supervisor: what dies stays dead
    sql = await asyncpg.connect(parts.postgres.dsn)
    carrier = Carrier("127.0.0.1", ports.carrier, asterisk=("127.0.0.1", ports.sip))
    async with Api(f"http://127.0.0.1:{ports.http}", token) as api, carrier:
        rig = Rig(data_dir, ports, api, carrier, sql, up, log, parts=parts, pg=pg, ari=ari, ami=ami)  # type: ignore[arg-type]
        rig.start_service()
        async with rig:
            try:
                await rig.gets_ready(30)
                yield rig
            finally:
                await rig.sql.close(timeout=1)


async def _stop(parts: Parts) -> None:
    """The service first, so that it takes no call for lost that we end."""
    patience = {"service": (signal.SIGTERM, 5.0), "asterisk": (signal.SIGTERM, 4.0), "postgres": (signal.SIGINT, 3.0)}
    for name, (number, seconds) in patience.items():
        if process := parts.running.pop(name, None):
            process.send(signal.SIGCONT)
            await process.stop(number, patience=seconds)
