"""The composition root: builds every part of the service, lets them run, and lets go of the shard at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog
from aiohttp import web

from dialplan import words
from dialplan.ami.client import AmiWatch, AsteriskState
from dialplan.ari.client import AriClient
from dialplan.ari.connection import AriConnection
from dialplan.ari.errors import AriError
from dialplan.listen import Listener
from dialplan.phones import AsteriskPhones
from dialplan.silence import Silence
from routing.api.app import at_work, create_app, start_site
from routing.core.agents import PhoneState
from routing.core.errors import RingbackError, Unavailable
from routing.core.interaction import Role
from routing.engine.apply_watch import follow
from routing.engine.clock import Clock
from routing.engine.engine import Engine
from routing.engine.lease import Lease
from routing.engine.recovery.sweeping import Sweeper
from routing.local.install.asterisk_package import check_version
from routing.runtime import metrics
from routing.runtime.log import end_without_memory
from routing.runtime.settings import Settings
from routing.store import roles
from routing.store.database import STATEMENT_TIMEOUT, Pool, close, connect
from routing.store.migrate import require_current

log = structlog.get_logger()

API_PATIENCE = 2.0
"""Seconds for one of the API's statements: `unavailable` is to come soon."""
AT_LEISURE = 0.02
"""Seconds between two accounts that Asterisk has already."""
OLDER_AGAIN = 1.0
"""Seconds until those of them that could not be settled are tried again."""
LEASE_PATIENCE = 1.0
"""Seconds for one renewal, which must have failed in time for the next."""


async def serve(settings: Settings) -> None:
    """Run until cancelled, or until another process owns the shard. Calls are left as they are."""
    async with (
        _pool(settings.dsn, size=10) as pool,
        _pool(settings.dsn, size=5, statement_timeout=API_PATIENCE) as api_pool,
        _pool(settings.dsn, size=1, statement_timeout=LEASE_PATIENCE) as lease_pool,
    ):
        await _check_database(pool)
        await _serve(settings, pool, api_pool, Lease(lease_pool, words.APP))


async def _check_database(pool: Pool) -> None:
    """Raises MayTooLittle, SchemaBehind: better now than at somebody's call. Too many rights are told in the log."""
    if await roles.require_enough(pool):
        log.warning("database_role_may_too_much", mend=f"let the service log in to Postgres as {roles.SERVICE}")
    await require_current(pool)


async def _serve(settings: Settings, pool: Pool, api_pool: Pool, lease: Lease) -> None:
    ari = AriClient(
        settings.ari_url.rstrip("/") + "/ari",
        settings.ari_username,
        settings.ari_password.get_secret_value(),
        may_change=lease.may_act,
    )
    try:
        await lease.take()
        phones = AsteriskPhones(ari, settings.trunk)
        engine = Engine(pool, await Clock.of(pool, words.APP), lease, phones)
        service = Service(settings, api_pool, ari, phones, engine)
        try:
            await service.run()
        finally:
            await service.stop()
    finally:
        await ari.close()


@asynccontextmanager
async def _pool(dsn: str, *, size: int, statement_timeout: float = STATEMENT_TIMEOUT) -> AsyncIterator[Pool]:
    """Calls, API and lease have one each: none waits for a connection another holds."""
    pool = await _connect(dsn, size, statement_timeout)
    try:
        yield pool
    finally:
        await close(pool)


async def _connect(dsn: str, size: int, statement_timeout: float) -> Pool:
    """Wait for Postgres: a deployment starts its parts in any order."""
    while True:
        try:
            return await connect(dsn, size=size, statement_timeout=statement_timeout)
        except Unavailable:
            log.warning("waiting for Postgres")
            await asyncio.sleep(0.5)


