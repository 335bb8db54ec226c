"""One SIP socket: hands what arrives to the calls it belongs to, and answers what belongs to none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import structlog

from demo.sip import digest
from demo.sip.address import Uri
from demo.sip.dialog import ALLOW, USER_AGENT
from demo.sip.errors import MalformedMessage, SipError
from demo.sip.message import Message, Request, Response, parse, reply
from demo.sip.timers import Timing
from demo.sip.tls import Tls, TlsSocket
from demo.sip.trace import Entry, Trace
from demo.sip.transactions import ServerTransaction, Transactions
from demo.sip.udp import Peer, UdpSocket

log = structlog.get_logger(__name__)
_BUFFER = 4 << 20
NO_ANSWER = 408
_GOOD_BYE = 1.0


class Dialogue(Protocol):
    """What a user agent knows of a call."""

    def handle(self, transaction: ServerTransaction) -> None: ...
    def acknowledged(self, ack: Request) -> None: ...
    def drop(self) -> None: ...
    async def hangup(self, within: float) -> None: ...


class UserAgent:
    """`on_invite` is given the transaction of every new INVITE and the time it arrived."""

    def __init__(
        self,
        host: str,
        port: int,
        on_invite: Callable[[ServerTransaction], None],
        *,
        credentials: tuple[str, str] | None = None,
        timing: Timing | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._socket: UdpSocket | TlsSocket
        if tls:
            self._socket = TlsSocket(host, port, self._received, tls)
        else:
            self._socket = UdpSocket(host, port, self._received, buffer=_BUFFER)
        self.secure = tls is not None
        """Speaks SIP over TLS, and offers and takes SRTP."""
        self.host, self.port = host, self._socket.port
        self.trace = Trace()
        timing = replace(timing or Timing(), reliable=self.secure)
        self.transactions = Transactions(self.send, timing, "TLS" if tls else "UDP")
        self.credentials = credentials
        self._on_invite = on_invite
        self._dialogues: dict[tuple[str, str], Dialogue] = {}

    @property
    def sent_by(self) -> str:
        return f"{self.host}:{self.port}"

    def contact(self, user: str) -> str:
        """Where that user of ours is reached."""
        return f"<{Uri(user, self.host, self.port, {'transport': 'tls'} if self.secure else {})}>"

    def send(self, message: Message, peer: Peer) -> float:
        """When it was sent, on time.monotonic()."""
        data, at = message.render(), time.monotonic()
        self._socket.send(data, peer)
        self.trace.add(Entry(at, True, peer, message))
        return at

    async def ask(
        self, build: Callable[[], Request], peer: Peer, on_success: Callable[[Response], None] | None = None
    ) -> Response:
        """The final response; 408 when none came. Answers one challenge, for which it builds anew.

        `on_success` is called for every 2xx, repeated ones included: an INVITE's must each be acknowledged.
        """
        request = build()
        response = await self._final(request, peer, on_success)
        if response.status in (401, 407) and self.credentials is not None:
            request = build()
            digest.authorize(request, response, *self.credentials)
            response = await self._final(request, peer, on_success)
        return response

    def answer(self, transaction: ServerTransaction, status: int, *, to_tag: str = "") -> None:
        response = reply(transaction.request, status, to_tag=to_tag)
        if transaction.request.method == "OPTIONS":
            response.headers["Allow"] = ALLOW
            response.headers["Accept"] = "application/sdp"
        response.headers["User-Agent"] = USER_AGENT
        transaction.respond(response)

    def add(self, key: tuple[str, str], dialogue: Dialogue) -> None:
        """By Call-ID and our own tag."""
        self._dialogues[key] = dialogue

    def remove(self, key: tuple[str, str]) -> None:
        self._dialogues.pop(key, None)

    async def hang_up_all(self) -> None:
        """The last act of a phone, so a call that does not end properly is only logged."""
        endings = [dialogue.hangup(_GOOD_BYE) for dialogue in self._dialogues.values()]
        for result in await asyncio.gather(*endings, return_exceptions=True):
            if isinstance(result, SipError):
                log.warning("call did not end properly", error=str(result))
            elif isinstance(result, BaseException):
                raise result

    def close(self) -> None:
        """Without a word to anybody, as when the plug is pulled."""
        for dialogue in list(self._dialogues.values()):
            dialogue.drop()
        self.transactions.close()
        self._socket.close()

    async def _final(self, request: Request, peer: Peer, on_success: Callable[[Response], None] | None) -> Response:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def on_response(response: Response | None, at: float) -> None:
            if response is not None and 200 <= response.status < 300 and on_success is not None:
                on_success(response)
            if not future.done() and (response is None or response.status >= 200):
                future.set_result(response or Response(NO_ANSWER, "no answer at all"))

        self.transactions.request(request, peer, self.sent_by, on_response)
        return await future

    def _received(self, data: bytes, peer: Peer, at: float) -> None:
        if not data.strip(b"\r\n\0 "):
            return  # a keep-alive
        try:
            message = parse(data)
        except MalformedMessage as error:
            log.warning("not a sip message", peer=peer, start=str(error))
            return
        self.trace.add(Entry(at, False, peer, message))
        if isinstance(message, Response):
            if not self.transactions.response(message, at):
                log.debug("response to nothing", status=message.status)
        elif message.method == "ACK":
            self._acknowledged(message)
        elif (known := self.transactions.find(message)) is not None:
            known.again()
        else:
            self._requested(self.transactions.begin(message, peer, at))

    def _acknowledged(self, ack: Request) -> None:
        """A refusal's ACK belongs to the transaction, an acceptance's to the call."""
        transaction = self.transactions.find(ack)
        if transaction is not None:
            transaction.acknowledged(ack)
        elif (dialogue := self._dialogues.get((ack.call_id, ack.to.tag))) is not None:
            dialogue.acknowledged(ack)

    def _requested(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        dialogue = self._dialogues.get((request.call_id, request.to.tag))
        if request.method == "CANCEL":
            self._cancelled(transaction)
        elif dialogue is not None:
            dialogue.handle(transaction)
        elif request.to.tag:
            self.answer(transaction, 481)
        elif request.method == "INVITE":
            self._on_invite(transaction)
        elif request.method in ("OPTIONS", "NOTIFY", "MESSAGE"):
            self.answer(transaction, 200)
        else:
            self.answer(transaction, 405)

    def _cancelled(self, cancel: ServerTransaction) -> None:
        invite = self.transactions.find(cancel.request, "INVITE")
        if invite is None:
            self.answer(cancel, 481)
        else:
            self.answer(cancel, 200)
            invite.on_cancel(cancel.at)
