"""Keeps one phone registered: REGISTER with digest, again before it expires, gone at the end."""

from __future__ import annotations

import asyncio
import secrets
import time

import structlog

from demo.sip.address import Address, Uri
from demo.sip.dialog import Dialog, new_tag
from demo.sip.errors import RegistrationFailed, SipError
from demo.sip.message import Request, Response
from demo.sip.trace import ladder
from demo.sip.udp import Peer
from demo.sip.useragent import UserAgent
from demo.sip.waiting import deadline

log = structlog.get_logger(__name__)
_RETRY = 1.0


class Registration:
    """All REGISTERs of one phone share a Call-ID and count on (RFC 3261 10.2.4)."""

    def __init__(self, ua: UserAgent, user: str, registrar: Peer) -> None:
        aor = f"<{Uri(user, *registrar)}>"
        self._ua, self._registrar, self._user = ua, registrar, user
        self._dialog = Dialog(
            call_id=f"{secrets.token_hex(10)}@{ua.host}",
            local=f"{aor};tag={new_tag()}",
            remote=aor,
            contact=ua.contact(user),
            target=str(Uri("", *registrar)),
        )
        self._refreshing: asyncio.Task[None] | None = None
        self.registered_at: float | None = None
        """time.monotonic() of the last 200; None while not registered."""

    async def register(self, expires: int, within: float) -> None:
        """Raises RegistrationFailed, or SipTimeout when the registrar is silent."""
        self.stop()
        granted = await self._ask(expires, within)
        self._refreshing = asyncio.create_task(self._refresh(granted, within), name=f"register {self._user}")

    async def unregister(self, within: float) -> None:
        self.stop()
        await self._ask(0, within)
        self.registered_at = None

    def stop(self) -> None:
        """No more refreshing; the registrar will forget us by itself."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            self._refreshing = None

    async def _refresh(self, granted: int, within: float) -> None:
        wait, expires = granted / 2, granted
        while True:
            await asyncio.sleep(wait)
            try:
                wait = await self._ask(expires, within) / 2
            except SipError as error:
                log.warning("registration not refreshed", user=self._user, error=str(error))
                wait = _RETRY

    async def _ask(self, expires: int, within: float) -> int:
        """Seconds granted."""

        def build() -> Request:
            return self._dialog.request("REGISTER", fields=[("Expires", str(expires))])

        async with deadline(within, lambda: f"{self._user} not registered\n{self._ladder()}"):
            response = await self._ua.ask(build, self._registrar)
        if response.status != 200:
            self.registered_at = None
            raise RegistrationFailed(f"{self._user}: {response.status}\n{self._ladder()}")
        self.registered_at = time.monotonic()
        return self._granted(response, expires)

    def _granted(self, response: Response, asked: int) -> int:
        """The registrar's word on our contact counts."""
        ours = Address.parse(self._dialog.contact).uri
        for value in response.headers.all("Contact"):
            contact = Address.parse(value)
            if contact.uri.address == ours.address and contact.params.get("expires", "").isdigit():
                return int(contact.params["expires"])
        expires = response.headers["Expires"]
        return int(expires) if expires.isdigit() else asked

    def _ladder(self) -> str:
        return ladder(self._ua.trace.of(self._dialog.call_id))
