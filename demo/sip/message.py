"""SIP messages as text and as objects. Tolerant of what it reads, strict in what it writes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from demo.sip.address import Address, parse_params
from demo.sip.errors import MalformedMessage
from demo.sip.headers import Headers

REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 410: "Gone", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 484: "Address Incomplete", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
    500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 607: "Unwanted",
}  # fmt: skip


@dataclass
class _Message:
    headers: Headers = field(default_factory=Headers, kw_only=True)
    body: bytes = field(default=b"", kw_only=True)

    @property
    def start_line(self) -> str:
        raise NotImplementedError

    @property
    def call_id(self) -> str:
        return self.headers["Call-ID"]

    @property
    def from_(self) -> Address:
        return Address.parse(self.headers["From"])

    @property
    def to(self) -> Address:
        return Address.parse(self.headers["To"])

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method; (0, "") when unreadable."""
        number, _, method = self.headers["CSeq"].strip().partition(" ")
        return (int(number), method.strip().upper()) if number.isdigit() else (0, "")

    @property
    def branch(self) -> str:
        """Of the topmost Via: names the transaction."""
        vias = self.headers.all("Via")
        return parse_params(vias[0].partition(";")[2]).get("branch", "") if vias else ""

    def render(self) -> bytes:
        self.headers["Content-Length"] = str(len(self.body))
        fields = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        return f"{self.start_line}\r\n{fields}\r\n".encode() + self.body


@dataclass
class Request(_Message):
    method: str
    uri: str

    @property
    def start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0"


@dataclass
class Response(_Message):
    status: int
    reason: str = ""

    @property
    def start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason or REASONS.get(self.status, 'Unknown')}"


Message = Request | Response
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def parse(data: bytes) -> Message:
    """Raises MalformedMessage. A body longer than its Content-Length is cut (RFC 3261 18.3)."""
    head, *rest = _BLANK_LINE.split(data.lstrip(b"\r\n"), maxsplit=1)
    lines, body = _unfold(head.decode("utf-8", "replace")), b"".join(rest)
    message = _start(lines[0])
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            message.headers.add(name.strip(), value.strip())
    length = message.headers["Content-Length"]
    message.body = body[: int(length)] if length.isdigit() else body
    return message


def _unfold(head: str) -> list[str]:
    """A line that starts with white space continues the one before."""
    lines: list[str] = []
    for line in head.split("\n"):
        text = line.rstrip("\r")
        if lines and text[:1] in (" ", "\t"):
            lines[-1] += " " + text.strip()
        else:
            lines.append(text)
    return lines


def _start(line: str) -> Message:
    parts = line.split(" ", 2)
    if parts[0] == "SIP/2.0" and len(parts) > 1 and parts[1].isdigit():
        return Response(int(parts[1]), parts[2] if len(parts) > 2 else "")
    if len(parts) == 3 and parts[2].strip() == "SIP/2.0":
        return Request(parts[0].upper(), parts[1])
    raise MalformedMessage(line[:80])


def reply(request: Request, status: int, *, to_tag: str = "") -> Response:
    """The response to a request, with the fields that RFC 3261 8.2.6 wants copied."""
    response = Response(status)
    for name in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq"):
        for value in request.headers.lines(name):
            response.headers.add(name, value)
    if to_tag and not request.to.tag:
        response.headers["To"] = f"{request.headers['To']};tag={to_tag}"
    return response
