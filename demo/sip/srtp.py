"""Encrypted audio (SRTP, RFC 3711) with keys in the SDP (RFC 4568). Needs pylibsrtp, which only this imports."""

from __future__ import annotations

import base64
import secrets

_KEY_AND_SALT = 30  # bytes, of AES_CM_128_HMAC_SHA1_80


def new_key() -> str:
    """As it stands in the SDP, behind `inline:`."""
    return base64.b64encode(secrets.token_bytes(_KEY_AND_SALT)).decode()


class Srtp:
    """One call's audio: ours is encrypted with `ours`, theirs with `theirs`."""

    def __init__(self, ours: str, theirs: str) -> None:
        from pylibsrtp import Error, Policy, Session

        self.theirs = theirs
        self._error = Error
        self._out = Session(policy=Policy(key=base64.b64decode(ours), ssrc_type=Policy.SSRC_ANY_OUTBOUND))
        self._in = Session(policy=Policy(key=base64.b64decode(theirs), ssrc_type=Policy.SSRC_ANY_INBOUND))

    def protect(self, packet: bytes) -> bytes:
        return self._out.protect(packet)

    def unprotect(self, packet: bytes) -> bytes:
        """Empty for what was not encrypted with their key."""
        try:
            return self._in.unprotect(packet)
        except self._error:
            return b""
