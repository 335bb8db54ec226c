"""Where a request comes from: the other end of the connection, or who a reverse proxy we trust says it is."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

Network = IPv4Network | IPv6Network
FORWARDED = "X-Forwarded-For"


class ClientAddresses:
    """`trusted`: the networks of our own reverse proxies. Nobody else is believed."""

    def __init__(self, trusted: Iterable[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def of(self, request: web.Request) -> str:
        return self.named(request.remote or "", request.headers.getall(FORWARDED, ()))

    def named(self, remote: str, forwarded: Iterable[str]) -> str:
        """The last address that is not a trusted proxy's: each proxy adds at the end whom it was asked by, so what
        stands before that one may be anything."""
        told = [each.strip() for line in forwarded for each in line.split(",")]
        seen = remote
        for each in (remote, *reversed(told)):
            if (address := _read(each)) is None:
                break
            seen = str(address)
            if not self._trusts(address):
                break
        return seen

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
