"""Watches Asterisk over AMI: which phones are reachable, whether Asterisk is up, its version.

Call control is ARI's: nothing here originates, redirects or hangs up. AMI has the phones because ARI's
device-state subscriptions can deadlock (asterisk issue 2170), and RTCP because ARI does not tell of it. Needs the
module res_manager_devicestate and the rights that asterisk-config/manager.conf gives, which lets only those events
through that are heard here: a call makes some twenty others, which Python would parse for nothing.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import ParamSpec

import structlog

from dialplan.ami.session import AmiLost, AmiRefused, AmiSession, Fields

log = structlog.get_logger(__name__)
PING_EVERY = 2.0
RETRY_LOST = 1.0
RETRY_REFUSED = 10.0
TECHNOLOGY = "PJSIP/"
LOGGED_IN_WITHIN = 2.0
LIST_WITHIN = 2.0
FIRST_ANSWER = 0.1
"""Seconds phones are given to answer before they are taken for lost with the Asterisk that knew them."""


class PhoneState(StrEnum):
    """What an agent's phone can do now; `busy` is any ringing, talking or held call on it."""

    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"
    BUSY = "busy"


class AsteriskState(StrEnum):
    """`refused`: Asterisk is there but does not let us in; somebody must change a configuration."""

    BOOTED = "booted"
    SHUTTING_DOWN = "shutting_down"
    LOST = "lost"
    REFUSED = "refused"


StreamMessage = ParamSpec("StreamMessage")
OnPhone = Callable[[str, PhoneState], None]
OnAsterisk = Callable[[AsteriskState, str], None]
OnReport = Callable[[str], None]


