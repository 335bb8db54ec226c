"""How much a soak has to do in a minute, at least: one that does less proves nothing."""

from collections import Counter
from collections.abc import Mapping

A_MINUTE: Mapping[str, float] = {
    "calls in": 8,
    "promises": 2,
    "who asks and leaves at once": 0.5,
    "abandoned": 0.5,
    "dials": 3,
    "talks": 3,
    "agent accepts on the page": 1,
    "agent declines": 0.3,
    "agent ignores": 0.3,
    "agent logs out": 0.3,
    "picked up": 0.1,
    "redials": 0.2,
    "rescheduled": 0.1,
    "API requests": 200,
    "live streams": 20,
    "messages of the live stream": 200,
    "registrations": 8,
    "phones gone without a word": 2,
    "pings": 30,
    "pings inside calls": 20,
}


def missed(done: Counter[str], minutes: float) -> dict[str, tuple[int, int]]:
    """What stayed below its floor: what was reached, and what was wanted."""
    return {what: (done[what], wanted) for what, wanted in floors(minutes).items() if done[what] < wanted}


def floors(minutes: float) -> dict[str, int]:
    """The first half minute goes by before there is much to do."""
    return {what: int(each * (minutes - 0.5)) for what, each in A_MINUTE.items()}
