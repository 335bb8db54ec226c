"""Which ports one Ringback uses on this machine, all counted from its port base (docs/first-call.md)."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace

from routing.local.system.errors import SetupError

_HIGHEST_OFFSET = 819
_SPACING = 1000
_BASES = range(11000, 32000, _SPACING)  # below Linux' ephemeral ports, where any client may sit


@dataclass(frozen=True)
class Ports:
    """`rtp` is the first and last port of the range; `carrier` is where the simulated carrier listens."""

    base: int
    http: int
    ari: int
    ami: int
    sip: int
    carrier: int
    sip_tls: int
    rtp: tuple[int, int]

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """Raise SetupError when the base leaves no room for all of them."""
        if not 1 <= base <= 65535 - _HIGHEST_OFFSET:
            raise SetupError(f"the port base must be 1 to {65535 - _HIGHEST_OFFSET}, not {base}")
        return cls(base, base, base + 1, base + 2, base + 10, base + 11, base + 12, (base + 20, base + 819))

    def with_rtp(self, first: int, last: int) -> "Ports":
        return replace(self, rtp=(first, last))

    def require_free(self, address: str) -> None:
        """Raise SetupError naming the first port that somebody else uses."""
        uses = (
            ("the HTTP API", self.http, socket.SOCK_STREAM),
            ("Asterisk's HTTP", self.ari, socket.SOCK_STREAM),
            ("AMI", self.ami, socket.SOCK_STREAM),
            ("SIP", self.sip, socket.SOCK_STREAM),
            ("SIP", self.sip, socket.SOCK_DGRAM),
            ("SIP over TLS", self.sip_tls, socket.SOCK_STREAM),
        )
        for what, port, kind in uses:
            require_free(what, address, port, kind)


def require_free(what: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> None:
    """Raise SetupError unless this port can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise SetupError(_explain(what, address, port, kind, error)) from None


def _explain(what: str, address: str, port: int, kind: int, error: OSError) -> str:
    protocol = "udp" if kind == socket.SOCK_DGRAM else "tcp"
    if error.errno == errno.EADDRINUSE:
        return f"port {port}/{protocol} ({what}) is in use: stop what uses it or choose another --port-base"
    return f"cannot use {address} port {port}/{protocol} ({what}): {error.strerror}"


@contextlib.contextmanager
def reserved() -> Iterator[Ports]:
    """Ports that are free now and that no other `reserved()` on this machine gets until we leave."""
    for base in _from(os.getpid() % len(_BASES)):
        with _claim(base) as claimed:
            ports = Ports.from_base(base)
            if claimed and _all_free(ports):
                yield ports
                return
    raise SetupError(f"no {_HIGHEST_OFFSET + 1} free ports in a row from any of {_BASES.start} … {_BASES[-1]}")


@contextlib.contextmanager
def _claim(base: int) -> Iterator[bool]:
    """A name in the kernel's abstract namespace: it goes when its holder does, however that ends."""
    with socket.socket(socket.AF_UNIX) as name:
        try:
            name.bind(f"\0ringback-ports-{base}")
        except OSError:
            yield False
        else:
            yield True


def _all_free(ports: Ports) -> bool:
    try:
        ports.require_free("127.0.0.1")
        require_free("carrier", "127.0.0.1", ports.carrier, socket.SOCK_DGRAM)
    except SetupError:
        return False
    return True


def _from(first: int) -> list[int]:
    """All bases, beginning in the middle, so that two who start together rarely try the same."""
    return [*_BASES[first:], *_BASES[:first]]
