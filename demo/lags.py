"""How late the service's event loop wakes sleepers, as /metrics tells."""

import re
from dataclasses import dataclass

_BUCKET = re.compile(r'ringback_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)')
_BEYOND = 10.0


@dataclass(frozen=True)
class Lags:
    """A histogram: how many were at most so many seconds."""

    at_most: dict[float, int]

    @classmethod
    def read(cls, metrics: str) -> "Lags":
        return cls({float(bound): int(float(count)) for bound, count in _BUCKET.findall(metrics)})

    def p99_since(self, before: "Lags") -> float:
        """The bound below which 99 of 100 have been since; 10 for what is beyond all bounds."""
        new = {bound: n - before.at_most.get(bound, 0) for bound, n in self.at_most.items()}
        return min(min(bound, _BEYOND) for bound, n in new.items() if n >= 0.99 * new[float("inf")])
