"""The audio of one call: sends a tone, silence or digits every 20 ms; hands what comes in to its ear."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from demo.sip import dtmf, g711, rtcp, sdp, srtp, tones
from demo.sip.capture import Capture
from demo.sip.ear import Ear
from demo.sip.errors import MediaEnded
from demo.sip.pacer import TICK, pacer
from demo.sip.udp import Peer, UdpSocket
from demo.sip.waiting import Changes

_HEADER = struct.Struct("!BBHII")
_VERSION_2 = 0x80
_MARKER = 0x80
_NOISE = 13, bytes([70])
"""DegradedMode noise (RFC 3389): its payload type, and one packet of it."""

_REPORT_EVERY = 5.0


@dataclass(frozen=True)
class Quiet:
    """A stream without sound. What is sent all the same, every so many seconds: RTCP `reports`, comfort `noise`."""

    reports: float | None = None
    noise: float | None = None


class RtpStream:
    """Bound to a free port at once; sends from `connect` until `close`."""

    def __init__(self, host: str, *, secure: bool = False) -> None:
        self._socket = UdpSocket(host, 0, self._received)
        self.host, self.port = host, self._socket.port
        self.ear = Ear()
        self.changes = Changes()
        self.digits = ""
        """All digits received so far."""
        self.key = srtp.new_key() if secure else None
        """Ours for SRTP; None: this phone has none."""
        self._srtp: srtp.Srtp | None = None
        self._remote: Peer | None = None
        self._codec, self._dtmf_type = sdp.PCMU, sdp.DTMF
        self._frames: tuple[bytes, ...] = tones.SILENCE
        self._events: deque[tuple[bytes, ...]] = deque()
        self._event_start: int | None = None
        self._sequence = random.getrandbits(15)
        self._ssrc, self._offset = random.getrandbits(32), random.getrandbits(31)
        self._marker = _MARKER
        self._last_event = -1
        self._capture: Capture | None = None
        self._quiet: Quiet | None = None

    def connect(self, remote: sdp.Sdp) -> None:
        """Send there from now on; again after every new offer or answer."""
        self._codec = sdp.PCMU if remote.codec is None else remote.codec
        self._dtmf_type = remote.dtmf if remote.dtmf is not None else sdp.DTMF
        if self._remote is None:
            self.ear.reset_gaps()
        self._remote = (remote.host, remote.port)
        self._encrypt(remote.key)
        pacer().add(self)

    @property
    def encrypted(self) -> bool:
        """Both ways, by keys that were agreed on."""
        return self._srtp is not None

    def _encrypt(self, theirs: str | None) -> None:
        """Agreed on anew only when their key is another: a session remembers which packets it has seen."""
        if theirs is None or self.key is None:
            self._srtp = None
        elif self._srtp is None or self._srtp.theirs != theirs:
            self._srtp = srtp.Srtp(self.key, theirs)

    def play(self, frequency: int | None) -> None:
        """A tone in Hz from the next packet on; None is silence (packets go on)."""
        self._frames = tones.SILENCE if frequency is None else tones.frames(frequency)

    def fall_silent(self, quiet: Quiet) -> None:
        """No packets of sound any more, until `speak`."""
        self._quiet = quiet

    def speak(self) -> None:
        self._quiet = None

    async def dial(self, digits: str, duration: float, gap: float) -> None:
        """Send digits one after the other; done when the last one's end was sent and `gap` has passed."""
        for digit in digits:
            self._events.extend(dtmf.packets(digit, _ticks(duration)))
            self._events.extend([()] * _ticks(gap))
        await self.changes.until(lambda: self._unless_closed(not self._events))

    def press(self, digit: str, duration: float) -> None:
        """Send one digit; nobody waits for it."""
        self.send_events(dtmf.packets(digit, _ticks(duration)))

    def send_events(self, ticks: Iterable[tuple[bytes, ...]]) -> None:
        """Payloads of telephone events, right or wrong, for each 20 ms."""
        self._events.extend(ticks)

    async def receive(self, digits: str) -> None:
        """Until all that was received ends with these."""
        await self.changes.until(lambda: self._unless_closed(self.digits.endswith(digits)))

    def put_down(self) -> None:
        """The receiver lies on the table: from now on nothing is said and nothing heard, but for RTCP every five
        seconds. One of a crowd costs no more than that."""
        pacer().remove(self)
        self._socket.ignore()
        self._report_again()

    def capture(self, path: Path) -> None:
        """From now on keep what is received; the file is written by `close`."""
        self._capture = Capture(path)

    def _report_again(self) -> None:
        if not self._socket.closed:
            self._report()
            asyncio.get_running_loop().call_later(_REPORT_EVERY, self._report_again)

    def _report(self) -> None:
        """Unencrypted: nobody but plain phones sends RTCP here."""
        if self._remote:
            host, port = self._remote
            self._socket.send(rtcp.report(self._ssrc), (host, port + 1))

    def close(self) -> None:
        if not self._socket.closed:
            pacer().remove(self)
            self._socket.close()
            self.ear.close()
            self.changes.notify()
            if self._capture is not None:
                self._capture.close()

    def tick(self, number: int) -> None:
        timestamp = self._offset + number * g711.FRAME
        event = self._events.popleft() if self._events else ()
        if event:
            self._send_event(event, timestamp)
        elif self._quiet:
            self._send_quietly(self._quiet, number, timestamp)
        else:
            self._event_start = None
            frame = self._frames[number % len(self._frames)]
            audio = frame if self._codec == sdp.PCMU else frame.translate(g711.ULAW_TO_ALAW)
            self._send(self._codec, timestamp, audio)
            if not self._events:
                self.changes.notify()

    def _send_quietly(self, quiet: Quiet, number: int, timestamp: int) -> None:
        if quiet.noise and number % _ticks(quiet.noise) == 0:
            kind, payload = _NOISE
            self._send(kind, timestamp, payload)
        if quiet.reports and number % _ticks(quiet.reports) == 0:
            self._report()
        if not self._events:
            self.changes.notify()

    def _send_event(self, payloads: Iterable[bytes], timestamp: int) -> None:
        """All packets of one digit carry the time stamp of its beginning."""
        if self._event_start is None:
            self._event_start, self._marker = timestamp, _MARKER
        for payload in payloads:
            self._send(self._dtmf_type, self._event_start, payload)

    def _send(self, payload_type: int, timestamp: int, payload: bytes) -> None:
        assert self._remote is not None
        self._sequence = (self._sequence + 1) & 0xFFFF
        header = _HEADER.pack(
            _VERSION_2, self._marker | payload_type, self._sequence, timestamp & 0xFFFFFFFF, self._ssrc
        )
        self._marker = 0
        packet = header + payload
        self._socket.send(self._srtp.protect(packet) if self._srtp else packet, self._remote)

    def _received(self, data: bytes, peer: Peer, at: float) -> None:
        """RTCP, which may come to this port from a neighbour's pair, has none of these payload types."""
        data = self._srtp.unprotect(data) if self._srtp else data
        if len(data) <= _HEADER.size:
            return
        flags, kind, _, timestamp, _ = _HEADER.unpack_from(data)
        payload = data[_HEADER.size + 4 * (flags & 0x0F) :]
        match kind & 0x7F:
            case sdp.PCMU:
                self._heard(payload, timestamp, at)
            case sdp.PCMA:
                self._heard(payload.translate(g711.ALAW_TO_ULAW), timestamp, at)
            case self._dtmf_type:
                self.ear.packet(at)
                self._pressed(payload, timestamp)
            case _:
                pass

    def _unless_closed(self, done: bool) -> bool | None:
        if not done and self._socket.closed:
            raise MediaEnded
        return done or None

    def _heard(self, ulaw: bytes, timestamp: int, at: float) -> None:
        self.ear.receive(ulaw, at)
        if self._capture is not None:
            self._capture.add(ulaw, timestamp)

    def _pressed(self, payload: bytes, timestamp: int) -> None:
        event = dtmf.parse(payload)
        if event is not None and timestamp != self._last_event:
            self._last_event = timestamp
            self.digits += event.digit
            self.changes.notify()


def _ticks(seconds: float) -> int:
    return max(1, round(seconds / TICK))
