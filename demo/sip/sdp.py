"""The least of SDP that a telephone needs: one audio stream, PCMU or PCMA, telephone-event, hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PCMU, PCMA, DTMF = 0, 8, 101
AUDIO = (PCMU, PCMA)
_CIPHER = "AES_CM_128_HMAC_SHA1_80"
_RTPMAP = {PCMU: "PCMU/8000", PCMA: "PCMA/8000"}


class Direction(StrEnum):
    """Which way sound flows, seen from the one who wrote the SDP."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


_ANSWER = {
    Direction.SENDONLY: Direction.RECVONLY,
    Direction.RECVONLY: Direction.SENDONLY,
    Direction.INACTIVE: Direction.INACTIVE,
    Direction.SENDRECV: Direction.SENDRECV,
}


@dataclass(frozen=True)
class Sdp:
    host: str
    port: int
    codecs: tuple[int, ...] = AUDIO
    dtmf: int | None = DTMF
    direction: Direction = Direction.SENDRECV
    version: int = 1
    key: str | None = None
    """For SRTP, of its writer."""
    key_tag: str = "1"
    encrypted: bool = False
    """SRTP and nothing else (RTP/SAVP)."""

    @property
    def holds(self) -> bool:
        """Its writer does not want to hear us."""
        return self.direction in (Direction.SENDONLY, Direction.INACTIVE) or self.host == "0.0.0.0"  # noqa: S104 — the old way to hold (RFC 2543), nothing is bound

    @property
    def codec(self) -> int | None:
        """The first that we speak."""
        return next((codec for codec in self.codecs if codec in AUDIO), None)

    def answer(
        self, host: str, port: int, *, version: int = 1, hold: bool = False, key: str | None = None
    ) -> Sdp | None:
        """Our answer to this offer, with SRTP if both have a key; None when there is nothing in common."""
        key = key if self.key else None
        if self.codec is None or (self.encrypted and key is None):
            return None
        direction = _ANSWER[self.direction]
        if hold:
            direction = Direction.INACTIVE if self.holds else Direction.SENDONLY
        return Sdp(host, port, (self.codec,), self.dtmf, direction, version, key, self.key_tag, self.encrypted)

    def render(self) -> bytes:
        types = [*self.codecs, *([self.dtmf] if self.dtmf is not None else [])]
        lines = [
            "v=0",
            f"o=- {self.port} {self.version} IN IP4 {self.host}",
            "s=-",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=audio {self.port} RTP/{'SAVP' if self.encrypted else 'AVP'} {' '.join(map(str, types))}",
            *(f"a=rtpmap:{codec} {_RTPMAP[codec]}" for codec in self.codecs if codec in _RTPMAP),
        ]
        if self.dtmf is not None:
            lines += [f"a=rtpmap:{self.dtmf} telephone-event/8000", f"a=fmtp:{self.dtmf} 0-16"]
        if self.key:
            lines.append(f"a=crypto:{self.key_tag} {_CIPHER} inline:{self.key}")
        lines += ["a=ptime:20", f"a={self.direction}"]
        return "".join(f"{line}\r\n" for line in lines).encode()


def parse(body: bytes) -> Sdp | None:
    """The first audio stream, or None when there is none."""
    session, *media = _sections(body.decode("utf-8", "replace").splitlines())
    audio = next((lines for lines in media if lines[0].startswith("m=audio ")), None)
    if audio is None:
        return None
    fields = audio[0].split()
    if len(fields) < 4 or not fields[1].partition("/")[0].isdigit():
        return None
    dtmf, (tag, key) = _telephone_event(audio), _crypto(audio)
    return Sdp(
        host=_connection(audio) or _connection(session) or "0.0.0.0",  # noqa: S104 — nothing is bound
        port=int(fields[1].partition("/")[0]),
        codecs=tuple(int(number) for number in fields[3:] if number.isdigit() and int(number) != dtmf),
        dtmf=dtmf,
        direction=_direction(audio) or _direction(session) or Direction.SENDRECV,
        key=key,
        key_tag=tag,
        encrypted="SAVP" in fields[2],
    )


def _sections(lines: list[str]) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line.strip())
    return sections


def _connection(lines: list[str]) -> str | None:
    found = next((line for line in lines if line.startswith("c=")), None)
    return found.split()[-1].partition("/")[0] if found else None


def _direction(lines: list[str]) -> Direction | None:
    return next((d for d in Direction if f"a={d}" in lines), None)


def _crypto(lines: list[str]) -> tuple[str, str | None]:
    """Tag and key of the first cipher that we speak (RFC 4568)."""
    for line in lines:
        words = line.removeprefix("a=crypto:").split()
        if line.startswith("a=crypto:") and len(words) > 2 and words[1] == _CIPHER:
            return words[0], words[2].removeprefix("inline:").partition("|")[0]
    return "1", None


def _telephone_event(lines: list[str]) -> int | None:
    for line in lines:
        number, _, coding = line.removeprefix("a=rtpmap:").partition(" ")
        if line.startswith("a=rtpmap:") and coding.lower().startswith("telephone-event/8000") and number.isdigit():
            return int(number)
    return None
