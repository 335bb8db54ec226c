"""Who is let in: `Queue.admission` against the calls that are there."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from routing.core.interaction import Interaction, Leg, Place, Role
from routing.core.queues import Admission, Queue
from routing.engine.legs import Legs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUPPORT = Queue(name="support", admission=Admission(calls=2, calls_per_number=None))
SALES = Queue(name="sales", admission=Admission(calls_per_number=2))
HERE, THERE = "+4930111", "+4930222"


def waiting(leg: str, *, queue: str = "support", number: str = HERE, owner: UUID | None = None) -> Interaction:
    it = Interaction(id=owner or uuid4(), queue=queue, queue_version=1, entered_at=NOW, place=Place(NOW))
    return replace(it, legs=(Leg(leg, Role.CALLER, number),))


def test_a_queue_that_is_full_lets_nobody_in_until_somebody_has_left() -> None:
    legs = Legs()
    assert [legs.let_in(leg, SUPPORT, "") for leg in "abc"] == [None, None, "calls"]
    legs.drop("a")
    assert legs.let_in("c", SUPPORT, "") is None


def test_one_number_calls_so_often_over_all_queues() -> None:
    legs = Legs()
    assert legs.let_in("a", SUPPORT, HERE) is None
    assert legs.let_in("b", SALES, HERE) is None
    assert legs.let_in("c", SALES, HERE) == "calls_per_number"
    assert legs.let_in("d", SALES, THERE) is None


def test_who_withholds_the_number_is_not_taken_for_one_caller() -> None:
    legs = Legs()
    assert [legs.let_in(leg, SALES, "") for leg in "abc"] == [None, None, None]


def test_without_limits_everybody_is_let_in() -> None:
    anybody = Queue(name="anybody", admission=Admission(calls_per_number=None))
    legs = Legs()
    assert {legs.let_in(str(n), anybody, HERE) for n in range(50)} == {None}


def test_a_call_known_from_its_row_counts_as_one_that_was_let_in() -> None:
    legs = Legs()
    it = waiting("a")
    legs.let_in("a", SUPPORT, HERE)
    legs.follow(None, it)
    assert legs.let_in("b", SUPPORT, THERE) is None, "the first counts once"
    legs.follow(it, replace(it, legs=()))
    assert legs.let_in("c", SUPPORT, THERE) is None, "it has ended"


def test_legs_we_made_are_no_calls_in() -> None:
    legs = Legs()
    it = waiting("a")
    legs.follow(None, replace(it, legs=(*it.legs, Leg("b", Role.AGENT, "1001"), Leg("c", Role.CUSTOMER, HERE))))
    assert legs.owner("b") == legs.owner("c") == it.id
    assert legs.let_in("d", SUPPORT, THERE) is None


def test_what_is_forgotten_counts_no_more() -> None:
    legs = Legs()
    for leg in "ab":
        legs.follow(None, waiting(leg, owner=UUID(int=1)))
    legs.forget(UUID(int=1))
    assert "a" not in legs
    assert legs.let_in("c", SUPPORT, HERE) is None


def test_a_leg_that_belongs_to_another_by_now_is_not_taken_from_it() -> None:
    """A caller whose first row was stored unheard of has come back, under the same channel, as another."""
    legs = Legs()
    first, second = waiting("a"), waiting("a")
    legs.follow(None, first)
    legs.follow(None, second)
    legs.follow(first, replace(first, legs=()))
    assert legs.owner("a") == second.id
