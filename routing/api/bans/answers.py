"""What clients are told about bans."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Ban:
    """`address` is an IPv4 address or an IPv6 network; `account` whose password was guessed at."""

    address: str
    account: str
    since: datetime
    until: datetime
