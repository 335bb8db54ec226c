"""Whose token it is. Remembered for a moment, so that pressing Accept does not wait for a look into Postgres."""

import asyncio
import time
from collections.abc import Callable, Iterable

from aiohttp import web

from routing.core.errors import RingbackError, Unauthenticated
from routing.store import tokens
from routing.store.database import Pool
from routing.store.tokens import Identity

REMEMBERED = 30.0
"""Seconds after which a token is looked up anew. One revoked here stops at once, one revoked elsewhere by WATCH."""
WATCH = 0.5
"""Seconds between looks whether the tokens in use are still valid."""
_MOST = 10_000


class Tokens:
    """Only valid tokens are remembered: guesses cost the guesser a look, and us no memory."""

    def __init__(self, pool: Pool, now: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._now = now
        self._known: dict[bytes, tuple[Identity, float]] = {}
        self._ended = 0

    async def identity(self, token_hash: bytes) -> Identity | None:
        """Whose token has this hash; None when it is not valid (any more)."""
        if (found := self._known.get(token_hash)) and self._now() < found[1]:
            return found[0]
        ended = self._ended
        identity = await tokens.lookup(self._pool, token_hash)
        self._known.pop(token_hash, None)
        if identity and ended == self._ended:  # else it may be one of those that ended while we looked
            self._remember(token_hash, identity)
        return identity

    def _remember(self, token_hash: bytes, identity: Identity) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[token_hash] = (identity, self._now() + REMEMBERED)

    async def revoke(self, token_hash: bytes) -> None:
        await tokens.revoke(self._pool, token_hash)
        self._ended += 1
        self._known.pop(token_hash, None)

    async def watch(self, others: Callable[[], Iterable[bytes]], ended: Callable[[bytes], None]) -> None:
        """Until cancelled: a look at all tokens in use every WATCH seconds."""
        while True:
            await asyncio.sleep(WATCH)
            await self.look(others, ended)

    async def look(self, others: Callable[[], Iterable[bytes]], ended: Callable[[bytes], None]) -> None:
        """One statement about all tokens in use, those of live streams (`others`) included."""
        used = {*self._known, *others()}
        try:
            gone = used - await tokens.valid(self._pool, used) if used else set()
        except RingbackError:
            return  # without Postgres nothing can be asked for anyway
        for token_hash in gone:
            self._known.pop(token_hash, None)
            ended(token_hash)

    def forget_agent(self, agent_id: str) -> None:
        """The agent's tokens may have been ended."""
        self._ended += 1
        self._known = {key: each for key, each in self._known.items() if each[0].agent != agent_id}


def token_of(request: web.Request) -> str:
    """The bearer token of a request. Raises Unauthenticated without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()
