"""One call of a simulated phone, whoever began it: sound, hold, hang-up, and waiting for all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar

from demo.sip import sdp
from demo.sip.audible import SOON, Audible
from demo.sip.dialog import USER_AGENT, Dialog
from demo.sip.errors import CallFailed
from demo.sip.message import Request, Response, reply
from demo.sip.sdp import Direction, Sdp
from demo.sip.trace import Entry, ladder
from demo.sip.transactions import ServerTransaction
from demo.sip.useragent import UserAgent
from demo.sip.waiting import Changes, deadline

T = TypeVar("T")


class Ending(StrEnum):
    """How a call ended, seen from this phone."""

    BYE_SENT = "bye_sent"
    BYE_RECEIVED = "bye_received"
    CANCEL_SENT = "cancel_sent"
    CANCEL_RECEIVED = "cancel_received"
    REJECTED = "rejected"
    NO_ANSWER = "no_answer"
    DROPPED = "dropped"


@dataclass(frozen=True)
class End:
    at: float
    how: Ending
    status: int | None = None
    """Of the refusal, if it was one."""


class Call(Audible):
    """Times are time.monotonic(), or None while it has not happened."""

    def __init__(self, ua: UserAgent, dialog: Dialog, tone: int | None) -> None:
        super().__init__(ua.host, tone, secure=ua.secure)
        self.ua, self.dialog = ua, dialog
        self.changes = Changes()
        self.ringing_at: float | None = None
        self.answered_at: float | None = None
        self.cancelled_at: float | None = None
        self.bye_at: float | None = None
        self.end: End | None = None
        self.holding = False
        """We put them on hold."""
        self.on_hold = False
        """They put us on hold."""
        self._transferred: int | None = None
        self._unacknowledged: ServerTransaction | None = None
        """The last 2xx that we sent to an INVITE; repeats until its ACK."""
        self._sdp_version = 0
        ua.add(dialog.key, self)

    # What happened, and waiting for it

    @property
    def call_id(self) -> str:
        return self.dialog.call_id

    @property
    def messages(self) -> list[Entry]:
        """Every datagram of this call, in order."""
        return self.ua.trace.of(self.call_id)

    def trace(self, *, full: bool = False) -> str:
        """The SIP ladder."""
        return ladder(self.messages, full=full)

    async def ringing(self, within: float = SOON) -> float:
        """When 180 or 183 came, or was sent."""
        return await self._until(lambda: self._unless_ended(self.ringing_at), within, "to ring")

    async def answered(self, within: float = SOON) -> float:
        """When 200 came, or was sent. Raises CallFailed as soon as it cannot happen any more."""
        return await self._until(lambda: self._unless_ended(self.answered_at), within, "to be answered")

    async def ended(self, within: float = SOON) -> End:
        return await self._until(lambda: self.end, within, "to end")

    async def held(self, within: float = SOON) -> None:
        """They put us on hold."""
        await self._until(lambda: self.on_hold or None, within, "to be put on hold")

    async def retrieved(self, within: float = SOON) -> None:
        await self._until(lambda: None if self.on_hold else True, within, "to be taken off hold")

    # Acting

    async def hangup(self, within: float = SOON) -> None:
        """Whatever ends it now: BYE, CANCEL or a refusal. Returns when the other side has taken note."""
        if self.end is not None:
            return
        if self.answered_at is None:
            await self._abandon(within)
            return
        self.bye_at = time.monotonic()
        self._finish(Ending.BYE_SENT, self.bye_at)
        async with deadline(within, lambda: f"{self}: BYE was not answered\n{self.trace()}"):
            await self.ua.ask(lambda: self.dialog.request("BYE"), self.dialog.next_hop)

    async def hold(self) -> None:
        await self._reinvite(Direction.INACTIVE if self.on_hold else Direction.SENDONLY)
        self.holding = True

    async def only_listen(self, *, reports: float | None = None) -> None:
        """Tell the other side that nothing will be said here (recvonly), and say nothing but RTCP."""
        await self._reinvite(Direction.RECVONLY)
        self.fall_silent(reports=reports)

    async def retrieve(self) -> None:
        await self._reinvite(Direction.RECVONLY if self.on_hold else Direction.SENDRECV)
        self.holding = False

    async def refer(self, uri: str, within: float = SOON) -> int:
        """Ask the other side to call `uri` instead of us (blind transfer). The status of its refusal, or the
        final one that it reports by NOTIFY (RFC 3515)."""
        fields = [("Refer-To", f"<{uri}>"), ("Referred-By", self.dialog.contact)]
        self._transferred = None

        def build() -> Request:
            return self.dialog.request("REFER", fields=fields)

        response = await self.ua.ask(build, self.dialog.next_hop)
        if response.status >= 300:
            return response.status
        return await self._until(lambda: self._transferred, within, "for the outcome of a transfer")

    async def request(
        self, method: str, *, body: bytes = b"", fields: Iterable[tuple[str, str]] = (), within: float = SOON
    ) -> int:
        """Send a request inside this call; the status it is answered with. `fields` name the body's Content-Type."""
        asked = tuple(fields)
        async with deadline(within, lambda: f"{self}: {method} was not answered\n{self.trace()}"):
            build = partial(self.dialog.request, method, body=body, fields=asked)
            return (await self.ua.ask(build, self.dialog.next_hop)).status

    def drop(self) -> None:
        """End here only, without telling the other side."""
        if self.end is None:
            self._finish(Ending.DROPPED, time.monotonic())

    # What the user agent hands over

    def handle(self, transaction: ServerTransaction) -> None:
        """A request within the dialog."""
        request = transaction.request
        match request.method:
            case "BYE":
                self.bye_at = transaction.at
                self._respond(transaction, 200)
                self._finish(Ending.BYE_RECEIVED, transaction.at)
            case "INVITE" | "UPDATE":
                self._renegotiate(transaction)
            case "REFER":
                self._respond(transaction, 603)
            case "NOTIFY":
                self._respond(transaction, 200)
                self._notified(request.body)
            case "INFO" | "OPTIONS" | "MESSAGE":
                self._respond(transaction, 200)
            case _:
                self._respond(transaction, 405)

    def acknowledged(self, ack: Request) -> None:
        """The other side has our 2xx."""
        if self._unacknowledged is not None:
            self._unacknowledged.acknowledged(ack)

    # Inside

    async def _abandon(self, within: float) -> None:
        raise NotImplementedError

    def _respond(self, transaction: ServerTransaction, status: int, body: bytes = b"") -> float:
        """With what makes or keeps a dialog; when it was sent."""
        response = reply(transaction.request, status, to_tag=self.dialog.key[1] if status > 100 else "")
        response.headers["Contact"] = self.dialog.contact
        response.headers["User-Agent"] = USER_AGENT
        if body:
            response.headers["Content-Type"] = "application/sdp"
            response.body = body
        if transaction.request.method == "INVITE" and 200 <= status < 300:
            self._unacknowledged = transaction
        return transaction.respond(response)

    def _notified(self, fragment: bytes) -> None:
        """`SIP/2.0 200 OK`: how the call to which we referred them went."""
        status = fragment.removeprefix(b"SIP/2.0 ")[:3]
        if status.isdigit() and int(status) >= 200:
            self._transferred = int(status)
            self.changes.notify()

    def _renegotiate(self, transaction: ServerTransaction) -> None:
        """A re-INVITE or UPDATE: hold, retrieve, or new addresses. Without an offer it gets ours."""
        self.dialog.retarget(transaction.request)
        offer = sdp.parse(transaction.request.body)
        if offer is None:
            invite = transaction.request.method == "INVITE"
            self._respond(transaction, 200, self._local_sdp().render() if invite else b"")
            return
        answer = self._answer_sdp(offer)
        if answer is None:
            self._respond(transaction, 488)
            return
        self._respond(transaction, 200, answer.render())
        self._agree(offer)

    def _agree(self, remote: Sdp) -> None:
        self.media.connect(remote)
        self.on_hold = remote.holds
        self.changes.notify()

    def _local_sdp(self, direction: Direction = Direction.SENDRECV) -> Sdp:
        self._sdp_version += 1
        key = self.media.key
        return Sdp(
            *(self.media.host, self.media.port),
            direction=direction,
            version=self._sdp_version,
            key=key,
            encrypted=key is not None,
        )

    def _answer_sdp(self, offer: Sdp) -> Sdp | None:
        self._sdp_version += 1
        media = self.media
        return offer.answer(media.host, media.port, version=self._sdp_version, hold=self.holding, key=media.key)

    async def _reinvite(self, direction: Direction) -> None:
        body = self._local_sdp(direction).render()

        def build() -> Request:
            return self.dialog.request("INVITE", body=body)

        response = await self.ua.ask(build, self.dialog.next_hop, self._acknowledge)
        if response.status >= 300:
            raise CallFailed(f"{self}: re-INVITE refused with {response.status}\n{self.trace()}")
        self.dialog.confirm(response)

    def _acknowledge(self, response: Response) -> None:
        """Of a 2xx: straight to the other side, outside of any transaction (RFC 3261 13.2.2.4)."""
        ack = self.dialog.request("ACK", cseq=response.cseq[0])
        self.ua.transactions.send_once(ack, self.dialog.next_hop, self.ua.sent_by)

    def _finish(self, how: Ending, at: float, status: int | None = None) -> None:
        self.end = End(at, how, status)
        if self._media is not None:
            self._media.close()
        self.ua.remove(self.dialog.key)
        self.changes.notify()

    async def _until(self, value: Callable[[], T | None], within: float, what: str) -> T:
        async with deadline(within, lambda: f"{self} waited {what}\n{self.trace()}"):
            return await self.changes.until(value)

    def _refuse_when_over(self) -> None:
        self._unless_ended(None)

    def _unless_ended(self, at: float | None) -> float | None:
        if at is None and self.end is not None:
            status = f" {self.end.status}" if self.end.status else ""
            raise CallFailed(f"{self} ended: {self.end.how}{status}\n{self.trace()}")
        return at
