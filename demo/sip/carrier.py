"""The simulated carrier at the far end of the trunk: every customer's telephone behind one SIP socket."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from demo.sip.address import Uri
from demo.sip.incoming import IncomingCall
from demo.sip.line import InviteSeen, Line
from demo.sip.outgoing import OutgoingCall
from demo.sip.placing import place, place_anonymous
from demo.sip.policy import Policy, reject, ring
from demo.sip.timers import Timing
from demo.sip.tls import Tls
from demo.sip.trace import ladder
from demo.sip.transactions import ServerTransaction
from demo.sip.useragent import UserAgent


class Phone(Line):
    """One customer's telephone: `call` reaches Asterisk through the carrier, its `policy` meets Asterisk's."""

    def __init__(self, carrier: Carrier, number: str, policy: Policy) -> None:
        super().__init__(number, policy, None)
        self.number, self._carrier = number, carrier

    async def call(
        self,
        dialled: str,
        *,
        anonymous: bool = False,
        display: str = "",
        headers: Mapping[str, str] | None = None,
        tone: int | None = None,
    ) -> OutgoingCall:
        """The INVITE is sent when this returns. `anonymous` withholds the number."""
        ua, tone = self._carrier.ua, self.tone if tone is None else tone
        if anonymous:
            return place_anonymous(ua, dialled, self._carrier.asterisk, tone=tone)
        caller = Uri(self.number, ua.host, ua.port)
        return place(ua, caller, dialled, self._carrier.asterisk, display=display, headers=headers, tone=tone)


class Carrier:
    """`async with Carrier("127.0.0.1", 8091, asterisk=("127.0.0.1", 8090)) as carrier:`"""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        asterisk: tuple[str, int],
        timing: Timing | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.asterisk = asterisk
        self.invites: list[InviteSeen] = []
        """Every call from Asterisk since the start, to whatever number."""
        self._unknown = Phone(self, "unknown", reject(404))
        self._phones: dict[str, Phone] = {}
        self._local, self._timing, self._tls = (host, port), timing, tls
        self._ua: UserAgent | None = None

    async def open(self) -> None:
        self._ua = UserAgent(*self._local, self._invited, timing=self._timing, tls=self._tls)

    async def close(self) -> None:
        """Ends all calls first."""
        if self._ua is not None:
            await self._ua.hang_up_all()
            self.unplug()

    def unplug(self) -> None:
        """Gone without a word."""
        if self._ua is not None:
            self._ua.close()
            self._ua = None

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
        assert self._ua is not None, "the carrier is not open"
        return self._ua

    def phone(self, number: str, policy: Policy | None = None, *, tone: int | None = None) -> Phone:
        """The telephone of that number, made when first asked for; it rings unless told otherwise."""
        phone = self._phones.setdefault(number, Phone(self, number, ring()))
        phone.policy = policy or phone.policy
        phone.tone = phone.tone if tone is None else tone
        return phone

    def trace(self, *, full: bool = False) -> str:
        """The SIP ladder of all calls."""
        return ladder(self.ua.trace.all(), full=full)

    def _invited(self, transaction: ServerTransaction) -> None:
        number = Uri.parse(transaction.request.uri).user
        line = self._phones.get(number, self._unknown)
        line.take(IncomingCall(self.ua, transaction, line.tone))
        self.invites.append(line.invites[-1])
