"""Hears of wrong answers over AMI, has `routing.core.bans` judge them, stores bans, keeps the rules as the
rows say."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import structlog

from dialplan.ami.session import AmiLost, AmiRefused, AmiSession, Fields
from dialplan.security import ACCOUNT, EVENTS, Answered, answered
from routing.core.bans import BAN, SHUT, Address, Ban, Guesses, Network, Shut, Slow, WrongAnswer, network_of
from routing.core.errors import RingbackError
from routing.local.asterisk.config import carrier_host
from routing.local.firewall.nonces import Nonces, Tap
from routing.local.firewall.table import Table
from routing.local.system.errors import SetupError
from routing.store import bans
from routing.store.database import Pool, close, connect

log = structlog.get_logger(__name__)

LOOK = 0.5
"""Seconds between looks at the rows: a ban that is lifted ends so soon."""
SEEN_AGAIN = 600.0
"""Seconds until a network where a phone has been seen is noted again."""
AGAIN = 5.0
_PING, _RETRY = 2.0, 1.0


class FirewallLost(RingbackError):
    """The rules are not there any more."""

    code = "firewall_lost"


@dataclass(frozen=True)
class Guarded:
    """The Asterisk whose SIP ports are guarded, its AMI, and the database. `carrier` is the trunk's SIP URI."""

    dsn: str
    ami_host: str
    ami_port: int
    ami_username: str
    ami_password: str
    sip: int
    sip_tls: int
    carrier: str


async def guard_for_ever(guarded: Guarded) -> None:
    """As part of `up`, which goes on without it, as it must for whoever is not root, and says why."""
    while True:
        try:
            await guard(guarded)
        except SetupError as error:
            log.warning("nobody is shut out who guesses SIP passwords", why=str(error))
            return
        except RingbackError as error:
            log.warning("firewall_lost", why=str(error))
        except Exception:
            log.exception("firewall_failed")
        await asyncio.sleep(AGAIN)


async def guard(guarded: Guarded) -> None:
    """Until cancelled; then the rules go. Raises SetupError where there are no rights or no nftables, and later
    FirewallLost, for instance when somebody else has flushed all rules."""
    pool = await connect(guarded.dsn, size=2)
    try:
        await _guard(guarded, pool)
    finally:
        await close(pool)


async def _guard(guarded: Guarded, pool: Pool) -> None:
    table = Table(guarded.sip, guarded.sip_tls)
    trunks = await _addresses(carrier_host(guarded.carrier))
    firewall = Firewall(pool, table, trunks)
    tap = firewall.tap = Tap(guarded.sip, firewall.challenged)
    try:
        await table.make(trunks)
        log.info("firewall_ready", ports=[guarded.sip, guarded.sip_tls], trunks=[str(each) for each in trunks])
        await firewall.run(guarded)
    finally:
        tap.close()
        with contextlib.suppress(SetupError):
            await table.remove()


