"""A call that reaches a simulated phone."""

from __future__ import annotations

import asyncio
import re
import time

from demo.sip import sdp
from demo.sip.address import Address, Uri
from demo.sip.audible import SOON
from demo.sip.call import Call, Ending
from demo.sip.dialog import Dialog, new_tag
from demo.sip.errors import CallFailed
from demo.sip.message import Request
from demo.sip.transactions import ServerTransaction
from demo.sip.useragent import UserAgent


class IncomingCall(Call):
    """`invited_at` is when the INVITE reached the kernel. Answer it by hand or leave it to the policy."""

    def __init__(self, ua: UserAgent, transaction: ServerTransaction, tone: int | None) -> None:
        self.invite: Request = transaction.request
        self.invited_at = transaction.at
        contact = ua.contact(self.to_user)
        super().__init__(ua, Dialog.of_invite(self.invite, new_tag(), contact), tone)
        self.final_status: int | None = None
        self.acked_at: float | None = None
        self.crosses_cancel = False
        """Answer 200 at the very moment a CANCEL arrives, as if both had crossed on the wire."""
        self.next_step: asyncio.TimerHandle | None = None
        """What the policy will do later."""
        self._transaction = transaction
        transaction.on_cancel = self._on_cancel
        transaction.on_ack = self._on_ack

    def __str__(self) -> str:
        return f"call of {self.from_user} to {self.to_user}"

    # The INVITE

    @property
    def from_user(self) -> str:
        return self.invite.from_.uri.user

    @property
    def to_user(self) -> str:
        """Of the request URI: the number that was dialled."""
        return Uri.parse(self.invite.uri).user

    @property
    def asserted_user(self) -> str | None:
        """Of P-Asserted-Identity."""
        value = self.header("P-Asserted-Identity")
        return Address.parse(value).uri.user if value else None

    @property
    def answer_after(self) -> float | None:
        """Seconds, if Call-Info asks the phone to answer by itself."""
        found = re.search(r";\s*answer-after=(\d+)", self.header("Call-Info"))
        return float(found[1]) if found else None

    def header(self, name: str) -> str:
        """The first of that name in the INVITE; "" when there is none."""
        return self.invite.headers[name]

    # Acting on it

    def trying(self) -> None:
        self._say(100)

    def ring(self) -> None:
        self._say(180)
        self._rings()

    def progress(self) -> None:
        """183 with early media: the caller hears our tone before we answer."""
        offer = sdp.parse(self.invite.body)
        body = self._local_sdp() if offer is None else self._answer_sdp(offer)
        self._say(183, body.render() if body else b"")
        if offer is not None:
            self.media.connect(offer)
        self._rings()

    def answer(self) -> float:
        """200; when it was sent. Repeated until the ACK comes. An offer without our codecs gets 488."""
        offer = sdp.parse(self.invite.body)
        body = self._local_sdp() if offer is None else self._answer_sdp(offer)
        if body is None:
            return self.reject(488)
        self.answered_at = self._say(200, body.render())
        if offer is not None:
            self._agree(offer)
        self.changes.notify()
        return self.answered_at

    def reject(self, status: int) -> float:
        """When it was sent."""
        at = self._say(status)
        self._finish(Ending.REJECTED, at, status)
        return at

    async def cancelled(self, within: float = SOON) -> float:
        """When the CANCEL arrived."""
        return await self._until(lambda: self.cancelled_at, within, "for a CANCEL")

    async def acknowledged_at(self, within: float = SOON) -> float:
        """When the ACK of our 200 arrived."""
        return await self._until(lambda: self._unless_ended(self.acked_at), within, "for its ACK")

    async def hangup(self, within: float = SOON) -> None:
        """Never before the ACK: the called side may not (RFC 3261 15)."""
        if self.answered_at is not None and self.end is None:
            await self._until(lambda: self.acked_at or (self.end and self.end.at), within, "for its ACK")
        await super().hangup(within)

    # Inside

    async def _abandon(self, within: float) -> None:
        self.reject(603)

    def _say(self, status: int, body: bytes = b"") -> float:
        """Of the INVITE; raises CallFailed when its last word was spoken already, by a CANCEL maybe."""
        if self.final_status is not None:
            raise CallFailed(f"{self} has got its {self.final_status} already\n{self.trace()}")
        if status >= 200:
            self.final_status = status
        return self._respond(self._transaction, status, body)

    def _rings(self) -> None:
        self.ringing_at = self.ringing_at or time.monotonic()
        self.changes.notify()

    def _on_cancel(self, at: float) -> None:
        self.cancelled_at = at
        if self.end is None and self.answered_at is None:
            if self.crosses_cancel:
                self.answer()
            else:
                self._say(487)
                self._finish(Ending.CANCEL_RECEIVED, at, 487)
        self.changes.notify()

    def _on_ack(self, ack: Request | None) -> None:
        if self.end is not None:
            return
        if ack is None:
            self._finish(Ending.NO_ANSWER, time.monotonic())
            return
        self.acked_at = time.monotonic()
        late_answer = sdp.parse(ack.body)
        if late_answer is not None:
            self._agree(late_answer)
        self.changes.notify()

    def _finish(self, how: Ending, at: float, status: int | None = None) -> None:
        if self.next_step is not None:
            self.next_step.cancel()
        super()._finish(how, at, status)
