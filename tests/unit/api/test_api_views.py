"""Who sees what of an interaction."""

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Literal, get_args, get_origin
from uuid import UUID

import pytest

from routing.api.http.viewer import Viewer
from routing.api.interactions import views
from routing.api.live import messages
from routing.core.feed import FeedEvent, FeedLine
from routing.core.interaction import (
    AgentPreferences,
    Attempt,
    Deadline,
    Interaction,
    Leg,
    LegState,
    Origin,
    Outcome,
    Place,
    Request,
    Role,
    Status,
    Subtype,
)
from routing.core.lifecycle import Decision
from routing.core.queues import Offer, Queue
from routing.store.read.feed import Line
from routing.store.tokens import Identity
from routing.store.tokens import Role as Access

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NUMBER = "+4915112345678"
IT = Interaction(UUID(int=1), "support", 1, NOW, Place(NOW), number=NUMBER, dialled_number="600")

ADMIN = Viewer(Identity(Access.ADMIN))
AUDITOR = Viewer(Identity(Access.AUDITOR))
ADA = Viewer(Identity(Access.AGENT, "1001"), frozenset({"support"}))
BOB = Viewer(Identity(Access.AGENT, "1002"), frozenset({"sales"}))
OFFERED = replace(IT, status=Status.OFFERED, assigned_to="1001", deadlines={Deadline.OFFER: NOW})


def test_agents_see_their_queues_and_what_is_theirs() -> None:
    assert [viewer.may_see(IT) for viewer in (ADMIN, AUDITOR, ADA, BOB)] == [True, True, True, False]
    assert BOB.may_see(replace(OFFERED, assigned_to="1002"))


def test_whole_numbers_are_for_administrators_and_for_who_has_the_call() -> None:
    assert [viewer.reads_number_of(IT) for viewer in (ADMIN, AUDITOR, ADA)] == [True, False, False]
    assert ADA.reads_number_of(OFFERED)
    assert not BOB.reads_number_of(OFFERED)


def test_nobody_owns_what_nobody_has() -> None:
    assert not ADMIN.owns(IT)


def test_a_masked_interaction_has_no_trace_of_the_number() -> None:
    assert NUMBER not in repr(views.interaction(IT, 1, full=False))
    assert views.interaction(IT, 1, full=True).number == NUMBER
    assert views.interaction(replace(IT, number=None), 1, full=False).number is None


def test_a_callback_from_a_call_is_queued_with_its_times() -> None:
    due = NOW + timedelta(minutes=5)
    it = replace(
        IT,
        subtype=Subtype.CALLBACK,
        request=Request(Origin.QUEUED),
        deadlines={Deadline.DUE: due, Deadline.EXPIRY: NOW},
    )

    shown = views.interaction(it, None, full=True)

    assert (shown.kind, shown.due_at, shown.expires_at) == ("queued", due, NOW)
    assert views.interaction(IT, None, full=True).kind is None


@pytest.mark.parametrize(
    ("leg", "changes", "state"),
    [
        (LegState.REQUESTED, {}, "dialing"),
        (LegState.RINGING, {}, "ringing"),
        (LegState.UP, {"answered_at": NOW}, "answered"),
        (None, {}, "dialing"),
        (None, {"answered_at": NOW, "ended_at": NOW, "outcome": Outcome.ANSWERED}, "ended"),
    ],
)
def test_an_attempt_is_in_the_state_of_its_leg(leg: LegState | None, changes: dict[str, object], state: str) -> None:
    attempt = replace(Attempt("a" * 32, 1, "1001", NOW), **changes)
    legs = (Leg(attempt.id, Role.CUSTOMER, NUMBER, leg),) if leg else ()

    assert views.interaction(replace(IT, attempts=(attempt,), legs=legs), None, full=True).attempts[0].state == state


@pytest.mark.parametrize(
    ("own", "queues", "mode"),
    [(None, "manual", "manual"), ("auto", "manual", "auto"), (None, "auto", "auto"), ("manual", "auto", "manual")],
)
def test_the_agents_own_accept_mode_wins(own: str | None, queues: str, mode: str) -> None:
    queue = Queue(name="support", offer=Offer.model_validate({"accept_mode": queues, "countdown": 7}))

    offer = views.offer(
        replace(OFFERED, desk=AgentPreferences(accept_mode=own)), 1, queue, NOW + timedelta(seconds=87.9)
    )

    assert (offer.accept_mode, offer.countdown) == (mode, 7 if mode == "auto" else None)
    assert (offer.deadline, offer.waited, offer.interaction.number) == (NOW, 87, NUMBER)


