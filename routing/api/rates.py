"""How many requests a token may make: so many a second, and as many at once. Counted in this process."""

import time
from collections import OrderedDict
from collections.abc import Callable

from routing.errors import RateLimited

A_SECOND = 100.0
_MOST = 10_000


class Rates:
    """A bucket for each key, which fills again by `a_second`."""

    def __init__(self, a_second: float = A_SECOND, now: Callable[[], float] = time.monotonic) -> None:
        self._a_second = a_second
        self._now = now
        self._full_at: OrderedDict[bytes, float] = OrderedDict()

    def take(self, key: bytes) -> None:
        """One request. Raises RateLimited when a second's worth was made ahead of time."""
        now = self._now()
        full_at = max(now, self._full_at.get(key, now)) + 1 / self._a_second
        if full_at - now > 1.0 + 1e-9:
            raise RateLimited(full_at - now - 1.0)
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        while len(self._full_at) > _MOST:
            self._full_at.popitem(last=False)
