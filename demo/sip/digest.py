"""Digest authentication (RFC 2617, MD5): answers a 401 or 407 for one request."""

from __future__ import annotations

import hashlib
import re
import secrets

from demo.sip.errors import SipError
from demo.sip.message import Request, Response

_PARAM = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


class NoUsableChallenge(SipError):
    """The 401 or 407 offers no digest challenge with MD5."""


def ha1(user: str, realm: str, password: str) -> str:
    """What Asterisk keeps as `md5_cred`."""
    return _md5(f"{user}:{realm}:{password}")


def authorize(request: Request, challenge: Response, user: str, password: str) -> None:
    """Adds the Authorization (or Proxy-Authorization) header that the challenge asks for."""
    proxy = challenge.status == 407
    params = _usable(challenge.headers.lines("Proxy-Authenticate" if proxy else "WWW-Authenticate"))
    fields = answer(params, request.method, request.uri, user, password)
    request.headers["Proxy-Authorization" if proxy else "Authorization"] = fields


def answer(challenge: dict[str, str], method: str, uri: str, user: str, password: str) -> str:
    """The value of the Authorization header."""
    realm, nonce = challenge["realm"], challenge["nonce"]
    secret, ha2 = ha1(user, realm, password), _md5(f"{method}:{uri}")
    text = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm=MD5'
    if "auth" in re.split(r"[\s,]+", challenge.get("qop", "")):
        cnonce, count = secrets.token_hex(8), "00000001"
        digest = _md5(f"{secret}:{nonce}:{count}:{cnonce}:auth:{ha2}")
        text += f', qop=auth, nc={count}, cnonce="{cnonce}"'
    else:
        digest = _md5(f"{secret}:{nonce}:{ha2}")
    opaque = f', opaque="{challenge["opaque"]}"' if "opaque" in challenge else ""
    return f'{text}, response="{digest}"{opaque}'


def parse(value: str) -> dict[str, str]:
    """The parameters of a `Digest …` header value, names in lower case."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return {}
    return {name.lower(): quoted or bare for name, quoted, bare in _PARAM.findall(rest)}


def _usable(values: list[str]) -> dict[str, str]:
    for params in map(parse, values):
        if params.get("algorithm", "MD5").upper() == "MD5" and "nonce" in params and "realm" in params:
            return params
    raise NoUsableChallenge("; ".join(values))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
