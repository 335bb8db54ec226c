"""Callbacks from outside a call: asked for, cancelled, moved, given away, put off, settled, edited."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from story import Story, converted, in_menu, offered, talking, waiting

from routing.core.context import Context
from routing.core.effects import HangUp, RingAgent
from routing.core.errors import DispositionRequired, Forbidden, InvalidNumber, NotOpen, RingbackError, WrongStage
from routing.core.events import (
    CallbackRequested,
    CallEnded,
    Cancelled,
    Edited,
    LegAnswered,
    LegGone,
    LegRinging,
    NoteAdded,
    Offered,
    Operation,
    PickedUp,
    Reassigned,
    Requeued,
    Rescheduled,
    Settled,
    TimeReached,
    WorkDone,
)
from routing.core.interaction import Deadline, Origin, Outcome, Request, Role, Stage, Status, Subtype
from routing.core.lifecycle import decide, request
from routing.core.queues import Queue
from tests.lifecycle.explore import QUEUE, START, arrival

NUMBER, OTHER = "+4915112345678", "+4915198765432"
ADMIN = "operator:admin"


class Requested(Story):
    """The story of a callback that somebody asked for."""

    def __init__(self, queue: Queue = QUEUE, **asked: Any) -> None:
        event = CallbackRequested(ADMIN, queue.name, NUMBER, **asked)
        self._begin(queue, request(UUID(int=8), Context(queue, START), 1, event), "CallbackRequested")
        assert self.so_far() == ["> CallbackRequested", f"= {self.it.status}"]

    def called(self, sip_cause: int) -> None:
        """An agent takes it, the customer is not reached, and the agent has nothing to add."""
        nth = f"-{len(self.it.attempts) + 1}" if self.it.attempts else ""
        self.then(PickedUp("1001"))
        self.then(LegRinging(self.leg(Role.AGENT).id))
        self.then(LegGone(self.leg(Role.CUSTOMER).id, sip_cause))
        self.then(WorkDone("1001"))
        self.does(
            f"""
            > PickedUp 1001
              RingAgent agent{nth} 1001 {NUMBER} timeout=35
            = connected agent_ringing
            > LegRinging agent{nth}
              DialCustomer customer{nth} {NUMBER} 600 timeout=35
            = connected dialing
            > LegGone customer{nth} sip_cause={sip_cause}
              HangUp agent{nth}
            = connected ready_to_call
            > WorkDone 1001
            = {self.it.status}
            """
        )

    def due_again(self, seconds: float) -> None:
        """Nothing happens until then, and then it is in line."""
        self.wait()
        self.does(
            f"""
            > TimeReached after {seconds:.10g} s
            = open
            """
        )

    def told(self, event: str) -> dict[str, Any]:
        (data,) = (dict(each.data) for each in self.last.feed if each.event == event)
        return data


def queue(**dial: Any) -> Queue:
    config = QUEUE.model_dump(mode="json")
    return Queue.model_validate({**config, "dial": {**config["dial"], **dial}})


# Asked for


def test_a_callback_that_is_asked_for_is_in_line_at_once() -> None:
    story = Requested(name="Ada", case_data={"order": 7}, instructions="be kind")

    story.is_now(Status.OPEN)
    it = story.it
    assert (it.subtype, it.request.origin, it.number, it.place.queued_at) == (
        Subtype.CALLBACK,
        Origin.REQUESTED,
        NUMBER,
        START,
    )
    assert (it.case.name, it.case.data, it.case.instructions, it.dialled_number) == (
        "Ada",
        {"order": 7},
        "be kind",
        "600",
    )
    assert it.deadlines == {Deadline.EXPIRY: START + timedelta(days=1)}
    offered(story)


@pytest.mark.parametrize("ahead", [timedelta(seconds=2), timedelta(minutes=90), timedelta(days=30)])
def test_one_asked_for_a_time_waits_for_it_and_then_has_the_place_of_that_time(ahead: timedelta) -> None:
    story = Requested(at=START + ahead)

    story.is_now(Status.SCHEDULED)
    assert (story.it.request.origin, story.it.request.promised_at, story.it.wake_at) == (
        Origin.SCHEDULED,
        START + ahead,
        START + ahead,
    )
    with pytest.raises(NotOpen):
        story.then(PickedUp("1001"))
    assert story.then(Offered("1001")).ignored
    story.wait()

    story.does(
        f"""
        > Offered 1001
          (ignored)
        > TimeReached after {ahead.total_seconds() - 0.2:.10g} s
        = open
        """
    )
    assert story.now == story.it.place.queued_at == START + ahead
    assert story.it.wake_at == START + ahead + timedelta(days=1), "its life begins when it is due"


def test_a_time_that_has_passed_is_now() -> None:
    Requested(at=START - timedelta(seconds=1)).is_now(Status.OPEN)


# How callbacks end


@pytest.mark.parametrize("delay", [0.5, 30.0, 900.0, 86400.0, 3 * 86400.0])
def test_a_busy_customer_is_called_again_after_seconds_or_days(delay: float) -> None:
    story = Requested(queue(retry={"busy": [3, delay]}, max_attempts=9, ttl=7 * 86400))
    for _ in range(2):
        story.called(486)
        story.due_again(delay)

    story.called(486)

    assert (story.it.status, story.it.outcome) == (Status.CLOSED, "failed_max_attempts")


@pytest.mark.parametrize(
    ("causes", "outcome"),
    [
        ([486, 480, 486], "failed_max_attempts"),  # whatever the mixture, three attempts are enough
        ([503] * 5, "failed_max_attempts"),  # the network's failures have a limit of their own
        ([404], "invalid_number"),
        ([486, 404], "invalid_number"),
    ],
)
def test_trying_ends_by_the_rules_of_each_outcome(causes: list[int], outcome: str) -> None:
    limits = {"busy": [3, 60], "no_answer": [3, 60], "congestion": [5, 60]}
    story = Requested(queue(retry=limits, max_attempts=3))
    for cause in causes[:-1]:
        story.called(cause)
        story.due_again(60)

    story.called(causes[-1])

    assert (story.it.status, story.it.outcome) == (Status.CLOSED, outcome)
    assert len(story.it.attempts) == len(causes)


def test_a_callback_nobody_makes_expires_in_line_and_while_it_waits_for_another_try() -> None:
    in_line, retried = Requested(), Requested(queue(retry={"busy": [2, 2 * 86400]}))
    retried.called(486)
    for story in (in_line, retried):
        passed = (story.now - START).total_seconds()
        story.wait()
        story.does(
            f"""
            > TimeReached after {86400 - passed:.10g} s
            = closed
            """
        )
        assert story.it.outcome == "expired"


def test_a_callback_that_is_offered_does_not_expire_under_the_agents_hands() -> None:
    story = Requested(queue(ttl=60))
    story.then(Offered("1001"), 59)
    story.then(TimeReached(), 2)
    story.is_now(Status.OFFERED)

    story.wait()

    assert (story.it.status, story.it.outcome) == (Status.CLOSED, "expired"), "nobody took it"
    story.does(
        """
        > Offered 1001 after 59 s
          RingAgent agent 1001 +4915112345678 timeout=35
        = offered
        > TimeReached after 2 s
        > TimeReached after 18 s
          HangUp agent
          (not ready: 1001, rona)
        = closed
        """
    )


# Cancelled


def test_a_callback_is_cancelled_while_it_waits_is_due_later_or_rings_at_an_agents_phone() -> None:
    in_line, later, ringing = Requested(), Requested(at=START + timedelta(hours=1)), Requested()
    offered(ringing)
    phone = ringing.leg(Role.AGENT)
    for story in (in_line, later, ringing):
        story.then(Cancelled(ADMIN, "solved by mail"))
        hang_up = "\n  HangUp agent" if story is ringing else ""
        story.does(f"> Cancelled operator:admin solved by mail{hang_up}\n= closed")
        assert (story.it.status, story.it.outcome) == (Status.CLOSED, "cancelled_by_operator")
        assert story.told("cancelled") == {"reason": "solved by mail"}
        assert story.it.wake_at is None
    assert ringing.told("offer_withdrawn") == {"agent": "1001", "reason": "cancelled"}
    assert ringing.then(LegAnswered(phone.id)).ignored, "who lifts a moment too late dials nobody"
    ringing.does("> LegAnswered agent\n  (ignored)")


@pytest.mark.parametrize("stage", [Stage.AGENT_RINGING, Stage.DIALING, Stage.TALKING, Stage.READY_TO_CALL])
def test_what_an_agent_works_on_is_not_cancelled_and_says_where_it_is(stage: Stage) -> None:
    story = at(stage)

    with pytest.raises(WrongStage, match=stage):
        story.then(Cancelled(ADMIN))


def at(stage: Stage) -> Story:
    if stage in (Stage.TALKING, Stage.READY_TO_CALL):
        story = talking(converted())
        story.then(LegAnswered(story.leg(Role.CUSTOMER).id))
        if stage is Stage.READY_TO_CALL:
            story.then(CallEnded("1001"))
    else:
        story = converted()
        story.then(PickedUp("1001"))
        if stage is Stage.DIALING:
            story.then(LegRinging(story.leg(Role.AGENT).id))
    story.is_now(Status.CONNECTED, stage)
    story.so_far()
    return story


def test_a_caller_on_the_line_is_not_cancelled() -> None:
    for story in (waiting(), in_menu()):
        with pytest.raises(WrongStage):
            story.then(Cancelled(ADMIN))


OPERATIONS: list[Operation] = [
    Cancelled(ADMIN),
    Requeued(ADMIN),
    Reassigned(ADMIN, "1002"),
    Rescheduled(ADMIN, START + timedelta(days=2)),
    Settled(ADMIN, resolved=True),
    Edited(ADMIN, priority=1),
    NoteAdded(ADMIN, "late"),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: type(each).__name__)
def test_closed_is_final_for_everybody(operation: Operation) -> None:
    story = Requested()
    story.then(Cancelled(ADMIN))

    with pytest.raises(NotOpen):
        story.then(operation)
    story.does(
        """
        > Cancelled operator:admin
        = closed
        """
    )


# Requeued and reassigned


def test_an_offer_is_taken_back_to_the_line_at_its_old_place() -> None:
    story = offered(Requested())
    phone = story.leg(Role.AGENT)

    story.then(Requeued(ADMIN, priority=3))

    story.is_now(Status.OPEN)
    assert story.done(HangUp) == [HangUp(phone.id)]
    assert (story.it.place.queued_at, story.it.place.priority, story.it.assigned_to) == (START, 3, None)
    story.does(
        """
        > Requeued operator:admin priority=3
          HangUp agent
        = open
        """
    )


def test_a_scheduled_callback_comes_at_once_and_into_another_queue() -> None:
    story = Requested(at=START + timedelta(hours=1))

    story.then(Requeued(ADMIN, queue="sales", queue_version=4))

    story.is_now(Status.OPEN)
    assert (story.it.queue, story.it.queue_version) == ("sales", 4)
    assert Deadline.DUE not in story.it.deadlines
    assert story.told("requeued") == {"queue": "sales", "old_queue": "support"}
    story.does(
        """
        > Requeued operator:admin sales queue_version=4
        = open
        """
    )


def test_a_live_caller_is_put_before_others_but_stays_in_the_queue() -> None:
    story = Story()

    story.then(Requeued(ADMIN, priority=9))
    assert (story.it.status, story.it.place.priority) == (Status.OPEN, 9)
    assert Deadline.NEXT_STEP in story.it.deadlines
    with pytest.raises(WrongStage):
        story.then(Requeued(ADMIN, queue="sales", queue_version=1))
    story.does(
        """
        > CallerArrived +4915112345678
          Answer caller
          StartMusic caller
        = open
        > Requeued operator:admin priority=9
        """
    )


def test_after_a_talk_a_callback_in_the_line_again_is_tried_as_often_as_a_new_one() -> None:
    story = at(Stage.READY_TO_CALL)

    story.then(Requeued(ADMIN))
    story.is_now(Status.OPEN)
    story.then(PickedUp("1002"))
    story.then(LegRinging(story.leg(Role.AGENT).id))
    story.then(LegGone(story.leg(Role.CUSTOMER).id, 486))
    story.then(WorkDone("1002"))

    story.is_now(Status.SCHEDULED)
    assert [each.outcome for each in story.it.attempts] == [Outcome.ANSWERED, Outcome.BUSY]
    story.does(
        """
        > Requeued operator:admin
        = open
        > PickedUp 1002
          RingAgent agent-2 1002 +4915112345678 timeout=35
        = connected agent_ringing
        > LegRinging agent-2
          DialCustomer customer-2 +4915112345678 600 timeout=35
        = connected dialing
        > LegGone customer-2 sip_cause=486
          HangUp agent-2
        = connected ready_to_call
        > WorkDone 1002
        = scheduled
        """
    )


def test_a_supervisor_gives_it_to_another_agent_whose_phone_then_rings() -> None:
    story = offered(Requested())
    first = story.leg(Role.AGENT)

    story.then(Reassigned(ADMIN, "1002"))

    story.is_now(Status.OFFERED)
    assert story.it.assigned_to == "1002"
    assert story.done(HangUp) == [HangUp(first.id)]
    (ring,) = story.done(RingAgent)
    assert isinstance(ring, RingAgent) and ring.agent == "1002" and ring.leg != first.id
    assert [line.status for line in story.last.feed if line.event == "reopened"] == [Status.OPEN]
    story.does(
        """
        > Reassigned operator:admin 1002
          HangUp agent
          RingAgent agent-2 1002 +4915112345678 timeout=35
        """
    )


def test_given_to_whom_it_is_offered_already_nothing_changes() -> None:
    story = offered(Requested())
    before = story.it

    assert story.then(Reassigned(ADMIN, "1001")).effects == ()
    assert story.it == before
    story.does(
        """
        > Reassigned operator:admin 1001
        """
    )


def test_taken_from_its_agent_it_is_everybodys() -> None:
    story = at(Stage.READY_TO_CALL)

    story.then(Reassigned(ADMIN))

    story.is_now(Status.OPEN)
    assert story.it.assigned_to is None
    story.does(
        """
        > Reassigned operator:admin
        = open
        """
    )


def test_nobody_is_given_a_callback_before_its_time() -> None:
    with pytest.raises(WrongStage):
        Requested(at=START + timedelta(hours=1)).then(Reassigned(ADMIN, "1001"))


# Put off and settled


@pytest.mark.parametrize("stage", [None, Stage.READY_TO_CALL])
def test_a_callback_is_put_off_and_what_was_tried_before_is_history(stage: Stage | None) -> None:
    story = at(stage) if stage else offered(Requested())
    at_noon = story.now + timedelta(hours=20)

    story.then(Rescheduled(ADMIN, at_noon, "Europe/Paris"))

    story.is_now(Status.SCHEDULED)
    assert (story.it.request.promised_at, story.it.request.time_zone, story.it.assigned_to) == (
        at_noon,
        "Europe/Paris",
        None,
    )
    assert story.it.tries == () and not story.it.legs
    story.wait()
    assert (story.now, story.it.status) == (at_noon, Status.OPEN)
    hang_up = "" if stage else "\n  HangUp agent"
    story.does(
        f"> Rescheduled operator:admin at={at_noon:%d.%m.,%H:%M:%S} Europe/Paris{hang_up}\n= scheduled\n"
        "> TimeReached after 71999.9 s\n= open"
    )


def test_an_agent_puts_off_settles_and_edits_only_what_is_theirs() -> None:
    story = at(Stage.READY_TO_CALL)
    later = story.now + timedelta(hours=1)
    for operation in (
        Rescheduled("agent:1002", later),
        Settled("agent:1002", resolved=True),
        Edited("agent:1002", instructions="x"),
    ):
        with pytest.raises(Forbidden):
            story.then(operation)

    story.then(NoteAdded("agent:1002", "I know this customer."))
    assert (story.it.case.note, story.last.feed[0].actor) == ("I know this customer.", "agent:1002")
    story.then(Rescheduled("agent:1001", later))
    story.is_now(Status.SCHEDULED)
    story.does(
        """
        > NoteAdded agent:1002 I know this customer.
        > Rescheduled agent:1001 at=01.01.,13:00:36
        = scheduled
        """
    )


def test_resolved_means_that_nobody_is_called_any_more() -> None:
    story = Requested()
    story.then(PickedUp("1001"))
    story.then(LegRinging(story.leg(Role.AGENT).id))
    story.then(LegGone(story.leg(Role.CUSTOMER).id, 486))

    story.then(Settled("agent:1001", resolved=True, note="Answered by mail."))
    story.is_now(Status.WRAP_UP)
    story.then(Settled("agent:1001", resolved=True))
    assert (story.it.status, story.it.outcome) == (Status.CLOSED, "handled")
    story.does(
        """
        > PickedUp 1001
          RingAgent agent 1001 +4915112345678 timeout=35
        = connected agent_ringing
        > LegRinging agent
          DialCustomer customer +4915112345678 600 timeout=35
        = connected dialing
        > LegGone customer sip_cause=486
          HangUp agent
        = connected ready_to_call
        > Settled agent:1001 resolved Answered by mail.
        = wrap_up
        > Settled agent:1001 resolved
        = closed
        """
    )


def test_unresolved_means_that_somebody_else_goes_on_with_it() -> None:
    story = at(Stage.READY_TO_CALL)
    queued = story.it.place.queued_at

    story.then(Settled("agent:1001", resolved=False, note="Wants to talk to a manager."))

    story.is_now(Status.OPEN)
    assert (story.it.place.queued_at, story.it.case.note) == (queued, "Wants to talk to a manager.")
    assert "1001" in story.it.place.excluded
    story.does(
        """
        > Settled agent:1001 not-resolved Wants to talk to a manager.
        = open
        """
    )


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        (Settled("agent:1001", resolved=False), "> Settled agent:1001 not-resolved\n= open"),
        (
            Rescheduled("agent:1001", START + timedelta(days=1)),
            "> Rescheduled agent:1001 at=02.01.,12:00:00\n= scheduled",
        ),
    ],
)
def test_a_call_that_came_in_lives_on_as_a_callback(operation: Operation, told: str) -> None:
    story = after_a_call(NUMBER)

    story.then(operation)

    story.does(told)
    assert (story.it.subtype, story.it.request.origin) == (Subtype.CALLBACK, Origin.QUEUED)
    assert story.it.request.requested_at and Deadline.EXPIRY in story.it.deadlines


def test_a_caller_without_a_number_cannot_be_called_back_later() -> None:
    with pytest.raises(InvalidNumber):
        after_a_call("anonymous").then(Settled("agent:1001", resolved=False))


def after_a_call(number: str) -> Story:
    story = Story(number=number)
    offered(story)
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    story.then(LegGone(story.leg(Role.AGENT).id))
    story.is_now(Status.WRAP_UP)
    story.so_far()
    return story


@pytest.mark.parametrize(
    "operation", [Settled("agent:1001", resolved=True), Rescheduled("agent:1001", START + timedelta(days=1))]
)
def test_a_queue_that_wants_a_disposition_gets_one_first(operation: Operation) -> None:
    story = after_a_call(NUMBER)
    wrap_up = {"required": True, "dispositions": [{"code": "solved"}]}
    story.queue = Queue.model_validate({**QUEUE.model_dump(mode="json"), "wrap_up": wrap_up})

    with pytest.raises(DispositionRequired):
        story.then(operation)


@pytest.mark.parametrize("stage", [Stage.DIALING, Stage.TALKING])
def test_a_call_under_way_is_ended_before_anything_else(stage: Stage) -> None:
    story = at(stage)
    for operation in (
        Requeued(ADMIN),
        Reassigned(ADMIN, "1002"),
        Rescheduled(ADMIN, story.now + timedelta(hours=1)),
        Settled(ADMIN, resolved=True),
        Edited(ADMIN, number=OTHER),
    ):
        with pytest.raises(WrongStage):
            story.then(operation)


# Edited


def test_every_edit_is_told_with_the_old_value() -> None:
    story = Requested(case_data={"order": 7, "colour": "red"}, instructions="be kind")

    story.then(Edited(ADMIN, OTHER, 5, {"colour": None, "size": "L", "order": 7}, "be quick"))

    it = story.it
    assert (it.number, it.place.priority, it.case.data, it.case.instructions) == (
        OTHER,
        5,
        {"order": 7, "size": "L"},
        "be quick",
    )
    assert [dict(line.data) for line in story.last.feed] == [
        {"field": "number", "old": NUMBER, "new": OTHER},
        {"field": "priority", "old": 0, "new": 5},
        {"field": "instructions", "old": "be kind", "new": "be quick"},
        {"field": "case_data", "old": {"colour": "red", "size": None}, "new": {"colour": None, "size": "L"}},
    ]
    story.does(
        """
        > Edited operator:admin +4915198765432 priority=5 case_data={'colour': None, 'size': 'L', 'order': 7} be quick
        """
    )


def test_an_edit_that_changes_nothing_writes_nothing() -> None:
    story = Requested(case_data={"order": 7})
    before = story.it

    assert story.then(Edited(ADMIN, NUMBER, 0, {"order": 7})).feed == ()
    assert story.it == before
    story.does(
        """
        > Edited operator:admin +4915112345678 priority=0 case_data={'order': 7}
        """
    )


def test_with_another_number_the_trying_begins_anew() -> None:
    story = Requested(queue(max_attempts=1))
    story.then(PickedUp("1001"))
    story.then(LegRinging(story.leg(Role.AGENT).id))
    story.then(LegGone(story.leg(Role.CUSTOMER).id, 486))

    story.then(Edited("agent:1001", number=OTHER))
    story.then(WorkDone("1001"))

    story.is_now(Status.SCHEDULED)
    story.does(
        """
        > PickedUp 1001
          RingAgent agent 1001 +4915112345678 timeout=35
        = connected agent_ringing
        > LegRinging agent
          DialCustomer customer +4915112345678 600 timeout=35
        = connected dialing
        > LegGone customer sip_cause=486
          HangUp agent
        = connected ready_to_call
        > Edited agent:1001 +4915198765432
        > WorkDone 1001
        = scheduled
        """
    )


def test_the_number_of_a_caller_is_not_edited() -> None:
    for story in (waiting(), in_menu(), after_a_call(NUMBER)):
        with pytest.raises(RingbackError) as refused:
            story.then(Edited(ADMIN, number=OTHER))
        assert refused.value.code == "wrong_stage"


def test_what_was_asked_for_by_a_clock_that_was_ahead_is_promised_no_earlier() -> None:
    asked_at = START + timedelta(seconds=0.2)
    called = arrival().interaction.changed(
        status=Status.WRAP_UP, assigned_to="1001", legs=(), number=NUMBER, request=Request(requested_at=asked_at)
    )
    it = decide(called, Context(QUEUE, START), Rescheduled(ADMIN, START + timedelta(seconds=0.1))).interaction
    assert it.request.requested_at == asked_at and it.request.promised_at == asked_at
