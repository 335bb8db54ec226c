"""Placing a call: the first INVITE's addresses and headers."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from demo.sip.address import Uri
from demo.sip.dialog import Dialog, new_tag
from demo.sip.outgoing import OutgoingCall
from demo.sip.udp import Peer
from demo.sip.useragent import UserAgent

ANONYMOUS = Uri("anonymous", "anonymous.invalid")


def place(
    ua: UserAgent,
    caller: Uri,
    number: str,
    at: Peer,
    *,
    display: str = "",
    headers: Mapping[str, str] | None = None,
    tone: int | None = None,
) -> OutgoingCall:
    """INVITE sip:number@at, sent before this returns."""
    target = str(Uri(number, *at, {"transport": "tls"} if ua.secure else {}))
    quoted = display.replace("\\", r"\\").replace('"', r"\"")
    name = f'"{quoted}" ' if display else ""
    dialog = Dialog(
        call_id=f"{secrets.token_hex(10)}@{ua.host}",
        local=f"{name}<{caller}>;tag={new_tag()}",
        remote=f"<{target}>",
        contact=ua.contact(caller.user),
        target=target,
    )
    return OutgoingCall(ua, dialog, tone, list((headers or {}).items()))


def place_anonymous(ua: UserAgent, number: str, at: Peer, *, tone: int | None = None) -> OutgoingCall:
    """As a carrier hands over a caller who withholds the number (RFC 3323)."""
    headers = {"Privacy": "id"}
    return place(ua, ANONYMOUS, number, at, display="Anonymous", headers=headers, tone=tone)
