"""SIP URIs and the addresses of From, To, Contact, Route."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from demo.sip.headers import split_outside_quotes

DEFAULT_PORT = 5060
_URI = re.compile(
    r"(?P<scheme>sips?|tel):(?:(?P<user>[^@]*)@)?(?P<host>\[[^\]]+\]|[^:;?]+)?(?::(?P<port>\d+))?(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Uri:
    """`sip:user@host:port;params`; of `tel:+49…` the number is the user."""

    user: str
    host: str
    port: int | None = None
    params: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Uri:
        match = _URI.match(text.strip())
        if match is None:
            return cls(user="", host=text.strip())
        host, port = match["host"] or "", match["port"]
        params = parse_params(match["rest"].partition("?")[0])
        if match["scheme"].lower() == "tel":
            return cls(user=host, host="", params=params)
        user = unquote((match["user"] or "").partition(":")[0])
        return cls(user=user, host=host, port=int(port) if port else None, params=params)

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port or DEFAULT_PORT

    def __str__(self) -> str:
        user = f"{quote(self.user, safe='+-_.!~*()&=$,;?/')}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"sip:{user}{self.host}{port}{render_params(self.params)}"


@dataclass(frozen=True)
class Address:
    """`"Display" <uri>;params`: the value of From, To, Contact, Route, P-Asserted-Identity …"""

    uri: Uri
    raw_uri: str
    display: str = ""
    params: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Address:
        display, bracket, rest = _split_bracket(text)
        if bracket:
            raw, _, tail = rest.partition(">")
        else:  # without brackets, parameters belong to the header
            raw, semicolon, tail = text.strip().partition(";")
            tail = semicolon + tail
        return cls(Uri.parse(raw), raw, display, parse_params(tail))

    @property
    def tag(self) -> str:
        return self.params.get("tag", "")


def _split_bracket(text: str) -> tuple[str, str, str]:
    """The display name may hold a bracket in quotes: `"a <b>" <sip:c@d>`."""
    text = text.strip()
    if text.startswith('"'):
        end = re.match(r'"((?:[^"\\]|\\.)*)"\s*', text)
        if end:
            rest = text[end.end() :]
            return re.sub(r"\\(.)", r"\1", end[1]), rest[:1] if rest.startswith("<") else "", rest[1:]
    head, bracket, rest = text.partition("<")
    return head.strip(), bracket, rest


def parse_params(text: str) -> dict[str, str]:
    """`;a=1;lr;b="x"` as a dict; a parameter without a value maps to ""."""
    params = {}
    for part in split_outside_quotes(text, ";"):
        name, _, value = part.partition("=")
        params[name.strip().lower()] = value.strip().strip('"')
    return params


def render_params(params: dict[str, str]) -> str:
    return "".join(f";{name}={value}" if value else f";{name}" for name, value in params.items())