class AmiWatch:
    """Let one task await `run`. What it knows stands in `state`, `version`, `phones`, `last_pong`."""

    def __init__(
        self, host: str, port: int, username: str, secret: str, on_report: OnReport = lambda _leg: None
    ) -> None:
        """`on_report(channel id)` for each RTCP packet from a far end."""
        self._on_report = on_report
        self.state = AsteriskState.LOST
        self.detail = "not connected yet"
        self.version: str | None = None
        self.phones: dict[str, PhoneState] = {}
        self.last_pong: float | None = None
        self._address = (host, port)
        self._login = (username, secret)
        self._listed: set[str] = set()
        self._devices: dict[str, PhoneState] = {}
        self._lost: set[str] = set()
        self._session: AmiSession | None = None
        self._unasked: dict[str, None] = {}
        self._told = asyncio.Event()
        self._complete = asyncio.Event()
        self._looking = asyncio.Lock()
        self._on_phone: OnPhone = lambda _agent, _state: None
        self._on_asterisk: OnAsterisk = lambda _state, _detail: None

    async def run(self, on_phone: OnPhone, on_asterisk: OnAsterisk) -> None:
        """For ever, by cancellation only.

        `on_phone(endpoint, state)` on each change, for every PJSIP endpoint (the trunk, too): one never
        heard of is unreachable. `on_asterisk(state, detail)`: detail is the version when booted, otherwise
        the reason. `booted` comes after each connect, before the phones; while it is lost or refused the
        phones keep their last state.
        """
        self._on_phone, self._on_asterisk = on_phone, on_asterisk
        while True:
            try:
                await self._one_session()
            except AmiRefused as error:
                self._tell(AsteriskState.REFUSED, str(error))
                await asyncio.sleep(RETRY_REFUSED)
            except AmiLost as error:
                self._tell(AsteriskState.LOST, str(error))
                await asyncio.sleep(random.uniform(RETRY_LOST / 2, RETRY_LOST))  # noqa: S311  # jitter

    async def _one_session(self) -> None:
        session = AmiSession(*self._address)
        booted = asyncio.Event()
        session.on("FullyBooted", lambda _: booted.set())
        session.on("Shutdown", self._shutdown)
        session.on("DeviceStateChange", self._device)
        session.on("PeerStatus", self._registration)
        session.on("RTCPReceived", lambda event: self._on_report(event["Uniqueid"]))
        session.on("DeviceStateListComplete", lambda _: self._forget_unlisted())
        try:
            await session.open(*self._login)
            while not await _within(booted.wait(), PING_EVERY):
                await self._ping(session)
            await self._read_state(session)
            self._session = session
            if self._unasked:  # they came while the list was read
                await self._look(session)
            while True:
                await self._pause_and_ping(session)
        finally:
            self._session = None
            await session.close()

    def new_phones(self, endpoints: Iterable[str]) -> None:
        """Asterisk did not know these until now; what we know of them may be of another Asterisk."""
        self._unasked |= dict.fromkeys(endpoints)

    async def ask_phones(self) -> None:
        """Have Asterisk ask the new phones now how they are, as after a start it does so only by and by
        (`qualify_frequency`), and tell of those that answer.

        Returns when that is known, or after a while: where we are not logged in, it is done once we are.
        """
        if not self._unasked and not self._looking.locked():
            return
        self._told.clear()
        if session := self._session:
            try:
                await self._look(session)
            except (AmiLost, AmiRefused) as error:
                log.info("phones not asked", error=str(error))
                await session.close()  # the end of its list may yet come: the next session begins anew
        await _within(self._told.wait(), LOGGED_IN_WITHIN)

    async def _read_state(self, session: AmiSession) -> None:
        settings = await session.ask("CoreSettings")
        self.version = settings["AsteriskVersion"]
        self._tell(AsteriskState.BOOTED, self.version)
        self._lost.clear()
        await self._look(session)

    async def _look(self, session: AmiSession) -> None:
        """How each phone is. Those that were not asked yet are given a moment to answer."""
        async with self._looking:
            unasked, self._unasked = self._unasked, {}
            try:
                await _ask_phones(session, unasked)
                await asyncio.sleep(FIRST_ANSWER if unasked else 0)
                await self._list(session)
            except (AmiLost, AmiRefused):
                self._unasked = unasked | self._unasked
                raise
        if not self._unasked:
            self._told.set()

    async def _list(self, session: AmiSession) -> None:
        """Each entry comes as a DeviceStateChange."""
        self._listed.clear()
        self._complete.clear()
        await session.ask("DeviceStateList")
        if not await _within(self._complete.wait(), LIST_WITHIN):
            raise AmiLost("no end of the list of phones")

    async def _pause_and_ping(self, session: AmiSession) -> None:
        if await session.wait_ended(PING_EVERY):
            raise AmiLost("connection ended")
        await self._ping(session)

    async def _ping(self, session: AmiSession) -> None:
        await session.ask("Ping")
        self.last_pong = asyncio.get_running_loop().time()

    def _device(self, event: Fields) -> None:
        device = event["Device"]
        if device.startswith(TECHNOLOGY):
            endpoint = device.removeprefix(TECHNOLOGY)
            self._listed.add(endpoint)
            self._devices[endpoint] = phone_state(event["State"])
            self._weigh(endpoint)

    def _registration(self, event: Fields) -> None:
        """A phone that is lost while it rings or talks goes on having the state of its call (measured)."""
        endpoint = event["Peer"].removeprefix(TECHNOLOGY)
        if event["PeerStatus"] == "Unreachable":
            self._lost.add(endpoint)
        else:
            self._lost.discard(endpoint)
        self._weigh(endpoint)

    def _weigh(self, endpoint: str) -> None:
        lost = endpoint in self._lost or endpoint not in self._devices
        self._phone(endpoint, PhoneState.UNREACHABLE if lost else self._devices[endpoint])

    def _forget_unlisted(self) -> None:
        """Asterisk started anew: phones it has not heard of are unreachable."""
        for endpoint in self.phones.keys() - self._listed:
            self._devices.pop(endpoint, None)
            self._phone(endpoint, PhoneState.UNREACHABLE)
        self._complete.set()

    def _phone(self, endpoint: str, state: PhoneState) -> None:
        if self.phones.get(endpoint) != state:
            self.phones[endpoint] = state
            log.info("phone", endpoint=endpoint, state=state)
            _contained(self._on_phone, endpoint, state)

    def _shutdown(self, _event: Fields) -> None:
        self._tell(AsteriskState.SHUTTING_DOWN, "Asterisk is shutting down")

    def _tell(self, state: AsteriskState, detail: str) -> None:
        if (state, detail) == (self.state, self.detail):
            return
        self.state, self.detail = state, detail
        log.info("asterisk", state=state, detail=detail)
        _contained(self._on_asterisk, state, detail)


async def _ask_phones(session: AmiSession, endpoints: Iterable[str]) -> None:
    for endpoint in tuple(endpoints):
        try:
            await session.ask("PJSIPQualify", Endpoint=endpoint)
        except AmiRefused as error:
            log.debug("phone not asked", endpoint=endpoint, error=str(error))


async def _within(event: Awaitable[object], seconds: float) -> bool:
    """Whether it happened in time."""
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        return False
    return True


def _contained(
    callback: Callable[StreamMessage, None], *args: StreamMessage.args, **named: StreamMessage.kwargs
) -> None:
    try:
        callback(*args, **named)
    except Exception:
        log.exception("ami listener failed")


def phone_state(device_state: str) -> PhoneState:
    """From the words of AMI's DeviceStateChange; what is unknown must not have a customer dialled for it."""
    match device_state:
        case "NOT_INUSE":
            return PhoneState.REACHABLE
        case "INUSE" | "BUSY" | "RINGING" | "RINGINUSE" | "ONHOLD":
            return PhoneState.BUSY
        case _:
            return PhoneState.UNREACHABLE