def test_who_has_an_appointment_has_waited_since_its_time() -> None:
    due = NOW + timedelta(days=1)
    it = replace(OFFERED, place=Place(due), request=Request(Origin.SCHEDULED, promised_at=due))

    assert views.offer(it, 1, Queue(name="support"), due + timedelta(seconds=9)).waited == 9


@pytest.mark.parametrize(
    ("promised", "queued", "told"),
    [
        (NOW, NOW, None),
        (NOW + SECOND, NOW - SECOND, None),
        (NOW, NOW + SECOND, None),
        (NOW + SECOND, NOW + SECOND, NOW + SECOND),
    ],
    ids=["asked over the API", "keeps the place", "goes to the end", "for a time"],
)
def test_a_time_is_told_as_promised_only_when_somebody_was_promised_it(
    promised: datetime, queued: datetime, told: datetime | None
) -> None:
    it = replace(IT, place=Place(queued), request=Request(requested_at=NOW, promised_at=promised))
    assert views.interaction(it, None, full=True).promised_at == told


CONSTANT_AND_TRUE = {("Interaction", "communication_type"), ("Alive", "status")}


def test_no_answer_has_a_field_that_can_only_ever_say_one_thing() -> None:
    names = [f"routing.api.{path.parent.name}.answers" for path in (ROOT / "routing/api").glob("*/answers.py")]
    told_in = [import_module(name) for name in [*names, "routing.api.http.page"]]
    shapes = [
        each
        for module in told_in
        for each in vars(module).values()
        if getattr(each, "__module__", "") == module.__name__
    ]
    told = {
        (shape.__name__, each.name): each.type for shape in shapes if is_dataclass(shape) for each in fields(shape)
    }
    constant = {
        name
        for name, kind in told.items()
        if kind is None or (len(get_args(kind)) == 1 and get_origin(kind) is Literal)
    }
    assert len(told) > 80 and constant == CONSTANT_AND_TRUE


def test_the_feed_of_an_edited_number_is_masked_for_those_who_may_not_see_it() -> None:
    edited = Line(1, NOW, "edited", "operator:admin", Status.OPEN, {"field": "number", "old": None, "new": NUMBER})
    other = replace(edited, data={"field": "priority", "old": 0, "new": 5})

    assert views.feed_line(edited, full=True).data == edited.data
    assert views.feed_line(edited, full=False).data == {"field": "number", "old": None, "new": "+49******678"}
    assert views.feed_line(other, full=False).data == other.data


def test_an_offer_is_told_to_its_agent_and_to_who_watches_over_all() -> None:
    told = messages.offer(9, OFFERED, 1, Queue(name="support"), NOW)

    assert [told.text_for(viewer) is not None for viewer in (ADA, BOB, ADMIN, AUDITOR)] == [True, False, True, False]


def test_a_message_is_made_once_for_all_who_see_the_same() -> None:
    told = messages.interaction_changed(9, IT, 1)

    assert told.text_for(ADMIN) is told.text_for(replace(ADMIN))
    assert told.text_for(ADA) is told.text_for(AUDITOR)
    assert NUMBER not in str(told.text_for(ADA))
    assert told.text_for(BOB) is None


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([FeedLine(FeedEvent.REJECTED, "agent:1001")], "rejected"),
        ([FeedLine(FeedEvent.RONA, "system"), FeedLine(FeedEvent.REOPENED, "system")], "rona"),
        ([FeedLine(FeedEvent.OFFER_WITHDRAWN, "system", {"reason": "logged_out"})], "logged_out"),
        ([FeedLine(FeedEvent.ABANDONED, "caller")], "abandoned"),
        ([], "ended"),
    ],
)
def test_a_withdrawn_offer_says_why(lines: list[FeedLine], reason: str) -> None:
    told = messages.offer_withdrawn(9, "1001", Decision(IT, feed=tuple(lines)))

    assert f'"reason":"{reason}"' in str(told.text_for(ADA))
