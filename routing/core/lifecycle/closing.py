"""The end of an interaction: closed, for one reason or another. It is final (I9)."""

from routing.core.interaction import Outcome, Role, Status
from routing.core.lifecycle.change import Change


def close(c: Change, outcome: str) -> None:
    """Final (I9)."""
    for role in Role:
        c.drop(role)
    c.clear(*c.it.deadlines)
    c.said()
    c.set(status=Status.CLOSED, stage=None, outcome=outcome, closed_at=c.now)
    c.tell("closed", "system", outcome=outcome)


def give_up(c: Change) -> None:
    invalid = c.it.tries and c.it.tries[-1].outcome is Outcome.INVALID
    close(c, "invalid_number" if invalid else "failed_max_attempts")


def expired(c: Change) -> None:
    close(c, "expired")


def lose(c: Change) -> None:
    """Nobody is there any more to wait, and it is our doing."""
    c.tell("caller_lost", "system")
    close(c, "error")


def abandon(c: Change) -> None:
    waited = (c.now - c.it.entered_at).total_seconds()
    c.tell("abandoned", "caller", waited=round(waited, 3))
    close(c, "short_abandon" if waited < c.queue.abandon.short else "abandoned")
