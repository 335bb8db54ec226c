"""How many requests a token may make: so many a second, and as many at once. Counted in this process."""

import time
from collections import OrderedDict
from collections.abc import Callable

from routing.core.bucket import Bucket
from routing.core.errors import RateLimited

A_SECOND = 100.0
_MOST = 10_000
_ROUNDING = 1e-9


class Rates:
    """A bucket for each key, which fills again by `a_second`."""

    def __init__(self, a_second: float = A_SECOND, now: Callable[[], float] = time.monotonic) -> None:
        self._a_second = a_second
        self._now = now
        self._buckets: OrderedDict[bytes, Bucket] = OrderedDict()

    def take(self, key: bytes) -> None:
        """One request. Raises RateLimited when a second's worth was made ahead of time."""
        rate, now = self._a_second, self._now()
        bucket, seconds = self._buckets.get(key, Bucket.full(rate, now)).take(rate, now)
        if seconds > _ROUNDING:
            raise RateLimited(seconds)
        self._buckets[key] = bucket
        self._buckets.move_to_end(key)
        while len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
