"""The transaction layer (RFC 3261 17): who asked what, what was answered, what must be sent again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from demo.sip.headers import Headers
from demo.sip.message import Message, Request, Response
from demo.sip.timers import Repeater, Timing
from demo.sip.udp import Peer

Send = Callable[[Message, Peer], float]
OnResponse = Callable[[Response | None, float], None]
_COOKIE = "z9hG4bK"


class ClientTransaction:
    """Sends a request until it is answered. `on_response(None, …)` says that nobody did."""

    def __init__(self, layer: Transactions, request: Request, peer: Peer, on_response: OnResponse) -> None:
        self.request, self.peer = request, peer
        self._layer, self._on_response = layer, on_response
        self._final: int | None = None
        invite = request.method == "INVITE"
        self.sent_at = layer.send(request, peer)
        self._repeater = Repeater(
            layer.timing,
            again=lambda: layer.send(request, peer),
            given_up=self._given_up,
            longest=layer.timing.give_up if invite else None,
        )

    def receive(self, response: Response, at: float) -> None:
        if response.status < 200:
            self._provisional()
        else:
            self._repeater.stop()
            if response.status >= 300 and self.request.method == "INVITE":
                self._layer.send(self._ack(response), self.peer)
            if self._final is not None and response.status >= 300:
                return  # retransmitted: the ACK above is all it needs. A 2xx again is the call's to ACK.
            if self._final is None:
                self._layer.forget_later(self)
            self._final = response.status
        self._on_response(response, at)

    def cancel(self) -> Request:
        """The CANCEL that belongs to this INVITE: same branch, same CSeq number (RFC 3261 9.1)."""
        return self._sibling("CANCEL", self.request.headers["To"])

    def stop(self) -> None:
        self._repeater.stop()

    def _provisional(self) -> None:
        if self.request.method == "INVITE":
            self._repeater.stop()
        else:
            self._repeater.slow_down(self._layer.timing.t2)

    def _given_up(self) -> None:
        self._layer.forget(self)
        self._on_response(None, self._layer.loop.time())

    def _ack(self, response: Response) -> Request:
        return self._sibling("ACK", response.headers["To"])

    def _sibling(self, method: str, to: str) -> Request:
        mine = self.request.headers
        headers = Headers([("Via", mine.lines("Via")[0])])
        for route in mine.lines("Route"):
            headers.add("Route", route)
        for name in ("From", "Call-ID", "Max-Forwards"):
            headers.add(name, mine[name])
        headers.add("To", to)
        headers.add("CSeq", f"{self.request.cseq[0]} {method}")
        return Request(method, self.request.uri, headers=headers)


class ServerTransaction:
    """Remembers what was answered, to answer the same again; repeats the final answer to an INVITE until ACK."""

    def __init__(self, layer: Transactions, request: Request, peer: Peer, at: float) -> None:
        self.request, self.peer, self.at = request, peer, at
        self._layer = layer
        self._last: Response | None = None
        self._repeater: Repeater | None = None
        self.on_ack: Callable[[Request | None], None] = lambda ack: None
        """Told the ACK of our final response, or None when it never came."""
        self.on_cancel: Callable[[float], None] = lambda at: None
        """Told when a CANCEL for this INVITE arrived."""

    @property
    def final_sent(self) -> bool:
        return self._last is not None and self._last.status >= 200

    def respond(self, response: Response) -> float:
        """When it was sent."""
        assert not self.final_sent, f"already answered with {self._last}"
        self._last = response
        at = self._layer.send(response, self.peer)
        if response.status >= 200:
            self._layer.forget_later(self)
            if self.request.method == "INVITE":
                self._repeater = Repeater(self._layer.timing, self.again, self._never_acked)
        return at

    def again(self) -> None:
        """The request came again: so does our last word."""
        if self._last is not None:
            self._layer.send(self._last, self.peer)

    def acknowledged(self, ack: Request | None) -> None:
        """The first ACK counts; later ones are retransmissions."""
        if self._repeater is not None:
            self._repeater.stop()
            self._repeater = None
            self.on_ack(ack)

    def stop(self) -> None:
        if self._repeater is not None:
            self._repeater.stop()

    def _never_acked(self) -> None:
        self.acknowledged(None)


class Transactions:
    """All transactions of one socket."""

    def __init__(self, send: Send, timing: Timing, transport: str = "UDP") -> None:
        self.send, self.timing, self._transport = send, timing, transport
        self.loop = asyncio.get_running_loop()
        self._client: dict[tuple[str, str], ClientTransaction] = {}
        self._server: dict[tuple[str, str, str], ServerTransaction] = {}
        self._forgetting: set[asyncio.TimerHandle] = set()

    def request(self, request: Request, peer: Peer, sent_by: str, on_response: OnResponse) -> ClientTransaction:
        """Sends it under a new branch."""
        _add_via(request, sent_by, self._transport)
        return self.request_again(request, peer, on_response)

    def request_again(self, request: Request, peer: Peer, on_response: OnResponse) -> ClientTransaction:
        """Sends it under the branch it has: a CANCEL under its INVITE's."""
        transaction = ClientTransaction(self, request, peer, on_response)
        self._client[request.branch, request.method] = transaction
        return transaction

    def send_once(self, ack: Request, peer: Peer, sent_by: str) -> None:
        """The ACK of a 2xx is in no transaction: it is sent again when the 2xx is."""
        _add_via(ack, sent_by, self._transport)
        self.send(ack, peer)

    def response(self, response: Response, at: float) -> bool:
        """False when nobody asked."""
        transaction = self._client.get((response.branch, response.cseq[1]))
        if transaction is not None:
            transaction.receive(response, at)
        return transaction is not None

    def find(self, request: Request, method: str = "") -> ServerTransaction | None:
        return self._server.get(_server_key(request, method or request.method))

    def begin(self, request: Request, peer: Peer, at: float) -> ServerTransaction:
        transaction = ServerTransaction(self, request, peer, at)
        self._server[_server_key(request, request.method)] = transaction
        return transaction

    def forget(self, transaction: ClientTransaction | ServerTransaction) -> None:
        request = transaction.request
        if isinstance(transaction, ClientTransaction):
            self._client.pop((request.branch, request.method), None)
        else:
            self._server.pop(_server_key(request, request.method), None)

    def forget_later(self, transaction: ClientTransaction | ServerTransaction) -> None:
        """Retransmissions of the other side may still be under way."""

        def forget() -> None:
            self._forgetting.discard(timer)
            self.forget(transaction)

        timer = self.loop.call_later(self.timing.give_up, forget)
        self._forgetting.add(timer)

    def close(self) -> None:
        for timer in self._forgetting:
            timer.cancel()
        for client in self._client.values():
            client.stop()
        for server in self._server.values():
            server.stop()
        self._client.clear()
        self._server.clear()


def _add_via(request: Request, sent_by: str, transport: str) -> None:
    branch = _COOKIE + secrets.token_hex(8)
    request.headers = Headers([("Via", f"SIP/2.0/{transport} {sent_by};rport;branch={branch}"), *request.headers])


def _server_key(request: Request, method: str) -> tuple[str, str, str]:
    """RFC 3261 17.2.3; an ACK to a refusal has the branch of its INVITE."""
    vias = request.headers.all("Via")
    sent_by = vias[0].partition(";")[0].split()[-1] if vias else ""
    return request.branch, sent_by, "INVITE" if method == "ACK" else method
