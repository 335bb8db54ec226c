"""Slows down those who guess passwords: five failures a minute for one user from one place."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from routing.api.errors import RateLimited
from routing.errors import Unauthenticated

FAILURES = 5
WINDOW = 60.0
_MOST = 10_000


@dataclass(slots=True)
class _Tries:
    failed: list[float] = field(default_factory=list)
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)


class LoginGuard:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()

    @asynccontextmanager
    async def attempt(self, user: str, peer: str) -> AsyncIterator[None]:
        """Around one try; an Unauthenticated that passes is a failure. Raises RateLimited.

        One at a time, so that a hundred tries at once are not checked against the same empty list.
        """
        tries = self._of(user, peer)
        async with tries.one_at_a_time:
            self._check(tries)
            try:
                yield
            except Unauthenticated:
                tries.failed.append(self._now())
                raise
            tries.failed.clear()

    def _check(self, tries: _Tries) -> None:
        now = self._now()
        tries.failed = [at for at in tries.failed if at > now - WINDOW]
        if len(tries.failed) >= FAILURES:
            raise RateLimited(tries.failed[0] + WINDOW - now)

    def _of(self, user: str, peer: str) -> _Tries:
        key = (user, peer)
        tries = self._tries.setdefault(key, _Tries())
        self._tries.move_to_end(key)
        while len(self._tries) > _MOST:
            self._tries.popitem(last=False)
        return tries
