"""Which challenges were sent to whom, as the firewall reads it from the wire."""

import asyncio
import socket
import struct
from ipaddress import ip_address

import pytest

from routing.core.bans import Address
from routing.local.firewall.nonces import KEPT, Nonces, Tap, challenge
from routing.local.system.errors import SetupError

HERE, THERE = ip_address("192.0.2.1"), ip_address("198.51.100.7")
SAID = (
    b"SIP/2.0 401 Unauthorized\r\nCall-ID: 1\r\n"
    b'WWW-Authenticate: Digest realm="ringback",nonce="1795731467/c3bb44e9",opaque="6c",algorithm=MD5\r\n\r\n'
)


def test_a_nonce_is_good_for_the_address_it_was_sent_to_and_for_a_minute() -> None:
    nonces = Nonces()
    nonces.sent("n", THERE, 100.0)
    assert nonces.was_sent("n", THERE, 100.0 + KEPT - 1)
    assert not nonces.was_sent("n", THERE, 100.0 + KEPT)
    assert not nonces.was_sent("n", HERE, 100.0)
    assert not nonces.was_sent("made up", THERE, 100.0)


def test_a_flood_of_challenges_costs_bounded_memory_and_the_last_ones_are_known() -> None:
    nonces = Nonces()
    for n in range(60_000):
        nonces.sent(str(n), THERE, 1.0)
    assert len(nonces._at) == 50_000
    assert nonces.was_sent("59999", THERE, 1.0) and not nonces.was_sent("0", THERE, 1.0)


def test_the_challenge_is_found_in_a_packet_of_either_version() -> None:
    udp = struct.pack("!HHHH", 5060, 40000, 8 + len(SAID), 0)
    v4 = bytes((0x45,)) + bytes(11) + HERE.packed + THERE.packed + udp + SAID
    six = ip_address("2001:db8::7")
    v6 = bytes((0x60,)) + bytes(7) + ip_address("2001:db8::1").packed + six.packed + udp + SAID
    assert challenge(v4) == ("1795731467/c3bb44e9", THERE)
    assert challenge(v6) == ("1795731467/c3bb44e9", six)
    assert challenge(v4.replace(b"nonce", b"other")) is None


@pytest.mark.parametrize("local", ["127.0.0.1", "::1"])
async def test_of_all_that_is_on_the_wire_only_challenges_from_the_sip_port_are_heard(local: str) -> None:
    """The packets of this machine's own loopback; whoever may not read them has no firewall."""
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    heard: asyncio.Queue[tuple[str, Address]] = asyncio.Queue()
    with socket.socket(family, socket.SOCK_DGRAM) as sip, socket.socket(family, socket.SOCK_DGRAM) as other:
        for each in (sip, other):
            each.bind((local, 0))
        port = sip.getsockname()[1]
        try:
            tap = Tap(port, lambda nonce, to: heard.put_nowait((nonce, to)))
        except SetupError as error:
            assert "NET_RAW" in str(error)
            return
        try:
            other.sendto(SAID, (local, 9))  # from another port
            other.sendto(SAID, sip.getsockname())  # to the SIP port: anybody may send us that
            sip.sendto(SAID.replace(b" 401 ", b" 200 "), other.getsockname())
            sip.sendto(b"REGISTER " + SAID, other.getsockname())
            sip.sendto(SAID.replace(b"c3bb44e9", b"ours"), other.getsockname())
            assert await asyncio.wait_for(heard.get(), 5) == ("1795731467/ours", ip_address(local))
            assert heard.empty()
        finally:
            tap.close()
