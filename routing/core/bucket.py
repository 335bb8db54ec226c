"""No more than so many a second: a token bucket, told the time. Pure, frozen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """`tokens` there were at second `at` of some clock. A second's worth may be saved up."""

    tokens: float
    at: float

    @classmethod
    def full(cls, rate: float, now: float) -> "Bucket":
        return cls(max(1.0, rate), now)

    def take(self, rate: float, now: float) -> tuple["Bucket", float]:
        """One token out, and the seconds until it is there: whoever comes too early has to wait so long."""
        there = min(max(1.0, rate), self.tokens + max(0.0, now - self.at) * rate)
        return Bucket(there - 1, max(now, self.at)), max(0.0, (1 - there) / rate)
