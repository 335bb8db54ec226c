"""When a customer who was not reached is called again."""

from datetime import UTC, datetime

import pytest

from routing.core.interaction import Attempt, Outcome
from routing.core.queues import Dial
from routing.core.retries import delay_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIAL = Dial(max_attempts=3)


def attempts(*outcomes: Outcome) -> list[Attempt]:
    return [Attempt(str(n), n, "1001", NOW, outcome=each, ended_at=NOW) for n, each in enumerate(outcomes)]


@pytest.mark.parametrize(
    ("last", "delay"),
    [
        (Outcome.BUSY, 300),
        (Outcome.NO_ANSWER, 900),
        (Outcome.REJECTED, 900),
        (Outcome.CUSTOMER_HUNG_UP, 900),
        (Outcome.CONGESTION, 60),
        (Outcome.AGENT_LOST, 60),
        (Outcome.UNKNOWN, 60),
    ],
)
def test_each_outcome_has_its_own_delay(last: Outcome, delay: float) -> None:
    assert delay_after(attempts(last), DIAL) == delay


def test_a_number_that_does_not_exist_is_not_called_again() -> None:
    assert delay_after(attempts(Outcome.INVALID), DIAL) is None


def test_enough_is_enough() -> None:
    assert delay_after(attempts(Outcome.BUSY, Outcome.NO_ANSWER), DIAL) == 900
    assert delay_after(attempts(Outcome.BUSY, Outcome.NO_ANSWER, Outcome.BUSY), DIAL) is None


def test_the_centres_and_the_networks_failures_do_not_use_up_the_attempts() -> None:
    failures = (Outcome.CONGESTION, Outcome.AGENT_LOST, Outcome.NOT_DIALLED, Outcome.UNKNOWN)
    assert delay_after(attempts(*failures, Outcome.BUSY), DIAL) == 300


def test_but_congestion_for_ever_ends_too() -> None:
    assert delay_after(attempts(*[Outcome.CONGESTION] * 4), DIAL) == 60
    assert delay_after(attempts(*[Outcome.CONGESTION] * 5), DIAL) is None


def test_whoever_was_promised_a_call_does_not_pay_for_the_centres_failures() -> None:
    lost = (Outcome.AGENT_LOST,) * 4 + (Outcome.UNKNOWN,) * 4
    assert delay_after(attempts(*lost, Outcome.CONGESTION), DIAL) == 60
    assert delay_after(attempts(*lost), DIAL) == 60


def test_outcomes_that_a_queue_does_not_name_keep_their_defaults() -> None:
    dial = Dial.model_validate({"retry": {"busy": [1, 5]}})
    assert delay_after(attempts(Outcome.NO_ANSWER), dial) == 900
    assert delay_after(attempts(Outcome.BUSY), dial) is None
