"""A dialog (RFC 3261 12): who talks to whom, by which way, with which numbers."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from demo.sip.address import Address, Uri
from demo.sip.headers import Headers
from demo.sip.message import Request, Response
from demo.sip.udp import Peer

USER_AGENT = "ringback-demo"
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY, REFER"


def new_tag() -> str:
    return secrets.token_hex(5)


@dataclass
class Dialog:
    call_id: str
    local: str
    """Our From value, tag included."""
    remote: str
    """Our To value; without a tag until the other side has answered."""
    contact: str
    target: str
    """The URI we send to: at first the called one, then the other side's Contact."""
    routes: list[str] = field(default_factory=list)
    cseq: int = 0

    @classmethod
    def of_invite(cls, invite: Request, tag: str, contact: str) -> Dialog:
        """As the called side."""
        return cls(
            call_id=invite.call_id,
            local=f"{invite.headers['To']};tag={tag}",
            remote=invite.headers["From"],
            contact=contact,
            target=_contact(invite) or invite.from_.raw_uri,
            routes=invite.headers.all("Record-Route"),
        )

    @property
    def key(self) -> tuple[str, str]:
        return self.call_id, Address.parse(self.local).tag

    def confirm(self, response: Response) -> None:
        """As the calling side: a response with a To tag makes, or renews, the dialog."""
        if not response.to.tag:
            return
        self.remote = response.headers["To"]
        self.target = _contact(response) or self.target
        self.routes = response.headers.all("Record-Route")[::-1]

    def retarget(self, request: Request) -> None:
        """A re-INVITE or UPDATE may move the other side."""
        self.target = _contact(request) or self.target

    def request(
        self,
        method: str,
        *,
        body: bytes = b"",
        fields: Iterable[tuple[str, str]] = (),
        cseq: int | None = None,
    ) -> Request:
        """The next request of this dialog; an ACK is given the CSeq number of its INVITE."""
        if cseq is None:
            self.cseq += 1
        headers = Headers(
            [
                ("Max-Forwards", "70"),
                *(("Route", route) for route in self.routes),
                ("From", self.local),
                ("To", self.remote),
                ("Call-ID", self.call_id),
                ("CSeq", f"{self.cseq if cseq is None else cseq} {method}"),
                ("Contact", self.contact),
                ("Allow", ALLOW),
                ("User-Agent", USER_AGENT),
                *fields,
            ]
        )
        if body and "Content-Type" not in headers:
            headers["Content-Type"] = "application/sdp"
        return Request(method, self.target, headers=headers, body=body)

    @property
    def next_hop(self) -> Peer:
        """The first route, else the target. Loose routing only: nobody routes strictly any more."""
        if self.routes:
            return Address.parse(self.routes[0]).uri.address
        return Uri.parse(self.target).address


def _contact(message: Request | Response) -> str:
    contacts = message.headers.all("Contact")
    return Address.parse(contacts[0]).raw_uri if contacts else ""
