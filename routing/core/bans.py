"""Who guesses SIP passwords, and what is done about it. Pure: told of every wrong answer, and the time.

A ban needs proof that the guesser gets our answers, else a forged sender would have an office banned: `proved`. The
addresses that are `spared` (trunks, this machine, where an agent's phone is registered) are never banned; who
guesses there is told from the phones beside it by the port, and that alone is shut.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

TRIES, WINDOW = 5, 60.0
"""So many wrong answers within so many seconds are guessing."""
BAN = 3600.0
"""Seconds nothing of a guesser is heard."""
SHUT = 600.0
"""Seconds nothing is heard of a guesser's port, where the address is spared."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A wrong answer to a challenge. `protocol` is `udp` or `tcp`; `account` as the guesser gave it."""

    address: Address
    protocol: str
    port: int
    account: str
    proved: bool


@dataclass(frozen=True, slots=True)
class Ban:
    """Nothing from there is heard for BAN seconds."""

    network: Network
    account: str


@dataclass(frozen=True, slots=True)
class Slow:
    """Little from there is heard for BAN seconds: whoever is the sender guesses, and may not be there at all."""

    network: Network


@dataclass(frozen=True, slots=True)
class Shut:
    """Nothing from this port is heard for SHUT seconds."""

    address: Address
    protocol: str
    port: int


Verdict = Ban | Slow | Shut


def network_of(address: Address) -> Network:
    """What one site has of its own: an address, of IPv6 a /64."""
    return ip_network(f"{address}/{32 if address.version == 4 else 64}", strict=False)


class Guesses:
    """Counts them. Remembers no more than 10,000 guessers, those that were heard of last."""

    def __init__(self) -> None:
        self._tries: OrderedDict[tuple[object, ...], tuple[float, ...]] = OrderedDict()

    def judge(self, wrong: WrongAnswer, now: float, *, spared: bool) -> Verdict | None:
        """What is to be done about this one, None while it may be a mistake."""
        network = network_of(wrong.address)
        if spared:
            guessed = wrong.proved and self._count(now, network, wrong.account) >= TRIES
            return Shut(wrong.address, wrong.protocol, wrong.port) if guessed else None
        if self._count(now, network, wrong.proved) < TRIES:
            return None
        del self._tries[network, wrong.proved]
        return Ban(network, wrong.account) if wrong.proved else Slow(network)

    def _count(self, now: float, *key: object) -> int:
        """How many there were within the window, this one included. Of more than TRIES none is needed."""
        recent = [at for at in self._tries.get(key, ()) if at > now - WINDOW]
        self._tries[key] = (*recent, now)[-TRIES:]
        self._tries.move_to_end(key)
        if len(self._tries) > _MOST:
            self._tries.popitem(last=False)
        return len(self._tries[key])
