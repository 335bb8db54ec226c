"""A jump of the clock: spans go on as if nothing had been, calendar times stay what they are."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Unpack
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from routing.core.context import Context
from routing.core.events import TimeReached
from routing.core.interaction import (
    AgentPreferences,
    Deadline,
    Fields,
    Interaction,
    Leg,
    LegState,
    Origin,
    Place,
    Request,
    Role,
    Stage,
    Status,
    Subtype,
)
from routing.core.lifecycle import decide
from routing.core.lifecycle.jumped import rebased
from routing.core.queues import Queue

NUMBER = "+4915112345678"
ALWAYS = Queue.model_validate({"name": "a", "dial": {"window": ["00:00", "24:00"]}})
BY_DAY = Queue.model_validate({"name": "a", "dial": {"window": ["08:00", "21:00"]}, "offer": {"exclude": 30}})
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
JUMPS = pytest.mark.parametrize("by", [-3 * HOUR, -HOUR, HOUR, 3 * HOUR, -DAY, DAY], ids=str)

CALENDAR = {Deadline.DUE, Deadline.EXPIRY}
SPANS = [each for each in Deadline if each not in CALENDAR]


ASKED = NOON - HOUR
CALLBACK = Interaction(
    UUID(int=1),
    "a",
    1,
    ASKED,
    Place(ASKED),
    subtype=Subtype.CALLBACK,
    number=NUMBER,
    request=Request(Origin.QUEUED, ASKED, ASKED),
)


def callback(status: Status = Status.OPEN, **fields: Unpack[Fields]) -> Interaction:
    return CALLBACK.changed(**{"status": status, **fields})


def appointment(at: datetime, ttl: timedelta = 24 * HOUR) -> Interaction:
    named = {Deadline.DUE: at, Deadline.EXPIRY: at + ttl}
    asked = Request(Origin.SCHEDULED, ASKED, at)
    return callback(Status.SCHEDULED, place=Place(at), request=asked, deadlines=named)


def after(it: Interaction, by: timedelta, queue: Queue = ALWAYS, now: datetime = NOON) -> Interaction:
    """By the clock that went `by` forward, just after; it was `now` by the clock before."""
    return rebased(it, queue, it.shift + by.total_seconds(), now + by)


@JUMPS
@pytest.mark.parametrize("kind", SPANS)
def test_seconds_somebody_was_given_are_neither_fewer_nor_more(kind: Deadline, by: timedelta) -> None:
    it = callback(Status.CONNECTED, assigned_to="1001", deadlines={kind: NOON + timedelta(seconds=20)})
    assert after(it, by).deadlines[kind] - (NOON + by) == timedelta(seconds=20)


@JUMPS
def test_the_agent_who_was_just_offered_it_does_not_miss_it_by_the_jump(by: timedelta) -> None:
    """Not the agent whose phone rings, nor the customer whose phone does, nor the caller in the menu."""
    agent = Leg("l", Role.AGENT, "1001", LegState.RINGING)
    it = callback(Status.OFFERED, assigned_to="1001", legs=(agent,), deadlines={Deadline.OFFER: NOON + HOUR / 180})
    assert decide(after(it, by), Context(ALWAYS, NOON + by), TimeReached()).feed == ()
    missed = decide(after(it, by), Context(ALWAYS, NOON + by + HOUR / 180), TimeReached())
    assert [line.event for line in missed.feed] == ["rona", "reopened"]


@JUMPS
def test_an_appointment_stays_at_its_time(by: timedelta) -> None:
    at = NOON + 4 * DAY
    it = after(appointment(at), by)
    assert (it.deadlines[Deadline.DUE], it.request.promised_at, it.place.queued_at) == (at, at, at)
    assert it.deadlines[Deadline.EXPIRY] == at + 24 * HOUR


def test_an_appointment_the_clock_jumped_past_is_due_and_has_as_long_to_be_made_as_any_other() -> None:
    it = after(appointment(NOON + HOUR, ttl=HOUR), 3 * HOUR)
    due = decide(it, Context(ALWAYS, NOON + 3 * HOUR), TimeReached()).interaction
    assert (due.status, due.request.promised_at) == (Status.OPEN, NOON + HOUR)
    assert due.deadlines[Deadline.EXPIRY] == NOON + 3 * HOUR + HOUR


@JUMPS
def test_the_next_try_comes_after_the_pause_that_was_planned(by: timedelta) -> None:
    retry = {Deadline.DUE: NOON + HOUR / 2, Deadline.EXPIRY: NOON + 9 * HOUR}
    it = after(callback(Status.SCHEDULED, deadlines=retry), by)
    assert it.deadlines[Deadline.DUE] == NOON + by + HOUR / 2


@JUMPS
def test_who_waits_in_line_does_not_expire_by_the_jump_nor_live_for_ever(by: timedelta) -> None:
    it = after(callback(deadlines={Deadline.EXPIRY: NOON + HOUR}), by)
    assert it.deadlines[Deadline.EXPIRY] == NOON + by + HOUR


@JUMPS
def test_the_initial_delay_is_a_span_and_the_opening_of_the_window_is_not(by: timedelta) -> None:
    opens = datetime(2026, 11, 27, 7, tzinfo=UTC)  # 08:00 in Berlin
    assert after(callback(place=Place(ASKED, not_before=opens)), by, BY_DAY).place.not_before == opens
    soon = after(callback(place=Place(ASKED, not_before=NOON + timedelta(seconds=5))), by, BY_DAY)
    assert soon.place.not_before == NOON + by + timedelta(seconds=5)


@JUMPS
def test_places_in_line_and_exclusions_are_as_they_were(by: timedelta) -> None:
    earlier = callback(place=Place(NOON - HOUR, excluded={"1001": NOON + HOUR / 120}))
    later = callback(place=Place(NOON - HOUR / 2))
    newcomer = NOON + by
    moved = after(earlier, by)
    assert moved.place.queued_at < after(later, by).place.queued_at < newcomer
    assert moved.place.excluded["1001"] - newcomer == HOUR / 120


MOMENTS = st.integers(-200_000, 200_000).map(lambda seconds: NOON + timedelta(seconds=seconds))
SHIFTS = st.floats(-90_000, 90_000).map(lambda seconds: timedelta(seconds=round(seconds, 3)))


@st.composite
def anything(draw: st.DrawFn) -> Interaction:
    """Any times that a row may have at noon: what was lies before it."""
    past = MOMENTS.filter(lambda at: at <= NOON)
    requested = draw(past)
    promised = draw(MOMENTS.filter(lambda at: at >= requested))
    due = st.sampled_from([promised]) | MOMENTS
    return callback(
        request=Request(Origin.QUEUED, requested, promised),
        place=Place(
            draw(past | st.just(promised)),
            not_before=draw(st.none() | MOMENTS),
            excluded=draw(st.dictionaries(st.sampled_from(["1001", "1002"]), MOMENTS)),
        ),
        deadlines=draw(st.dictionaries(st.sampled_from(SPANS), MOMENTS) | st.fixed_dictionaries({Deadline.DUE: due})),
    )


@given(it=anything(), by=SHIFTS)
def test_nothing_is_promised_before_it_was_asked_for_and_no_span_changes(it: Interaction, by: timedelta) -> None:
    assume(by)
    moved = after(it, by, BY_DAY)
    assert (
        moved.request.promised_at
        and moved.request.requested_at
        and moved.request.promised_at >= moved.request.requested_at
    )
    assert moved.request.requested_at <= NOON + by or moved.request.requested_at <= NOON
    for kind in moved.deadlines.keys() & set(SPANS):
        assert moved.deadlines[kind] - (NOON + by) == it.deadlines[kind] - NOON


@given(it=anything(), by=SHIFTS)
def test_a_jump_is_followed_once_however_often_the_row_is_read(it: Interaction, by: timedelta) -> None:
    once = after(it, by, BY_DAY)
    assert rebased(once, BY_DAY, once.shift, NOON + by + HOUR) == once


ZONES = st.sampled_from(
    [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Africa/Casablanca",
        "Asia/Tehran",
    ]
)


@given(zone=ZONES, day=st.dates(date(2025, 1, 1), date(2030, 1, 1)), by=SHIFTS)
def test_an_appointment_on_a_wall_clock_is_due_then_whatever_the_clock_did_before(
    zone: str, day: date, by: timedelta
) -> None:
    """F30: neither early nor late, on the days the summer time changes as well; and once."""
    at = datetime.combine(day, time(2, 30), ZoneInfo(zone)).astimezone(UTC)
    before = at - 2 * DAY
    it = after(appointment(at), by, now=before)
    early = decide(it, Context(ALWAYS, at - timedelta(microseconds=1)), TimeReached())
    assert (early.interaction.status, early.feed) == (Status.SCHEDULED, ())
    due = decide(it, Context(ALWAYS, at), TimeReached())
    assert (due.interaction.status, [line.event for line in due.feed]) == (Status.OPEN, ["due"])
    back = after(due.interaction, -HOUR, now=at)
    assert decide(back, Context(ALWAYS, at), TimeReached()).feed == (), "it is not due twice"


@JUMPS
def test_a_talk_knows_no_time(by: timedelta) -> None:
    legs = (Leg("a", Role.AGENT, "1001", LegState.UP), Leg("c", Role.CUSTOMER, NUMBER, LegState.UP))
    it = callback(Status.CONNECTED, stage=Stage.TALKING, assigned_to="1001", desk=AgentPreferences(), legs=legs)
    assert decide(after(it, by), Context(ALWAYS, NOON + by), TimeReached()).feed == ()
