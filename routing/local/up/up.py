"""`ringback up`: Postgres, Asterisk and the service on this machine, started, kept running and ended together.

Postgres and Asterisk outlive an `up` that is killed, calls included; the next one finds them again. The service
dies with it (service.py).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dialplan import words
from routing.local.asterisk import prompts
from routing.local.asterisk.instance import AsteriskInstance
from routing.local.firewall.watch import Guarded, guard_for_ever
from routing.local.install import asterisk_package, postgres_binaries
from routing.local.postgres.database import prepare_database
from routing.local.postgres.server import Postgres
from routing.local.system.credentials import Credentials, load_or_create
from routing.local.system.errors import SetupError
from routing.local.system.logs import keep_small
from routing.local.system.ports import require_free
from routing.local.system.users import SERVICE, account, make_accounts, require_enterable
from routing.local.up.health import Health
from routing.local.up.options import Options, service_environment
from routing.local.up.parts import AsteriskPart, PostgresPart
from routing.local.up.service import ServicePart
from routing.local.up.supervisor import Keeper
from routing.local.up.watchdog import Watchdog


class Up:
    """One system on one data directory, whose lock (`Home.locked`) the caller holds: start(), keep(), stop()."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        """Finds or installs the programs, which may take a minute and raise SetupError. Starts nothing."""
        make_accounts(say)
        self.options = options
        self.home = options.home
        require_enterable(self.home.root, account(SERVICE))
        self.credentials = load_or_create(self.home.credentials)
        self.health = Health(options.api_url)
        self.postgres = Postgres(self.home.postgres, postgres_binaries.find_or_install(say))
        self.keeping: asyncio.Task[None] | None = None
        self.asterisk = _asterisk(options, self.credentials, say)
        self._service = ServicePart(
            self.home,
            service_environment(options, self.credentials, self.postgres.service_dsn),
            self.health,
            self._expire_lease,
            self.home.service_log if options.service_log else None,
        )
        self._keepers = [
            Keeper(part, self.home.pid_file(part.name))
            for part in (PostgresPart(self.postgres), AsteriskPart(self.asterisk), self._service)
        ]

    async def start(self) -> None:
        """Start or find them. The service comes last and is ready when `health.ready` is set, during `keep()`."""
        await self._service.end_predecessor()
        self._require_ports()
        database, asterisk, service = self._keepers
        await _both(database.begin(), asterisk.begin())
        demo = self.options.demo_seed
        await prepare_database(self.postgres, self.home, self.credentials, demo=demo)
        await service.begin()

    async def keep(self) -> None:
        """Watch over them for ever."""
        watchdog = Watchdog(self.options.ari_url, self.credentials.ari, words.APP, self.health)
        async with asyncio.TaskGroup() as group:
            for keeper in self._keepers:
                group.create_task(keeper.run(), name=f"keep-{keeper.part.name}")
            group.create_task(self.health.watch(), name="health")
            group.create_task(watchdog.watch(), name="watchdog")
            logs = (self.postgres.log, self.asterisk.log, self.home.service_log)
            group.create_task(keep_small(logs), name="logs")
            group.create_task(guard_for_ever(self._guarded()), name="firewall")

    async def stop(self) -> None:
        """The service first, so that it takes no call for lost that we end; then the other two at once."""
        database, asterisk, service = self._keepers
        await service.stop()
        await _both(asterisk.stop(), database.stop())

    def _require_ports(self) -> None:
        """They must be free, or be those of the Asterisk we are about to find running. Raise SetupError."""
        record = self.home.addresses
        ours = json.dumps(_addresses(self.options))
        adopted = self.asterisk.adopt()
        if adopted is None:
            self.options.ports.require_free(self.options.bind)
            record.write_text(ours)
            return
        adopted.close()
        if not record.exists() or record.read_text() != ours:
            root = self.home.root
            raise SetupError(f"Asterisk of {root} still runs on other ports: `ringback down --data-dir {root}` first")
        require_free("the HTTP API", self.options.bind, self.options.ports.http)

    async def kept(self) -> None:
        """Wait for ever, or for the error that ended the watching."""
        if self.keeping:
            await self.keeping

    def _guarded(self) -> Guarded:
        ports, ami = self.options.ports, self.credentials.ami
        return Guarded(
            dsn=self.postgres.service_dsn,
            ami_host="127.0.0.1",
            ami_port=ports.ami,
            ami_username=ami.username,
            ami_password=ami.password,
            sip=ports.sip,
            sip_tls=ports.sip_tls,
            carrier=self.options.carrier_uri,
        )

    async def _expire_lease(self, pid: int) -> None:
        from routing.store.shards import expire_lease

        await expire_lease(self.postgres.service_dsn, words.APP, pid)


def _asterisk(options: Options, credentials: Credentials, say: Callable[[str], None]) -> AsteriskInstance:
    binary = asterisk_package.find_or_install(say)
    return AsteriskInstance(
        home=options.home.asterisk,
        binary=binary,
        sounds=options.sounds or prompts.spoken(binary, say, options.home.recordings),
        ports=options.ports,
        ari=credentials.ari,
        ami=credentials.ami,
        carrier=options.carrier_uri,
        bind=options.bind,
        external_address=options.external_address,
        certificate=options.certificate,
        authorities=options.authorities,
    )


def _addresses(options: Options) -> list[object]:
    ports = options.ports
    return [ports.base, *ports.rtp, options.bind, options.external_address, options.carrier_uri]


@asynccontextmanager
async def running(options: Options, say: Callable[[str], None]) -> AsyncIterator[Up]:
    """A whole system, while the body runs. It may not be ready yet: `await up.health.ready.wait()`.

    Raise SetupError when something is missing, in use, or another `up` has the data directory.
    """
    options.home.prepare()
    with options.home.locked():
        up = Up(options, say)
        try:
            await up.start()
            up.keeping = asyncio.create_task(up.keep(), name="up")
            yield up
        finally:
            if up.keeping:
                up.keeping.cancel()
                await asyncio.wait([up.keeping])
            await up.stop()


async def _both(*doings: Awaitable[None]) -> None:
    """Do them at once and to their end; then raise the first error there was."""
    for error in await asyncio.gather(*doings, return_exceptions=True):
        if error is not None:
            raise error
