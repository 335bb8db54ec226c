"""Slows down those who guess passwords: by user and place, by user, and by place.

Whoever has logged in from a place before is not kept out there by what others do: only their own failures count.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from routing.core.errors import RateLimited, Unauthenticated

FAILURES = 5
"""Of one user from one place, within WINDOW seconds."""
USER_FAILURES = 20
"""Of one user, from all places together."""
PEER_FAILURES = 50
"""From one place, of all users together."""
WINDOW = 60.0
_MOST = 10_000

Key = TypeVar("Key")


@dataclass(slots=True)
class _Tries:
    failed: list[float] = field(default_factory=list)
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    was_in: bool = False

    def check(self, now: float, most: int) -> None:
        self.failed = [at for at in self.failed if at > now - WINDOW]
        if len(self.failed) >= most:
            raise RateLimited(self.failed[-most] + WINDOW - now)


class LoginThrottle:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()
        self._users: OrderedDict[str, _Tries] = OrderedDict()
        self._peers: OrderedDict[str, _Tries] = OrderedDict()

    @asynccontextmanager
    async def attempt(self, user: str, peer: str) -> AsyncIterator[None]:
        """Around one try; an Unauthenticated that passes is a failure. Raises RateLimited.

        One at a time, so that a hundred tries at once are not checked against the same empty list.
        """
        tries = _of(self._tries, (user, peer))
        async with tries.one_at_a_time:
            tries.check(self._now(), FAILURES)
            others = () if tries.was_in else (_of(self._users, user), _of(self._peers, peer))
            for each, most in zip(others, (USER_FAILURES, PEER_FAILURES), strict=False):
                each.check(self._now(), most)
            for each in others:
                each.failed.append(self._now())  # taken back below: those who try at the same time see it
            try:
                yield
            except Unauthenticated:
                tries.failed.append(self._now())
                raise
            except BaseException:
                _take_back(others)
                raise
            _take_back(others)
            tries.failed.clear()
            tries.was_in = True


def _take_back(others: tuple[_Tries, ...]) -> None:
    for each in others:
        if each.failed:
            each.failed.pop()


def _of(all_of_them: OrderedDict[Key, _Tries], key: Key) -> _Tries:
    tries = all_of_them.setdefault(key, _Tries())
    all_of_them.move_to_end(key)
    while len(all_of_them) > _MOST:
        all_of_them.popitem(last=False)
    return tries
