"""Who is where, and what the sides tell each other."""

from dataclasses import dataclass

HERE = "192.168.77.1"
OFFICE, TRUNK, GUESSER, FORGED = "198.51.100.2", "198.51.100.9", "198.51.100.66", "198.51.100.3"
STRANGERS = "10.66.0.0/16"
TRUNK_PORT = 5070
SIP_PASSWORD = "a-sip-secret"
AGENTS = ("1001", "1002")
QUEUE = "600"
CUSTOMERS = "+49151"
"""How the numbers of all who call in begin."""


@dataclass(frozen=True)
class StreamMessage:
    """What the outside has to know. `seconds`: how long the stranger tries."""

    sip: int
    sip_tls: int
    http: int
    rtp_first: int
    rtp_last: int
    token: str
    full: bool
    seconds: float


def stranger(n: int) -> str:
    """One of 65,000 addresses."""
    return f"10.66.{n >> 8}.{n & 255}"