class Service:
    """The parts and how they hang together."""

    def __init__(
        self, settings: Settings, pool: Pool, ari: AriClient, phones: AsteriskPhones, engine: Engine
    ) -> None:
        self.engine = engine
        self._settings = settings
        self._ari = ari
        self._pool = pool
        self._connection = AriConnection(ari, words.APP, engine.lease)
        self._contact = asyncio.Event()
        self._accounts_there = False
        self._site: web.AppRunner | None = None
        self._listener = Listener(
            self._connection, engine, phones.started, self._in_contact, settings.trunk_number_format
        )
        trunk, phone = settings.trunk_silence, settings.phone_silence
        limits = {Role.CALLER: trunk, Role.CUSTOMER: trunk, Role.AGENT: phone}
        self._silence = Silence(ari, engine, limits, lambda: self._ami.state is AsteriskState.BOOTED)
        self._ami = AmiWatch(
            settings.ami_host,
            settings.ami_port,
            settings.ami_username,
            settings.ami_password.get_secret_value(),
            self._silence.reported,
        )
        engine.add_part("ari", lambda: self._connection.connected and self._listener.ready and self._accounts_there)
        engine.add_part("ami", lambda: self._ami.state is AsteriskState.BOOTED)

    async def run(self) -> None:
        """Every background task of the service, by name. The first that fails ends them all."""
        app = create_app(
            self.engine, self._pool, realm=words.SIP_REALM, trusted_proxies=self._settings.trusted_proxies
        )
        self._site = await start_site(app, self._settings.http_host, self._settings.http_port)
        self._show_drivers()
        async with asyncio.TaskGroup() as group:
            self._start(group, app)

    async def stop(self) -> None:
        """The shard first: a successor does not wait until our clients have gone."""
        await self.engine.stop()
        if self._site:
            await self._site.cleanup()

    def _show_drivers(self) -> None:
        """To Prometheus: how well we hear Asterisk."""
        loop, ari, ami = asyncio.get_running_loop(), self._connection, self._ami
        metrics.ARI_WAITING.set_function(lambda: ari.queue_depth)
        metrics.ARI_ODD.set_function(lambda: ari.odd_events)
        metrics.ARI_SILENT.set_function(lambda: loop.time() - (ari.health.last_heard or 0.0))
        metrics.AMI_SILENT.set_function(lambda: loop.time() - (ami.last_pong or 0.0))
        metrics.ARI_CONNECTS.set_function(lambda: ari.health.connects)
        for state in AsteriskState:
            metrics.AMI_STATE.labels(state=state).set_function(partial(self._ami_is, state))

    def _ami_is(self, state: AsteriskState) -> float:
        return float(self._ami.state is state)

    def _start(self, group: asyncio.TaskGroup, app: web.Application) -> None:
        tasks: dict[str, Awaitable[None]] = {
            "engine": self.engine.run(),
            "api": at_work(app),
            "ari events": self._listen(),
            "ari pool": self._ari.keep_warm(),
            "phones": self._watch_phones(group),
            "accounts": self._keep_accounts(),
            "dead lines": self._silence.watch(),
            "sweep": self._listener.sweep(Sweeper(self.engine)),
            "applied settings": follow(self.engine),
            "loop lag": metrics.watch_loop_lag(),
        }
        for name, task in tasks.items():
            group.create_task(_as_coroutine(task), name=name)

    async def _listen(self) -> None:
        """Raises Fenced or AppReplaced when another process took our application."""
        await self._check_asterisk()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._connection.run(), name="ari connection")
            group.create_task(self._listener.run(), name="ari listener")

    async def _check_asterisk(self) -> None:
        """Refuse an Asterisk with known holes; wait for one that is not up yet."""
        while True:
            try:
                info = await self._ari.asterisk.get_info()
                break
            except AriError as error:
                log.warning("waiting for Asterisk", error=str(error))
                await asyncio.sleep(0.2)
        version = info.system.version if info.system else ""
        check_version(version, allow_old=self._settings.allow_old_asterisk)
        log.info("asterisk found", version=version)

    async def _watch_phones(self, group: asyncio.TaskGroup) -> None:
        def on_phone(agent: str, state: str) -> None:
            group.create_task(self._phone_changed(agent, PhoneState(state)), name="phone changed")

        def on_asterisk(state: AsteriskState, detail: str) -> None:
            log.info("asterisk over AMI", state=state, detail=detail)

        await self._ami.run(on_phone, on_asterisk)

    async def _phone_changed(self, agent: str, state: PhoneState) -> None:
        await _contained(lambda: self.engine.agents.phone_changed(agent, state))

    def _in_contact(self) -> None:
        """Asterisk may be a new one, which knows no agents yet."""
        self._accounts_there = False
        self._contact.set()

    async def _keep_accounts(self) -> None:
        """Settle the agents' SIP accounts after every contact: Asterisk keeps them in memory only."""
        while True:
            await self._contact.wait()
            self._contact.clear()
            try:
                older = await self._settle_missing()
            except RingbackError as error:
                log.warning("accounts not settled now", error=str(error))
                await asyncio.sleep(0.2)
                self._contact.set()
                continue
            self._accounts_there = not self._contact.is_set()
            await self._settle_older(older)

    async def _settle_missing(self) -> list[str]:
        """Asterisk does not ask by itself, or only in a while, how the phones are whose accounts are new to it.
        Returns whose accounts it had."""
        missing, older = await self.engine.agents.accounts()
        try:
            await self.engine.agents.settle_all(missing)
        finally:
            self._ami.new_phones(missing)  # some are there even if others failed
        await self._ami.ask_phones()
        return older

    async def _settle_older(self, agents: list[str]) -> None:
        """They may have been changed while nobody told Asterisk. Nobody waits for this, and calls go first."""
        while agents:
            failed: dict[str, str] = {}
            for agent in agents:
                if self._contact.is_set():
                    return
                try:
                    await self.engine.agents.settle(agent)
                except RingbackError as error:
                    failed[agent] = str(error)
                await asyncio.sleep(AT_LEISURE)
            agents = list(failed)
            if failed:
                log.warning("accounts not settled now", failed=failed)
                with suppress(TimeoutError):
                    async with asyncio.timeout(OLDER_AGAIN):
                        await self._contact.wait()


async def _contained(work: Callable[[], Awaitable[None]]) -> bool:
    """Whether it could be done: Postgres or Asterisk may be away."""
    try:
        await work()
    except RingbackError as error:
        log.warning("not done now", error=str(error))
        return False
    return True


async def _as_coroutine(task: Awaitable[None]) -> None:
    try:
        await task
    except* MemoryError:
        end_without_memory()  # an orderly end might not come to one
