"""Idempotency-Key: the same request under the same key is done once and answered alike, for a day.

Answers below 500 are remembered; after a 5xx, or "too early" (429), the key is free again. A login's is not: it is a
secret.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from aiohttp import web

from routing.core.errors import IdempotencyConflict, Invalid, RingbackError, Unavailable, Uncertain
from routing.store import idempotency
from routing.store.database import Pool
from routing.store.idempotency import Answered
from routing.store.tokens import Identity

log = structlog.get_logger()

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
PATTERN = r"^[\x21-\x7e]{1,255}$"
PATIENCE = 5.0
"""Seconds a request waits for the same one that is being done."""
_FIRST_LOOK, _LAST_LOOK = 0.01, 0.25
SWEEP = 600.0

Handler = Callable[[], Awaitable[web.StreamResponse]]


def key_of(request: web.Request) -> str | None:
    """The request's key, if it has one. Raises Invalid for one that is none."""
    key = request.headers.get(HEADER)
    if key is not None and not re.fullmatch(PATTERN, key):
        raise Invalid("1 to 255 visible ASCII characters.", f"/{HEADER}")
    return key


def whose(identity: Identity, token_hash: bytes) -> str:
    """An agent's keys outlive a session, though not for another role; other tokens have their own."""
    return f"{identity.role}:{identity.agent}" if identity.agent else token_hash.hex()


def digest(request: web.Request, body: bytes) -> bytes:
    """What makes it the same request."""
    return hashlib.sha256(b"\0".join((request.method.encode(), request.path_qs.encode(), body))).digest()


class Idempotency:
    """`epoch` tells this process' turn from those of its predecessors, `now` is the engine's clock."""

    def __init__(self, pool: Pool, epoch: Callable[[], int], now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._epoch = epoch
        self._now = now

    async def answer(self, who: str, key: str, request: bytes, do: Handler) -> web.StreamResponse:
        """What `do` answers now, or answered before. Raises IdempotencyConflict, Unavailable."""
        epoch = self._epoch()
        if before := await self._begin(who, key, request, epoch):
            return web.Response(
                body=before.body,
                status=before.status or 200,
                content_type=before.content_type or None,
                headers={REPLAYED: "true"},
            )
        try:
            response = await do()
        except Uncertain:  # whoever asks again must not have it done twice: the key stays taken for a while
            raise
        except BaseException:
            await self._forget(who, key, epoch)
            raise
        await self._remember(who, key, epoch, response)
        return response

    async def _begin(self, who: str, key: str, request: bytes, epoch: int) -> Answered | None:
        pause = _FIRST_LOOK
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    found = await idempotency.begin(self._pool, who, key, request, epoch, self._now())
                    if found and found.request != request:
                        raise IdempotencyConflict
                    if found is None or found.status is not None:
                        return found
                    await asyncio.sleep(pause)
                    pause = min(_LAST_LOOK, pause * 2)
        except TimeoutError:
            raise Unavailable("The same request is still in progress.") from None

    async def _remember(self, who: str, key: str, epoch: int, response: web.StreamResponse) -> None:
        if response.status >= 500 or response.status == 429:
            await self._forget(who, key, epoch)
            return
        body = getattr(response, "body", None) or b""
        content_type = response.content_type if body else ""
        try:
            await idempotency.keep(self._pool, who, key, epoch, response.status, content_type, body)
        except RingbackError as error:  # it is done all the same, and the client shall know
            log.warning("answer not remembered", error=str(error))

    async def _forget(self, who: str, key: str, epoch: int) -> None:
        try:
            await idempotency.forget(self._pool, who, key, epoch)
        except RingbackError as error:
            log.warning("key not freed", error=str(error))

    async def sweep(self) -> None:
        """Until cancelled: clear away what is older than a day."""
        while True:
            try:
                await idempotency.sweep(self._pool, self._now())
            except RingbackError as error:
                log.warning("idempotency keys not swept", error=str(error))
            await asyncio.sleep(SWEEP)