async def _addresses(host: str) -> frozenset[Address]:
    """Asterisk itself knows its trunk by those addresses that the name has when it starts."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        log.warning("the trunk's address is not known", host=host, error=str(error))
        return frozenset()
    return frozenset(ip_address(each[4][0]) for each in found)


class Firewall:
    """`run()` it; what Asterisk sent comes in by `challenged`, what it says by AMI."""

    def __init__(self, pool: Pool, table: Table, trunks: frozenset[Address]) -> None:
        self.tap: Tap | None = None
        self._pool = pool
        self._table = table
        self._trunks = trunks
        self._now: Callable[[], float] = asyncio.get_running_loop().time
        self._guesses = Guesses()
        self._nonces = Nonces()
        self._new: dict[Network, Ban] = {}
        self._seen: dict[Network, float] = {}
        self._to_note: set[Network] = set()
        self._banned: set[Network] = set()
        self._phones: set[Network] = set()
        self._shut: set[Shut] = set()
        self._acting: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()

    async def run(self, guarded: Guarded) -> None:
        """Raises FirewallLost."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_in_step(), name="rules as the rows")
                group.create_task(self._look_after(), name="rules still there")
                group.create_task(self._listen(guarded), name="security events")
        except* SetupError as errors:
            raise FirewallLost(str(errors.exceptions[0])) from None

    # What is heard

    def challenged(self, nonce: str, to: Address) -> None:
        self._nonces.sent(nonce, to, self._now())

    def heard(self, event: Fields) -> None:
        """An event of `dialplan.security`."""
        if (told := answered(event)) is None:
            return
        if event["Event"] == "SuccessfulAuth":
            self._phone(network_of(told.address))
        else:
            self._wrong(told)

    def _phone(self, network: Network) -> None:
        """An agent's phone is there: nobody else in that network is banned."""
        now = self._now()
        if self._seen.get(network, float("-inf")) < now - SEEN_AGAIN:
            self._seen[network] = now
            self._to_note.add(network)
            self._look.set()

    def _wrong(self, told: Answered) -> None:
        now, proved = self._now(), self._proved(told)
        wrong = WrongAnswer(told.address, "tcp" if told.stream else "udp", told.port, told.account, proved)
        match self._guesses.judge(wrong, now, spared=self._spared(told.address)):
            case Ban() as ban if ban.network not in self._banned:  # some were on their way
                self._new[ban.network] = ban
                self._look.set()
            case Slow(network):
                self._act(self._slow(network))
            case Shut() as shut if not self._is_a_trunk(told) and shut not in self._shut:
                self._shut.add(shut)
                asyncio.get_running_loop().call_later(SHUT, self._shut.discard, shut)
                self._act(self._table.shut(shut))
            case _:
                pass

    def _proved(self, told: Answered) -> bool:
        """Nobody who forges a sender sees what we send there, and nobody elsewhere can be this machine."""
        if self.tap:
            self.tap.read()
        sent = self._nonces.was_sent(told.nonce, told.address, self._now())
        return told.stream or told.address.is_loopback or sent

    def _spared(self, address: Address) -> bool:
        return address.is_loopback or address in self._trunks or network_of(address) in self._phones

    def _is_a_trunk(self, told: Answered) -> bool:
        """It answers from the one port its calls come from."""
        return told.address in self._trunks and not told.address.is_loopback

    def _act(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._contained(work))
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    async def _contained(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except SetupError as error:
            log.warning("not shut out", error=str(error))

    async def _slow(self, network: Network) -> None:
        await self._table.put("slowed", [network], BAN)
        log.warning("slowed", network=str(network), seconds=BAN)

    # What is done

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(AGAIN)
            await self._table.check()

    async def _keep_in_step(self) -> None:
        while True:
            self._look.clear()
            await self._store()
            await self._follow()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._look.wait()

    async def _store(self) -> None:
        """Without Postgres a ban holds all the same, as long as we live; it is stored when Postgres is back."""
        new, self._new = self._new, {}
        note, self._to_note = self._to_note, set()
        try:
            if new:
                await bans.ban(self._pool, new.values())
            if note:
                await bans.phones_seen(self._pool, note)
        except RingbackError as error:
            log.warning("not stored", bans=len(new), phones=len(note), error=str(error))
            self._new, self._to_note = new | self._new, note | self._to_note
            await self._enforce(dict.fromkeys(new, BAN))
            await self._know(note)
        for each in new.values():
            log.warning("banned", network=str(each.network), account=each.account, seconds=BAN)

    async def _follow(self) -> None:
        """The rows may have been changed by others: bans are lifted there."""
        try:
            banned, phones = await bans.in_force(self._pool), await bans.phone_networks(self._pool)
        except RingbackError:
            return
        await self._know(phones)
        await self._table.take("phones", self._phones - phones)
        self._phones = phones
        over = self._banned - banned.keys()
        await self._table.take("banned", over)
        await self._table.take("slowed", over)
        self._banned &= banned.keys()
        await self._enforce(banned)

    async def _enforce(self, banned: dict[Network, float]) -> None:
        fresh = {network: left for network, left in banned.items() if network not in self._banned}
        whole = [network for network, left in fresh.items() if left > BAN - 60]
        await self._table.put("banned", whole, BAN)
        for network in fresh.keys() - set(whole):
            await self._table.put("banned", [network], fresh[network])
        self._banned |= fresh.keys()

    async def _know(self, phones: Iterable[Network]) -> None:
        new = set(phones) - self._phones
        await self._table.put("phones", new)
        self._phones |= new

    # AMI

    async def _listen(self, guarded: Guarded) -> None:
        told = ""
        while True:
            session = AmiSession(guarded.ami_host, guarded.ami_port)
            for event in EVENTS:
                session.on(event, self.heard)
            try:
                await self._one_session(session, guarded)
            except (AmiLost, AmiRefused) as error:
                if str(error) != told:
                    log.info("security events not heard", error=(told := str(error)))
            finally:
                await session.close()
            await asyncio.sleep(_RETRY)

    async def _one_session(self, session: AmiSession, guarded: Guarded) -> None:
        await session.open(f"{guarded.ami_username}{ACCOUNT}", guarded.ami_password)
        log.info("firewall hears who guesses")
        while not await session.wait_ended(_PING):
            await session.ask("Ping")
        raise AmiLost("connection ended")
