"""Whether and when a customer who was not reached is called again (M54). Pure."""

from collections.abc import Sequence

from routing.core.interaction import Attempt, Outcome
from routing.core.queues import Dial, Retried

OUR_OWN = frozenset({Outcome.AGENT_LOST, Outcome.NOT_DIALLED, Outcome.UNKNOWN})
"""The centre's own failures: they count for nothing; what ends the trying then is the callback's expiry."""

NOT_COUNTED = OUR_OWN | {Outcome.ERROR, Outcome.CONGESTION}
"""The network's failures have a limit of their own, but do not use up the customer's attempts either."""

_POLICY: dict[Outcome, Retried] = {
    Outcome.BUSY: "busy",
    Outcome.NO_ANSWER: "no_answer",
    Outcome.REJECTED: "no_answer",
    Outcome.CUSTOMER_HUNG_UP: "no_answer",
    Outcome.MACHINE: "machine",
}


def delay_after(attempts: Sequence[Attempt], dial: Dial) -> float | None:
    """Seconds until the next try after the last of `attempts`, or None when enough was tried."""
    last = attempts[-1].outcome
    if last is Outcome.INVALID or counted(attempts) >= dial.max_attempts:
        return None
    policy = _policy(attempts[-1])
    most, delay = dial.retry.get(policy, (0, 0.0))
    same = sum(1 for each in attempts if _policy(each) == policy and each.outcome not in OUR_OWN)
    return delay if same < most else None


def _policy(attempt: Attempt) -> Retried:
    """Whose rule it goes by; what is nobody's fault is tried again like congestion."""
    return _POLICY.get(attempt.outcome or Outcome.ERROR, "congestion")


def counted(attempts: Sequence[Attempt]) -> int:
    """How many of the attempts were the customer's."""
    return sum(1 for each in attempts if each.outcome not in NOT_COUNTED)
