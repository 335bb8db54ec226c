"""AMI's security events about SIP: who answered a challenge, and whether rightly. Its account of its own
(asterisk-config/manager.conf) lets only these through.

Measured with 22.10.1: a wrong answer is `ChallengeResponseFailed`, also that of a user nobody is (`<unknown>`), and
one to a nonce that was never sent; `ChallengeSent` does not tell the nonce. So these events alone prove nothing.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from dialplan.ami.session import Fields

ACCOUNT = "-firewall"
"""Added to the name of the service's AMI account."""
EVENTS = ("ChallengeResponseFailed", "SuccessfulAuth")
MOST = 100
"""Characters of an account's name, which a stranger chooses; it is stored, shown and logged."""
_ODD = re.compile(r"[^\x21-\x7e]")
_STREAMS = frozenset({"TCP", "TLS", "WS", "WSS"})


@dataclass(frozen=True, slots=True)
class Answered:
    """`nonce`: what the answer is to; empty for a right one, whose nonce Asterisk has checked."""

    address: IPv4Address | IPv6Address
    stream: bool
    port: int
    account: str
    nonce: str


def answered(event: Fields) -> Answered | None:
    """None for what is not about SIP: AMI and ARI have such events, too."""
    if event.get("Service") != "PJSIP":
        return None
    _, transport, address, port = event["RemoteAddress"].split("/")  # IPV4/UDP/192.0.2.1/5060
    account = _ODD.sub("?", event["AccountID"])[:MOST]
    return Answered(_address(address), transport.upper() in _STREAMS, int(port), account, event.get("Challenge", ""))


def _address(text: str) -> IPv4Address | IPv6Address:
    """Where Asterisk listens on `::`, IPv4 comes in as `::ffff:192.0.2.1`."""
    address = ip_address(text.strip("[]").partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
