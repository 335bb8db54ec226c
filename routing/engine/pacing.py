"""No more calls a second than the queue may start (`dial.cps`), however many agents accept at once."""

from routing.core.bucket import Bucket

MOST = 1.0
"""Seconds a call may have to wait for its turn; beyond that it is not begun, and the agent is told."""


class Pacer:
    """One bucket for each queue. A process that starts has a full one: dials before it are not remembered."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def turn(self, queue: str, rate: float, now: float) -> float:
        """Seconds until this call's turn, in monotonic seconds `now`. More than MOST: it has none, and takes none
        from those who come later."""
        bucket, seconds = self._buckets.get(queue, Bucket.full(rate, now)).take(rate, now)
        if seconds <= MOST:
            self._buckets[queue] = bucket
        return seconds
