"""An agent's phone: registers with Asterisk, is called, and may call. Its counterpart is the Carrier."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import structlog

from demo.sip.address import Uri
from demo.sip.audible import SOON
from demo.sip.errors import SipError
from demo.sip.incoming import IncomingCall
from demo.sip.line import Line
from demo.sip.outgoing import OutgoingCall
from demo.sip.placing import place
from demo.sip.policy import Policy, ring
from demo.sip.registration import Registration
from demo.sip.timers import Timing
from demo.sip.tls import Tls
from demo.sip.trace import ladder
from demo.sip.transactions import ServerTransaction
from demo.sip.useragent import UserAgent

log = structlog.get_logger(__name__)
_GOOD_BYE = 1.0


class SipAgent(Line):
    """`async with SipAgent("1001", "127.0.0.1", 8090, password) as phone:` — the socket lives in there."""

    def __init__(
        self,
        user: str,
        host: str,
        port: int,
        password: str | None = None,
        *,
        local_host: str = "127.0.0.1",
        local_port: int = 0,
        policy: Policy | None = None,
        tone: int | None = None,
        timing: Timing | None = None,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(user, policy or ring(), tone)
        self.user, self._server, self._password = user, (host, port), password
        self._local, self._timing, self._tls = (local_host, local_port), timing, tls
        self._ua: UserAgent | None = None
        self._registration: Registration | None = None

    async def open(self) -> None:
        credentials = (self.user, self._password) if self._password is not None else None
        self._ua = UserAgent(*self._local, self._invited, credentials=credentials, timing=self._timing, tls=self._tls)
        self._registration = Registration(self._ua, self.user, self._server)

    async def close(self) -> None:
        """Says good-bye: ends its calls and unregisters."""
        if self._ua is None:
            return
        await self.ua.hang_up_all()
        if self.registered:
            try:
                await self.unregister(_GOOD_BYE)
            except SipError as error:
                log.warning("not unregistered", user=self.user, error=str(error))
        self.unplug()

    def unplug(self) -> None:
        """Gone without a word; calls and registration stay behind in Asterisk."""
        if self._registration is not None and self._ua is not None:
            self._registration.stop()
            self._ua.close()
            self._ua = self._registration = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        """After a failure nothing more is awaited, so that nothing hides it."""
        if kind is None:
            await self.close()
        else:
            self.unplug()

    @property
    def ua(self) -> UserAgent:
        assert self._ua is not None, f"phone {self.user} is not open"
        return self._ua

    @property
    def port(self) -> int:
        """The local one."""
        return self.ua.port

    @property
    def registered(self) -> bool:
        return self._registration is not None and self._registration.registered_at is not None

    async def register(self, expires: int = 120, within: float = SOON) -> None:
        """Stays registered until `unregister`, `close` or `unplug`. Raises RegistrationFailed, SipTimeout."""
        assert self._registration is not None, f"phone {self.user} is not open"
        await self._registration.register(expires, within)

    async def unregister(self, within: float = SOON) -> None:
        assert self._registration is not None, f"phone {self.user} is not open"
        await self._registration.unregister(within)

    async def invite(
        self,
        number: str,
        *,
        from_number: str | None = None,
        display: str = "",
        headers: Mapping[str, str] | None = None,
        tone: int | None = None,
    ) -> OutgoingCall:
        """Call a number through Asterisk; the INVITE is sent when this returns."""
        host, port = self._server
        caller = Uri(from_number or self.user, host, port)
        tone = self.tone if tone is None else tone
        return place(self.ua, caller, number, self._server, display=display, headers=headers, tone=tone)

    def trace(self, *, full: bool = False) -> str:
        """The SIP ladder of all its calls, registration and keep-alives included."""
        return ladder(self.ua.trace.all(), full=full)

    def _invited(self, transaction: ServerTransaction) -> None:
        self.take(IncomingCall(self.ua, transaction, self.tone))
