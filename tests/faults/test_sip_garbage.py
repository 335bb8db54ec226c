"""F36: datagrams that only look like SIP, in the manner of RFC 4475, and others. Asterisk lives, calls go on."""

import asyncio
import random
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.calls.desk import hear_each_other, talk
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")

_INVITE = (
    b"INVITE sip:{to}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK{n}\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:nobody@127.0.0.1>;tag=1\r\nTo: <sip:{to}@127.0.0.1>\r\nCall-ID: torture-{n}\r\n"
    b"CSeq: 1 INVITE\r\nContact: <sip:nobody@127.0.0.1:5099>\r\nContent-Length: 0\r\n\r\n"
)
_SWAPS: tuple[tuple[bytes, bytes], ...] = (
    (b"Content-Length: 0", b"Content-Length: 9999"),
    (b"Content-Length: 0", b"Content-Length: -1"),
    (b"Content-Length: 0", b"Content-Length: 99999999999999999999"),
    (b"CSeq: 1 INVITE", b"CSeq: 36893488147419103232 REGISTER"),
    (b"CSeq: 1 INVITE", b"CSeq: 1"),
    (b"Max-Forwards: 70", b"Max-Forwards: 0"),
    (b"Max-Forwards: 70", b"Max-Forwards: 300000000000"),
    (b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"),
    (b"Via: SIP/2.0/UDP", b"Via: SIP / 2.0\r\n /UDP"),
    (b"From: <sip:nobody@127.0.0.1>;tag=1", b'From: "<sip:;;,,@@>'),
    (b"From: <sip:nobody@127.0.0.1>;tag=1", b'From: "' + b"x" * 30000 + b'" <sip:a@b>;tag=1'),
    (b"To: ", b"To: <sip:a@b>\r\nTo: "),
    (b"INVITE sip:", b"INVITE  sip:"),
    (b"INVITE sip:", b"N!wM3th%d sip:"),
    (b"INVITE sip:", b"INVITE tel:%00%ff"),
    (b"Contact: ", b"Contact: *, "),
    (b"\r\n\r\n", b"\r\n"),
    (b"\r\n", b"\n"),
    (b"\r\n", b"\r\n\r\n\r\n"),
    (b"Call-ID: ", b"Call-ID: \xff\xfe\x00"),
    (b"Contact: ", b"Route: <sip:127.0.0.1;lr>, <sip:127.0.0.1;lr>\r\nContact: "),
    (b"CSeq: 1 INVITE", b"CSeq: 1 INVITE\r\nAuthorization: Digest " + b'nonce="",' * 500),
    (b"CSeq: 1 INVITE", b"CSeq: 1 INVITE\r\nContent-Type: application/sdp"),
    (b"Via: ", b"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK;rport;rport=99999\r\nVia: "),
)


def torture(dice: random.Random, rounds: int) -> Iterator[bytes]:
    for n in range(rounds):
        for old, new in _SWAPS:
            yield (
                _INVITE.replace(b"{n}", b"%d" % n)
                .replace(b"{to}", dice.choice([b"600", b"", b"%s%n"]))
                .replace(old, new)
            )
        whole = bytearray(_INVITE)
        for _ in range(dice.randrange(1, 60)):
            whole[dice.randrange(len(whole))] = dice.randrange(256)
        yield bytes(whole)
        yield bytes(whole[: dice.randrange(len(whole))])
        yield dice.randbytes(dice.randrange(0, 1400))
        yield b"\r\n" * dice.randrange(1, 700)
        yield b""


async def test_f36_malformed_sip_harms_nobody(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    going_on = await talk(line)
    asterisk, service = rig.pid("asterisk"), rig.pid("service")
    going_on.back.reset_gaps()
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for datagram in torture(random.Random(4475), len(repeats(20, 400))):
            out.sendto(datagram, ("127.0.0.1", rig.ports.sip))
            sent += 1
            if sent % 20 == 0:
                await asyncio.sleep(0.002)
    await (await line.in_menu(line.caller())).hangup()
    await hear_each_other(going_on.offer, going_on.back)
    figures.note("F36", "silence in a talk meanwhile", going_on.back.gaps.silence, unit="s", limit=1)
    crashed = [part for part, pid in (("asterisk", asterisk), ("service", service)) if rig.pid(part) != pid]
    crashed += [part for part in ("asterisk", "service") if not rig.alive(part)]
    figures.note("F36", f"crashes by {sent} malformed datagrams", len(crashed), limit=0)
    await going_on.back.hangup()
