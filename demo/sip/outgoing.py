"""A call that a simulated phone makes."""

from __future__ import annotations

import time

from demo.sip import digest, sdp
from demo.sip.audible import SOON
from demo.sip.call import Call, Ending
from demo.sip.dialog import Dialog
from demo.sip.message import Request, Response
from demo.sip.transactions import ClientTransaction
from demo.sip.useragent import NO_ANSWER, UserAgent


class OutgoingCall(Call):
    """`invited_at` is the moment before the first INVITE was sent."""

    def __init__(self, ua: UserAgent, dialog: Dialog, tone: int | None, fields: list[tuple[str, str]]) -> None:
        super().__init__(ua, dialog, tone)
        self.final_status: int | None = None
        self._fields = fields
        self._body = self._local_sdp().render()
        self._cancel_wanted = False
        self._provisional = False
        self._challenged = False
        self._transaction = self._send(self._next_invite())
        self.invited_at = self._transaction.sent_at

    def __str__(self) -> str:
        return f"call to {self.dialog.target}"

    async def final(self, within: float = SOON) -> int:
        """Status of the final response; 408 also when nobody ever answered."""
        return await self._until(lambda: self.final_status, within, "for a final response")

    def cancel(self) -> None:
        """CANCEL now, or as soon as a provisional response allows it (RFC 3261 9.1). A 200 that crosses it
        is acknowledged and ended with BYE."""
        if self.end is None and self.answered_at is None and not self._cancel_wanted:
            self._cancel_wanted = True
            if self._provisional:
                self._send_cancel()

    async def _abandon(self, within: float) -> None:
        self.cancel()
        await self.ended(within)

    def _next_invite(self) -> Request:
        return self.dialog.request("INVITE", body=self._body, fields=self._fields)

    def _send(self, invite: Request) -> ClientTransaction:
        return self.ua.transactions.request(invite, self.dialog.next_hop, self.ua.sent_by, self._on_response)

    def _on_response(self, response: Response | None, at: float) -> None:
        if response is None:
            self._refused(NO_ANSWER, Ending.NO_ANSWER, at)
        elif response.status < 200:
            self._progress(response, at)
        elif response.status < 300:
            self._accepted(response, at)
        elif response.status in (401, 407) and self.ua.credentials and not self._challenged:
            self._authorize(response, self.ua.credentials)
        else:
            how = Ending.CANCEL_SENT if self.cancelled_at else Ending.REJECTED
            self._refused(response.status, how, at)

    def _progress(self, response: Response, at: float) -> None:
        self._provisional = True
        if self._cancel_wanted and self.cancelled_at is None:
            self._send_cancel()
        if response.status == 100 or self.end is not None:
            return
        early = sdp.parse(response.body)
        if early is not None:
            self.media.connect(early)
        self.ringing_at = self.ringing_at or at
        self.changes.notify()

    def _accepted(self, response: Response, at: float) -> None:
        if self.final_status is not None:
            self._acknowledge(response)  # they did not get the first ACK
            return
        self.final_status = response.status
        self.dialog.confirm(response)
        self._acknowledge(response)
        if self.end is not None or self._cancel_wanted:
            self._too_late(at)
            return
        self.answered_at = at
        remote = sdp.parse(response.body)
        if remote is not None:
            self._agree(remote)
        self.changes.notify()

    def _too_late(self, at: float) -> None:
        """The 200 crossed our CANCEL."""
        self.bye_at = time.monotonic()
        bye = self.dialog.request("BYE")
        self.ua.transactions.request(bye, self.dialog.next_hop, self.ua.sent_by, lambda response, at: None)
        if self.end is None:
            self._finish(Ending.CANCEL_SENT, at)

    def _authorize(self, challenge: Response, credentials: tuple[str, str]) -> None:
        self._challenged, self._provisional = True, False
        invite = self._next_invite()
        digest.authorize(invite, challenge, *credentials)
        self._transaction = self._send(invite)

    def _refused(self, status: int, how: Ending, at: float) -> None:
        if self.end is None:
            self.final_status = status
            self._finish(how, at, status)

    def _send_cancel(self) -> None:
        cancel = self._transaction.cancel()
        self.cancelled_at = time.monotonic()
        self.ua.transactions.request_again(cancel, self._transaction.peer, lambda response, at: None)
