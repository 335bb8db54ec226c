"""Whose token it is. Remembered for a moment, so that pressing Accept does not wait for a look into Postgres."""

import time
from collections.abc import Callable

from aiohttp import web

from routing.errors import Unauthenticated
from routing.store import tokens
from routing.store.database import Pool
from routing.store.tokens import Identity

REMEMBERED = 30.0
"""Seconds after which a token revoked elsewhere stops working here. Those revoked here stop at once."""
_MOST = 10_000


class Tokens:
    """Only valid tokens are remembered: guesses cost the guesser a look, and us no memory."""

    def __init__(self, pool: Pool, now: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._now = now
        self._known: dict[bytes, tuple[Identity, float]] = {}

    async def identity(self, token_hash: bytes) -> Identity | None:
        """Whose token has this hash; None when it is not valid (any more)."""
        if (found := self._known.get(token_hash)) and self._now() < found[1]:
            return found[0]
        identity = await tokens.lookup(self._pool, token_hash)
        self._known.pop(token_hash, None)
        if identity:
            self._remember(token_hash, identity)
        return identity

    def _remember(self, token_hash: bytes, identity: Identity) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[token_hash] = (identity, self._now() + REMEMBERED)

    async def revoke(self, token_hash: bytes) -> None:
        await tokens.revoke(self._pool, token_hash)
        self._known.pop(token_hash, None)

    def forget_agent(self, agent_id: str) -> None:
        """The agent's tokens may have been ended."""
        self._known = {key: each for key, each in self._known.items() if each[0].agent != agent_id}


def token_of(request: web.Request) -> str:
    """The bearer token of a request. Raises Unauthenticated without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()
