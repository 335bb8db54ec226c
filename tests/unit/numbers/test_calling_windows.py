"""The calling window on the customer's own clock, summer time both ways."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.core.numbers import callable_from
from routing.core.numbers.windows import opening, why_not_at, zones
from routing.core.queues import Queue

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
DAY = ("08:00", "21:00")
QUEUE = Queue(name="a", numbers_allowed=("+1", "+3", "+4", "+6", "+7"))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def local(at: datetime | None, zone: str) -> str:
    assert at
    return at.astimezone(ZoneInfo(zone)).strftime("%d %H:%M")


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-20 12:00", "2026-11-20 12:00"),
        ("2026-11-20 06:59:59", "2026-11-20 07:00"),
        ("2026-11-20 07:00", "2026-11-20 07:00"),
        ("2026-11-20 19:59:59", "2026-11-20 19:59:59"),
        ("2026-11-20 20:00", "2026-11-21 07:00"),
        ("2026-07-20 20:00", "2026-07-21 06:00"),
    ],
)
def test_a_german_number_is_called_from_eight_to_nine_german_time(now: str, opens: str) -> None:
    assert callable_from("+4915112345678", QUEUE, utc(now)) == utc(opens)


def test_the_zone_is_the_numbers_not_the_queues() -> None:
    at = callable_from("+16505551234", QUEUE, utc("2026-11-20 12:00"))
    assert local(at, "America/Los_Angeles") == "20 08:00"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+4930231250", {BERLIN}),
        ("+447400123456", {"Europe/London"}),  # a mobile: libphonenumber names the islands' zones as well
        ("+16505551234", {"America/Los_Angeles"}),
        ("+6421123456", {"Pacific/Auckland", "Pacific/Chatham"}),
        ("+881612345678", {"Europe/Vienna"}),  # of no country: the queue's
    ],
)
def test_where_a_number_may_be(number: str, expected: set[str]) -> None:
    assert set(zones(number, "Europe/Vienna")) == expected


def test_a_number_that_may_be_anywhere_in_its_country_is_called_when_it_is_day_everywhere_there() -> None:
    where = zones("+18005551234", BERLIN)
    assert {NEW_YORK, "Pacific/Honolulu"} <= set(where) and "America/Toronto" not in where
    at = callable_from("+18005551234", QUEUE, utc("2026-11-20 12:00"))
    assert local(at, "Pacific/Honolulu") == "20 08:00" and local(at, NEW_YORK) == "20 13:00"


def test_a_time_outside_the_window_is_answered_with_the_window_and_the_next_time() -> None:
    at = utc("2026-11-20 02:00")
    said = why_not_at("+4915112345678", QUEUE, at)
    assert said and said.startswith("This number is called from 08:00 to 21:00 (Europe/Berlin): ")
    assert said.endswith(": the next possible time is 2026-11-20T07:00:00Z.")
    assert why_not_at("+4915112345678", QUEUE, utc("2026-11-20 07:00")) is None
    anywhere = why_not_at("+18005551234", QUEUE, utc("2026-11-20 12:00"))
    assert anywhere and "more)" in anywhere and "2026-11-20T18:00:00Z" in anywhere
    never = Queue.model_validate({**QUEUE.model_dump(), "dial": {"window": ("08:00", "08:30")}})
    assert "at no time" in (why_not_at("+18005551234", never, at) or "")


def test_a_window_that_is_never_open_everywhere_at_once_never_opens() -> None:
    assert opening(("08:00", "09:00"), [BERLIN, NEW_YORK], utc("2026-11-20 12:00")) is None


def test_the_whole_day_is_always_open() -> None:
    queue = Queue.model_validate({"name": "a", "dial": {"window": ("00:00", "24:00")}})
    assert callable_from("+4915112345678", queue, utc("2026-11-20 02:00")) == utc("2026-11-20 02:00")


def test_an_opening_that_does_not_exist_as_summer_time_begins_is_moved_forward() -> None:
    at = opening(("02:30", "21:00"), [BERLIN], utc("2026-03-29 00:45"))  # 01:45; from 01:59:59 it goes on at 03:00
    assert at and utc("2026-03-29 01:00") <= at <= utc("2026-03-29 01:30")


def test_an_opening_that_comes_twice_as_summer_time_ends_opens_the_first_time() -> None:
    at = opening(("02:30", "21:00"), [BERLIN], utc("2026-10-24 22:00"))
    assert at == utc("2026-10-25 00:30")


def test_an_hour_that_comes_twice_counts_both_times() -> None:
    window = ("02:15", "02:45")
    assert opening(window, [BERLIN], utc("2026-10-25 00:50")) == utc("2026-10-25 01:15")


ZONES = st.sampled_from(
    [BERLIN, NEW_YORK, "Europe/London", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "America/St_Johns"]
)
CLOCK = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
WINDOWS = (
    st.tuples(CLOCK, CLOCK | st.just("24:00"))
    .map(lambda two: (min(two), max(two)))
    .filter(lambda window: window[0] < window[1])
)
AROUND_A_CHANGE = st.sampled_from(
    [utc("2026-03-29 01:00"), utc("2026-10-25 01:00"), utc("2026-03-08 07:00"), utc("2026-11-01 06:00")]
)
MOMENTS = st.one_of(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.tuples(AROUND_A_CHANGE, st.integers(-180, 180)).map(lambda at: at[0] + timedelta(minutes=at[1])),
)


@given(WINDOWS, st.lists(ZONES, min_size=1, max_size=3, unique=True), MOMENTS)
def test_whenever_it_opens_it_is_open_on_every_clock_and_not_in_the_past(
    window: tuple[str, str], names: list[str], now: datetime
) -> None:
    at = opening(window, names, now)
    if at is None:
        assert len(names) > 1, "a single clock shows every time within two days"
        return
    assert at >= now
    for name in names:
        assert window[0] <= at.astimezone(ZoneInfo(name)).strftime("%H:%M") < window[1]


@given(WINDOWS, ZONES, MOMENTS, st.integers(1, 48 * 60))
def test_nothing_between_now_and_the_opening_is_within_the_window(
    window: tuple[str, str], name: str, now: datetime, minutes: int
) -> None:
    at = opening(window, [name], now)
    between = now + timedelta(minutes=minutes)
    gap = timedelta(hours=1)  # a time that does not exist is moved forward by up to that
    if at and between < at - gap:
        assert not window[0] <= between.astimezone(ZoneInfo(name)).strftime("%H:%M") < window[1]
