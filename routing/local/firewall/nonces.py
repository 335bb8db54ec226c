"""Which nonces Asterisk sent to whom: read from the wire, as no event of Asterisk tells.

Only datagrams that leave this machine from the SIP port and begin with `SIP/2.0 401` reach us: the kernel filters.
Who comes over TCP has proved by the handshake that our packets arrive.
"""

import asyncio
import ctypes
import re
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from routing.core.bans import Address
from routing.local.system.errors import SetupError

KEPT = 64.0
"""Seconds a nonce is remembered: twice as long as Asterisk takes an answer to it (`nonce_lifetime`)."""
_MOST = 50_000
_BUFFER = 4 << 20
_NONCE = re.compile(rb'nonce="([^"]+)"')
_ETH_P_ALL, _SO_ATTACH_FILTER, _OUTGOING = 3, 26, 4  # linux/if_ether.h, asm-generic/socket.h, linux/if_packet.h
_PKTTYPE = 0xFFFFF004  # SKF_AD_OFF + SKF_AD_PKTTYPE (linux/filter.h)
_LD, _LDH, _LDB, _LDX_MSH, _LD_IND, _LDH_IND = 0x20, 0x28, 0x30, 0xB1, 0x40, 0x48
_AND, _JEQ, _JSET, _RET, _DROP = 0x54, 0x15, 0x45, 0x06, -1
_UDP, _SIP, _401 = 17, int.from_bytes(b"SIP/"), int.from_bytes(b"401 ")
_Step = tuple[int, int, int, int]
"""Code, steps to skip when it holds, when it does not, value (linux/bpf_common.h)."""


class Nonces:
    """What was sent to an address: told by `sent`, asked by `was_sent`."""

    def __init__(self) -> None:
        self._at: OrderedDict[tuple[str, Address], float] = OrderedDict()

    def sent(self, nonce: str, to: Address, now: float) -> None:
        self._at[nonce, to] = now
        self._at.move_to_end((nonce, to))
        if len(self._at) > _MOST:
            self._at.popitem(last=False)

    def was_sent(self, nonce: str, to: Address, now: float) -> bool:
        return self._at.get((nonce, to), float("-inf")) > now - KEPT


class Tap:
    """Reads the wire as long as it is open. Raises SetupError where that is not allowed."""

    def __init__(self, port: int, on_nonce: Callable[[str, Address], None]) -> None:
        self._on_nonce = on_nonce
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        except PermissionError:
            raise SetupError("the firewall needs the capability NET_RAW") from None
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._filter(_program(port))
        while self._packet():
            pass  # they came before the filter
        asyncio.get_running_loop().add_reader(self._socket, self.read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _filter(self, program: list[_Step]) -> None:
        steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
        told = struct.pack("HL", len(program), ctypes.addressof(steps))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, told)

    def read(self) -> None:
        """What has come until now. Whoever is about to ask for a nonce calls this first, as an answer to it may be
        told of sooner than we are of it."""
        while packet := self._packet():
            if found := challenge(packet):
                self._on_nonce(*found)

    def _packet(self) -> bytes:
        """The next one; b"" when there is none."""
        try:
            return self._socket.recv(4096)
        except OSError:
            return b""


def challenge(packet: bytes) -> tuple[str, Address] | None:
    """The nonce in a 401 and to whom it goes, out of an IP packet the filter has let pass."""
    match = _NONCE.search(packet)
    if match is None:
        return None
    to: Address = IPv4Address(packet[16:20]) if packet[0] >> 4 == 4 else IPv6Address(packet[24:40])
    return match[1].decode(errors="replace"), to


def _program(port: int) -> list[_Step]:
    """For the kernel's packet filter. What does not hold leads to the last step, which drops the packet."""
    keep: _Step = (_RET, 0, 0, 0xFFFF)
    outgoing: list[_Step] = [(_LD, 0, 0, _PKTTYPE), (_JEQ, 0, _DROP, _OUTGOING)]
    v4: list[_Step] = [
        *((_LDB, 0, 0, 9), (_JEQ, 0, _DROP, _UDP)),
        *((_LDH, 0, 0, 6), (_JSET, _DROP, 0, 0x1FFF)),  # no fragment but the first
        *((_LDX_MSH, 0, 0, 0), (_LDH_IND, 0, 0, 0), (_JEQ, 0, _DROP, port)),
        *((_LD_IND, 0, 0, 8), (_JEQ, 0, _DROP, _SIP), (_LD_IND, 0, 0, 16), (_JEQ, 0, _DROP, _401)),
        keep,
    ]
    v6: list[_Step] = [
        *((_LDB, 0, 0, 6), (_JEQ, 0, _DROP, _UDP)),
        *((_LDH, 0, 0, 40), (_JEQ, 0, _DROP, port)),
        *((_LD, 0, 0, 48), (_JEQ, 0, _DROP, _SIP), (_LD, 0, 0, 56), (_JEQ, 0, _DROP, _401)),
        keep,
    ]
    version: list[_Step] = [(_LDB, 0, 0, 0), (_AND, 0, 0, 0xF0), (_JEQ, 0, len(v4), 0x40)]
    steps = [*outgoing, *version, *v4, (_JEQ, 0, _DROP, 0x60), *v6, (_RET, 0, 0, 0)]
    last = len(steps) - 1
    return [(code, _to(last, at, yes), _to(last, at, no), value) for at, (code, yes, no, value) in enumerate(steps)]


def _to(last: int, at: int, steps: int) -> int:
    return last - at - 1 if steps == _DROP else steps
