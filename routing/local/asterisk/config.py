"""Fills in the templates of asterisk-config/ for one instance; their placeholders look like `@SIP@`.

Counterpart: instance.py writes the result into the instance's folder.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from routing.local.system.errors import SetupError

_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")
_SIP_URI = re.compile(r"sips?:(?:[^@\s;,<>\"]+@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?(?:;[\w.=-]+)*")
_EMPTY = ("ccss.conf", "features.conf", "pjproject.conf", "udptl.conf", "websocket_client.conf")
_LOCAL_NETS = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
_ANY = ("0.0.0.0", "::")  # noqa: S104  # compared, not bound


def render(template: str, values: Mapping[str, object]) -> str:
    """Raise KeyError for a placeholder without a value, ValueError for a value that is more than one line."""

    def fill(match: re.Match[str]) -> str:
        value = str(values[match[1]])
        if match[1] != "EXTERNAL" and not value.isprintable():
            raise ValueError(f"the value of {match[0]} has control characters")
        return value.replace(";", r"\;")  # a bare one begins a comment

    return _PLACEHOLDER.sub(fill, template)


def templates() -> dict[str, str]:
    """File name -> content: asterisk-config/*.conf, dialplan/extensions.conf, and what Asterisk wants to exist."""
    root = Path(__file__).parents[3]
    paths = [*sorted((root / "asterisk-config").glob("*.conf")), root / "dialplan/extensions.conf"]
    if len(paths) < 2:
        raise SetupError(f"{root / 'asterisk-config'} is missing: run Ringback from its checkout")
    empty = dict.fromkeys(_EMPTY, "; Empty: Asterisk logs an error where this file is missing.\n")
    return empty | {path.name: path.read_text() for path in paths}


def carrier_host(uri: str) -> str:
    """The address the trunk is recognised by. Raise SetupError unless `uri` is a SIP URI."""
    match = _SIP_URI.fullmatch(uri)
    if match is None:
        raise SetupError(f"the carrier must be a SIP URI such as sip:198.51.100.7:5060, not {uri[:80]!r}")
    return match[1].strip("[]")


def is_encrypted(uri: str) -> bool:
    """Whether this carrier is spoken to over TLS."""
    return uri.lower().startswith("sips:") or ";transport=tls" in uri.lower()


def carrier_contact(uri: str) -> str:
    """`sips:host` as what it comes to here: with `sips:` itself every Contact would have to be one, too."""
    if not uri.lower().startswith("sips:"):
        return uri
    address = uri.partition(":")[2].partition(";")[0]
    port = "" if re.search(r"(\]|^[^\[]*):\d+$", address.rpartition("@")[2]) else ":5061"
    return f"sip:{address}{port};transport=tls"


def external_lines(address: str | None, bind: str = "0.0.0.0") -> str:  # noqa: S104  # compared, not bound
    """What a SIP transport behind NAT needs to know; nothing without an external address.

    Measured: the address in the SDP is replaced only where our own is in a `local_net`, too.
    """
    if address is None:
        return ""
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", address):
        raise SetupError(f"the external address must be an IP address or a host name, not {address[:80]!r}")
    lines = [f"external_media_address = {address}", f"external_signaling_address = {address}"]
    ours = () if bind in _ANY else (f"{bind}/{128 if ':' in bind else 32}",)
    return "\n".join([*lines, *(f"local_net = {net}" for net in (*_LOCAL_NETS, *ours))])


def most_calls(rtp: tuple[int, int], descriptors: int) -> int:
    """How many calls in at once there is room for. A leg needs two RTP ports and five descriptors (measured; Asterisk
    itself has a hundred at most). One leg in four is for agents and for customers who are called back."""
    first, last = rtp
    legs = min((last - first + 1) // 2, (descriptors - 100) // 5)
    return max(1, legs * 3 // 4)


def entity_id(folder: Path) -> str:
    """Stable, different for every instance, in the form of a locally administered MAC address."""
    digest = hashlib.sha256(str(folder).encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
