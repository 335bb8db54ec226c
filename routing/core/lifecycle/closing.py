"""The end of an interaction: closed, for one reason or another. It is final (I9)."""

from routing.core.feed import CALLER, SYSTEM, FeedEvent
from routing.core.interaction import Ended, Outcome, Role, Status
from routing.core.lifecycle.change import Change


def close(c: Change, outcome: str) -> None:
    """Final (I9)."""
    for role in Role:
        c.drop(role)
    c.clear(*c.it.deadlines)
    c.set(status=Status.CLOSED, stage=None, outcome=outcome, closed_at=c.now)
    c.tell(FeedEvent.CLOSED, SYSTEM, outcome=outcome)


def give_up(c: Change) -> None:
    invalid = c.it.tries and c.it.tries[-1].outcome is Outcome.INVALID
    close(c, Ended.INVALID_NUMBER if invalid else Ended.FAILED)


def expired(c: Change) -> None:
    close(c, Ended.EXPIRED)


def lose(c: Change) -> None:
    """Nobody is there any more to wait, and it is our doing."""
    c.tell(FeedEvent.CALLER_LOST, SYSTEM)
    close(c, Ended.ERROR)


def abandon(c: Change) -> None:
    waited = (c.now - c.it.entered_at).total_seconds()
    c.tell(FeedEvent.ABANDONED, CALLER, waited=round(waited, 3))
    close(c, Ended.SHORT_ABANDON if waited < c.queue.abandon.short else Ended.ABANDONED)
