"""No more calls a second than a queue may start."""

from hypothesis import given
from hypothesis import strategies as st

from routing.core.bucket import Bucket


def test_a_seconds_worth_goes_out_at_once_and_the_rest_one_by_one() -> None:
    bucket, waits = Bucket.full(5, 0.0), []
    for _ in range(8):
        bucket, seconds = bucket.take(5, 0.0)
        waits.append(round(seconds, 3))
    assert waits == [0, 0, 0, 0, 0, 0.2, 0.4, 0.6]


def test_a_rate_below_one_a_second_still_lets_one_out() -> None:
    bucket, first = Bucket.full(0.5, 0.0).take(0.5, 0.0)
    assert (first, bucket.take(0.5, 0.0)[1]) == (0, 2.0)


@given(st.floats(0.1, 50), st.lists(st.floats(0, 2), min_size=1, max_size=60))
def test_in_no_stretch_of_time_more_go_out_than_the_rate_allows(rate: float, pauses: list[float]) -> None:
    now, bucket, out = 0.0, Bucket.full(rate, 0.0), []
    for pause in pauses:
        now += pause
        bucket, seconds = bucket.take(rate, now)
        out.append(now + seconds)
    for i, start in enumerate(out):
        for n, end in enumerate(out[i:], 1):
            assert n <= max(1.0, rate) + (end - start) * rate + 1e-6
