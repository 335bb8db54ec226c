"""The table of rules.nft in the kernel: made, changed, looked after, removed."""

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path
from string import Template

from routing.core.bans import SHUT, Address, Network, Shut
from routing.local.system.errors import SetupError

FROM_STRANGERS = 20
"""Packets a second from one address (a /64) where no agent's phone is."""
FROM_PHONES = 200
"""From one where some are: an office that comes back after a power cut."""
FROM_DOUBTFUL = 1
"""From one that seems to guess but has not proved to be there."""
ALL_STRANGERS = 500
"""From all strangers together: a flood with forged senders leaves the trunk and known phones what they need."""
CONNECTIONS = 50
"""New TCP connections a second from all strangers together; Asterisk closes them after 32 s without a request."""

_RULES = Template((Path(__file__).parent / "rules.nft").read_text())
_SITE = "ffff:ffff:ffff:ffff::"


def find() -> str | None:
    """The program `nft`, which is seldom on an ordinary user's PATH."""
    return shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")


class Table:
    """The one of an Asterisk with these SIP ports. Every method raises SetupError when nftables refuses."""

    def __init__(self, sip: int, sip_tls: int) -> None:
        self._name = f"ringback_{sip}"
        self._ports = (sip, sip_tls)

    async def make(self, trunks: Iterable[Address]) -> None:
        """Anew, in one step; one that was left behind goes."""
        trunks = tuple(trunks)
        await _nft(
            _RULES.substitute(
                name=self._name,
                ports=", ".join(map(str, self._ports)),
                site=_SITE,
                trunks4=_elements(each for each in trunks if each.version == 4),
                trunks6=_elements(each for each in trunks if each.version == 6),
                strangers=FROM_STRANGERS,
                burst=5 * FROM_STRANGERS,
                phones=FROM_PHONES,
                office=5 * FROM_PHONES,
                doubtful=FROM_DOUBTFUL,
                all=ALL_STRANGERS,
                connections=CONNECTIONS,
            )
        )

    async def remove(self) -> None:
        await _nft(f"add table inet {self._name}\ndelete table inet {self._name}\n")

    async def check(self) -> None:
        """That the rules are there still."""
        await _nft(f"list chain inet {self._name} sip\n")

    async def put(self, kind: str, networks: Iterable[Network], seconds: float | None = None) -> None:
        """Into the set of this kind: `banned`, `slowed` or `phones`; of the first two for so many seconds."""
        timeout = "" if seconds is None else f" timeout {max(1, round(seconds))}s"
        await _nft("".join(self._element("add", kind, each, timeout) for each in networks))

    async def take(self, kind: str, networks: Iterable[Network]) -> None:
        """Out of it. One that is gone by itself meanwhile is no error: it is put there before."""
        await _nft("".join(self._element(verb, kind, each) for each in networks for verb in ("add", "delete")))

    async def shut(self, each: Shut) -> None:
        flow = f"{each.address} . {each.protocol} . {each.port} timeout {SHUT:.0f}s"
        await _nft(f"add element inet {self._name} shut{each.address.version} {{ {flow} }}\n")

    def _element(self, verb: str, kind: str, network: Network, timeout: str = "") -> str:
        address = network.network_address
        return f"{verb} element inet {self._name} {kind}{network.version} {{ {address}{timeout} }}\n"


def _elements(addresses: Iterable[Address]) -> str:
    listed = ", ".join(map(str, addresses))
    return f"elements = {{ {listed} }}" if listed else ""


async def _nft(commands: str) -> None:
    if not commands:
        return
    program = find()
    if program is None:
        raise SetupError("nftables is missing: run `apt-get install nftables` as root")
    pipe = asyncio.subprocess.PIPE
    nft = await asyncio.create_subprocess_exec(program, "-f", "-", stdin=pipe, stdout=pipe, stderr=pipe)
    _, told = await nft.communicate(commands.encode())
    if nft.returncode:
        raise SetupError(f"nft: {told.decode(errors='replace').strip().splitlines()[0]}")
