"""Single lives of an interaction, told step by step: what happened, what it led to, what was done."""

from dataclasses import replace
from datetime import timedelta

import pytest
from story import CALLER, Story, converted, in_menu, not_ready, offered, talking, waiting

from ivr.workflow import Workflow
from routing.core.agents import Work
from routing.core.effects import (
    AddToBridge,
    Answer,
    DialCustomer,
    HangUp,
    PlayPrompt,
    PlayRingback,
    RingAgent,
    StartMusic,
    StopPrompt,
)
from routing.core.errors import DispositionRequired, NotOffered, NotOpen, WrongStage
from routing.core.events import (
    CallEnded,
    DuplicateFound,
    LegAnswered,
    LegGone,
    LegRinging,
    OfferAccepted,
    Offered,
    OfferRejected,
    PickedUp,
    PromptFinished,
    Reassigned,
    Redialled,
    ServiceRestarted,
    TimeReached,
    WorkDone,
)
from routing.core.interaction import LegState, Role, Stage, Status, Subtype
from routing.core.lifecycle import Assigned, Continued, NotReady, Released
from tests.lifecycle.explore import QUEUE, START


def test_a_call_is_answered_only_once_its_row_is_there_and_hears_music() -> None:
    story = Story()
    story.is_now(Status.OPEN)
    assert story.done(Answer) and story.done(StartMusic)
    assert story.it.number == "+4915112345678"
    story.does(
        """
        > CallerArrived +4915112345678
          Answer caller
          StartMusic caller
        = open
        """
    )


def test_steps_run_in_their_order_with_each_timer_counted_from_the_end_of_the_step_before() -> None:
    story = Story()
    story.wait()
    assert story.now == START + timedelta(seconds=10)
    story.is_now(Status.OPEN, Stage.ANNOUNCING)
    story.then(PromptFinished(CALLER, story.it.playing or ""), 3)
    story.is_now(Status.OPEN)
    story.wait()
    assert story.now == START + timedelta(seconds=10 + 3 + 20)
    story.is_now(Status.BOT, Stage.MENU)
    story.does(
        """
        > CallerArrived +4915112345678
          Answer caller
          StartMusic caller
        = open
        > TimeReached after 10 s
          PlayPrompt caller position-first
        = open announcing
        > PromptFinished caller after 3 s
          StartMusic caller
        = open
        > TimeReached after 20 s
          PlayPrompt caller menu-offer
        = bot menu
        """
    )


def test_who_presses_1_waits_on_at_the_same_place() -> None:
    story = in_menu()
    story.press("1")
    story.is_now(Status.OPEN)
    assert story.it.place.queued_at == START and story.done(StartMusic)
    story.does(
        """
        > DigitPressed caller 1
          StopPrompt caller
          StartMusic caller
        = open
        """
    )


def test_wrong_keys_are_asked_again_and_then_wait_on() -> None:
    story = in_menu()
    story.press("7")
    story.press("7")
    story.is_now(Status.OPEN)
    assert story.it.place.queued_at == START
    story.does(
        """
        > DigitPressed caller 7
          StopPrompt caller
          PlayPrompt caller invalid menu-offer
        > DigitPressed caller 7
          StopPrompt caller
          StartMusic caller
        = open
        """
    )


def test_the_key_that_chooses_callback_commits_it_whenever_the_caller_hangs_up() -> None:
    story = in_menu()
    story.press("2")
    assert story.it.request.requested_at
    story.then(LegGone(CALLER), 0.05)
    story.is_now(Status.OPEN)
    assert story.it.subtype is Subtype.CALLBACK and story.it.place.queued_at == START
    story.does(
        """
        > DigitPressed caller 2
          StopPrompt caller
          PlayPrompt caller confirm-number digits:+4915112345678 confirm-keys-other
        = bot confirm
        > LegGone caller after 0.05 s
        = open
        """
    )


def test_hanging_up_in_the_read_back_abandons_where_the_queue_says_so() -> None:
    callback = QUEUE.callback.model_copy(update={"on_hangup": "abandon"})
    story = in_menu(callback=callback)
    story.press("2")
    story.then(LegGone(CALLER))
    story.is_now(Status.CLOSED)
    assert story.it.outcome == "abandoned"
    story.does(
        """
        > DigitPressed caller 2
          StopPrompt caller
          PlayPrompt caller confirm-number digits:+4915112345678 confirm-keys-other
        = bot confirm
        > LegGone caller
        = closed
        """
    )


def test_a_digit_before_the_read_back_ended_confirms_nothing() -> None:
    story = in_menu()
    story.press("2")
    story.press("1")
    assert story.last.ignored
    story.said()
    story.press("1")
    story.is_now(Status.BOT, Stage.BOOKED)
    story.does(
        """
        > DigitPressed caller 2
          StopPrompt caller
          PlayPrompt caller confirm-number digits:+4915112345678 confirm-keys-other
        = bot confirm
        > DigitPressed caller 1
          (ignored)
        > PromptFinished caller
          StartMusic caller
        > DigitPressed caller 1
          PlayPrompt caller booked
        = bot booked
        """
    )


def test_the_promise_is_followed_by_the_system_hanging_up_and_an_open_callback() -> None:
    story = in_menu()
    story.press("2")
    story.said()
    story.press("1")
    assert story.it.request.promised_at
    story.said()
    assert story.done(HangUp)
    story.is_now(Status.BOT, Stage.BOOKED)
    story.then(LegGone(CALLER))
    story.is_now(Status.OPEN)
    assert story.it.subtype is Subtype.CALLBACK
    story.does(
        """
        > DigitPressed caller 2
          StopPrompt caller
          PlayPrompt caller confirm-number digits:+4915112345678 confirm-keys-other
        = bot confirm
        > PromptFinished caller
          StartMusic caller
        > DigitPressed caller 1
          PlayPrompt caller booked
        = bot booked
        > PromptFinished caller
          HangUp caller
        > LegGone caller
        = open
        """
    )


def test_star_withdraws_and_waits_on() -> None:
    story = in_menu()
    story.press("2")
    story.said()
    story.press("*")
    story.is_now(Status.OPEN)
    assert story.it.request.requested_at is None
    story.then(LegGone(CALLER), 60)
    assert story.it.outcome == "abandoned"
    story.does(
        """
        > DigitPressed caller 2
          StopPrompt caller
          PlayPrompt caller confirm-number digits:+4915112345678 confirm-keys-other
        = bot confirm
        > PromptFinished caller
          StartMusic caller
        > DigitPressed caller *
          StartMusic caller
        = open
        > LegGone caller after 60 s
        = closed
        """
    )


def test_another_number_is_entered_read_back_and_confirmed() -> None:
    story = in_menu()
    story.press("2")
    story.said()
    story.press("2")
    for digit in "030901820#":
        story.press(digit)
    story.said()
    story.press("1")
    assert story.it.number == "+4930901820"
    story.does(
        """
        > DigitPressed caller 2
          StopPrompt caller
          PlayPrompt caller confirm-number digits:+4915112345678 confirm-keys-other
        = bot confirm
        > PromptFinished caller
          StartMusic caller
        > DigitPressed caller 2
          PlayPrompt caller enter-number
        = bot number_entry
        > DigitPressed caller 0
          StopPrompt caller
          StartMusic caller
        > DigitPressed caller 3
        > DigitPressed caller 0
        > DigitPressed caller 9
        > DigitPressed caller 0
        > DigitPressed caller 1
        > DigitPressed caller 8
        > DigitPressed caller 2
        > DigitPressed caller 0
        > DigitPressed caller #
          PlayPrompt caller confirm-number digits:+4930901820 confirm-keys-other
        = bot confirm
        > PromptFinished caller
          StartMusic caller
        > DigitPressed caller 1
          PlayPrompt caller booked
        = bot booked
        """
    )


def test_another_number_that_is_read_back_but_never_confirmed_leaves_the_callers_own() -> None:
    story = in_menu()
    story.press("2")
    story.said()
    story.press("2")
    for digit in "015112345679#":
        story.press(digit)
    for _ in range(QUEUE.workflow.steps[1].tries):
        story.is_now(Status.BOT, Stage.CONFIRM)
        story.said()
        story.wait()
    story.is_now(Status.BOT, Stage.BOOKED)
    assert story.it.number == "+4915112345678"
    story.does(
        """
        > DigitPressed caller 2
          StopPrompt caller
          PlayPrompt caller confirm-number digits:+4915112345678 confirm-keys-other
        = bot confirm
        > PromptFinished caller
          StartMusic caller
        > DigitPressed caller 2
          PlayPrompt caller enter-number
        = bot number_entry
        > DigitPressed caller 0
          StopPrompt caller
          StartMusic caller
        > DigitPressed caller 1
        > DigitPressed caller 5
        > DigitPressed caller 1
        > DigitPressed caller 1
        > DigitPressed caller 2
        > DigitPressed caller 3
        > DigitPressed caller 4
        > DigitPressed caller 5
        > DigitPressed caller 6
        > DigitPressed caller 7
        > DigitPressed caller 9
        > DigitPressed caller #
          PlayPrompt caller confirm-number digits:+4915112345679 confirm-keys-other
        = bot confirm
        > PromptFinished caller
          StartMusic caller
        > TimeReached after 5 s
          PlayPrompt caller confirm-number digits:+4915112345679 confirm-keys-other
        > PromptFinished caller
          StartMusic caller
        > TimeReached after 5 s
          PlayPrompt caller booked
        = bot booked
        """
    )


@pytest.mark.parametrize(
    ("alternate", "hears"),
    [
        (True, "PlayPrompt caller enter-number\n= bot number_entry"),
        (False, "PlayPrompt caller cannot-call-back\n= open announcing"),
    ],
)
def test_who_withholds_the_number_is_asked_for_one_or_told_it_cannot_be(alternate: bool, hears: str) -> None:
    callback = QUEUE.callback.model_copy(update={"alternate_number": alternate})
    story = in_menu(number="anonymous", callback=callback)
    story.press("2")
    story.does(f"> DigitPressed caller 2\n  StopPrompt caller\n  {hears}")
    assert story.it.request.requested_at is None


def test_a_second_callback_for_the_same_number_is_refused_and_the_caller_waits_on() -> None:
    story = in_menu()
    story.then(DuplicateFound(""))
    assert story.it.request.requested_at is None
    story.does(
        """
        > DuplicateFound
          StopPrompt caller
          PlayPrompt caller callback-exists
        = open announcing
        """
    )


def test_short_abandons_are_told_from_abandons() -> None:
    story = waiting()
    story.then(LegGone(CALLER), 3)
    story.does("> LegGone caller after 3 s\n= closed")
    assert story.it.outcome == "short_abandon"
    story = waiting()
    story.then(LegGone(CALLER), 8)
    story.does("> LegGone caller after 8 s\n= closed")
    assert story.it.outcome == "abandoned"


def test_no_step_starts_while_an_agent_is_offered_the_call_and_it_runs_right_after() -> None:
    story = offered(Story())
    story.then(TimeReached(), 11)
    story.is_now(Status.OFFERED)
    story.then(OfferRejected("1001"))
    assert story.it.wake_at and story.it.wake_at <= story.now
    story.wait()
    story.is_now(Status.OPEN, Stage.ANNOUNCING)
    story.does(
        """
        > TimeReached after 11 s
        > OfferRejected 1001
          HangUp agent
        = open
        > TimeReached after 0 s
          PlayPrompt caller position-first
        = open announcing
        """
    )


def test_each_line_of_the_feed_has_the_status_it_led_to_though_one_decision_wrote_them_all() -> None:
    story = offered(waiting())
    story.then(Reassigned("operator:admin", "1002"))
    told = [(line.event, line.status) for line in story.last.feed]
    assert told[-2:] == [("reopened", Status.OPEN), ("offered", Status.OFFERED)]
    story.does(
        """
        > Reassigned operator:admin 1002
          HangUp agent
          RingAgent agent-2 1002 +4915112345678 timeout=35
        """
    )


def test_a_step_that_asks_follows_an_offer_at_once_in_a_decision_of_its_own() -> None:
    story = waiting(QUEUE.model_copy(update={"workflow": Workflow(steps=QUEUE.workflow.steps[1:])}))
    story.then(Offered("1001"), 15)
    story.wait()
    told = [(line.event, line.status) for line in story.last.feed]
    assert told == [("rona", Status.OPEN), ("reopened", Status.OPEN)]
    assert story.it.wake_at and story.it.wake_at <= story.now
    story.wait()
    assert [(line.event, line.status) for line in story.last.feed] == [("menu_started", Status.BOT)]
    story.does(
        """
        > Offered 1001 after 15 s
          RingAgent agent 1001 +4915112345678 timeout=35
        = offered
        > TimeReached after 20 s
          HangUp agent
          (not ready: 1001, rona)
        = open
        > TimeReached after 0 s
          PlayPrompt caller menu-offer
        = bot menu
        """
    )


def test_a_key_that_cuts_the_question_for_a_number_short_leaves_no_silence() -> None:
    story = in_menu()
    story.press("2")
    story.said()
    story.press("2")
    story.is_now(Status.BOT, Stage.NUMBER_ENTRY)
    story.press("0")
    assert [type(each) for each in story.last.effects] == [StopPrompt, StartMusic]
    story.press("1")
    assert not story.last.effects
    story.does(
        """
        > DigitPressed caller 2
          StopPrompt caller
          PlayPrompt caller confirm-number digits:+4915112345678 confirm-keys-other
        = bot confirm
        > PromptFinished caller
          StartMusic caller
        > DigitPressed caller 2
          PlayPrompt caller enter-number
        = bot number_entry
        > DigitPressed caller 0
          StopPrompt caller
          StartMusic caller
        > DigitPressed caller 1
        """
    )


def test_a_caller_who_waits_is_joined_with_the_agent_who_lifts() -> None:
    story = offered(Story())
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    story.is_now(Status.CONNECTED, Stage.TALKING)
    assert story.done(AddToBridge) == [AddToBridge(story.it.bridge, (CALLER, story.leg(Role.AGENT).id))]
    story.then(LegGone(CALLER))
    story.is_now(Status.WRAP_UP)
    story.does(
        """
        > LegAnswered agent
          AddToBridge caller agent
        = connected talking
        > LegGone caller
          HangUp agent
          DestroyBridge
        = wrap_up
        """
    )


def test_answering_the_phone_accepts_and_dials_the_customer_at_once() -> None:
    story = offered(converted())
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    story.is_now(Status.CONNECTED, Stage.DIALING)
    (call,) = story.done(DialCustomer)
    assert isinstance(call, DialCustomer)
    assert call.number == "+4915112345678" and call.caller_id == "600"
    assert len(call.leg) == 32 and story.it.attempts[0].id == call.leg
    assert story.done(PlayRingback)
    story.does(
        """
        > LegAnswered agent
          DialCustomer customer +4915112345678 600 timeout=35
          PlayRingback agent
        = connected dialing
        """
    )


def test_accepting_while_the_phone_rings_dials_the_customer_at_once() -> None:
    story = offered(converted())
    story.then(OfferAccepted("1001"))
    story.is_now(Status.CONNECTED, Stage.DIALING)
    assert story.done(DialCustomer)
    story.does(
        """
        > OfferAccepted 1001
          DialCustomer customer +4915112345678 600 timeout=35
        = connected dialing
        """
    )


def test_agent_first_dials_only_when_the_agent_lifted() -> None:
    dial = QUEUE.dial.model_copy(update={"order": "agent_first"})
    story = offered(converted(dial=dial))
    story.then(OfferAccepted("1001"))
    story.is_now(Status.CONNECTED, Stage.AGENT_RINGING)
    assert not story.done(DialCustomer)
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    assert story.done(DialCustomer)
    story.does(
        """
        > OfferAccepted 1001
        = connected agent_ringing
        > LegAnswered agent
          DialCustomer customer +4915112345678 600 timeout=35
          PlayRingback agent
        = connected dialing
        """
    )


def test_without_an_alert_in_time_the_agent_has_to_answer_first() -> None:
    story = converted()
    story.then(PickedUp("1001"))
    story.is_now(Status.CONNECTED, Stage.AGENT_RINGING)
    assert story.done(RingAgent) and not story.done(DialCustomer)
    story.then(TimeReached(), 3.1)
    story.then(LegRinging(story.leg(Role.AGENT).id))
    assert not story.done(DialCustomer)
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    assert story.done(DialCustomer)
    story.does(
        """
        > PickedUp 1001
          RingAgent agent 1001 +4915112345678 timeout=35
        = connected agent_ringing
        > TimeReached after 3.1 s
        > LegRinging agent
        > LegAnswered agent
          DialCustomer customer +4915112345678 600 timeout=35
          PlayRingback agent
        = connected dialing
        """
    )


def test_picking_up_dials_as_soon_as_the_phone_rings() -> None:
    story = converted()
    story.then(PickedUp("1001"))
    story.then(LegRinging(story.leg(Role.AGENT).id))
    assert story.done(DialCustomer)
    story.does(
        """
        > PickedUp 1001
          RingAgent agent 1001 +4915112345678 timeout=35
        = connected agent_ringing
        > LegRinging agent
          DialCustomer customer +4915112345678 600 timeout=35
        = connected dialing
        """
    )


def test_a_second_way_of_accepting_changes_nothing() -> None:
    story = offered(converted())
    story.then(OfferAccepted("1001"))
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    assert not story.done(DialCustomer) and len(story.it.attempts) == 1
    story.then(OfferAccepted("1001"))
    assert story.last.ignored
    with pytest.raises(NotOffered):
        story.then(OfferAccepted("1002"))
    story.does(
        """
        > OfferAccepted 1001
          DialCustomer customer +4915112345678 600 timeout=35
        = connected dialing
        > LegAnswered agent
          PlayRingback agent
        > OfferAccepted 1001
          (ignored)
        """
    )


def test_a_customer_who_answers_before_the_agent_is_greeted_and_then_joined() -> None:
    story = offered(converted())
    story.then(OfferAccepted("1001"))
    story.then(LegAnswered(story.leg(Role.CUSTOMER).id))
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    story.is_now(Status.CONNECTED, Stage.TALKING)
    assert story.done(AddToBridge)
    story.does(
        """
        > OfferAccepted 1001
          DialCustomer customer +4915112345678 600 timeout=35
        = connected dialing
        > LegAnswered customer
          PlayPrompt customer greeting
        = connected agent_ringing
        > LegAnswered agent
          StopPrompt customer
          AddToBridge agent customer
        = connected talking
        """
    )


def test_a_decision_says_what_it_means_for_the_agent() -> None:
    story = converted()
    story.then(Offered("1001"))
    assert story.last.agents == (Assigned("1001", Work.OFFERED),)
    story.then(LegRinging(story.leg(Role.AGENT).id))
    assert story.last.agents == ()
    story.then(OfferAccepted("1001"))
    assert story.last.agents == (Continued("1001", Work.BUSY),)
    story.then(TimeReached(), 10)
    assert story.last.agents == (Released("1001", Work.BUSY, "rona"), NotReady("1001", "rona"))
    story.does(
        """
        > Offered 1001
          RingAgent agent 1001 +4915112345678 timeout=35
        = offered
        > LegRinging agent
        > OfferAccepted 1001
          DialCustomer customer +4915112345678 600 timeout=35
        = connected dialing
        > TimeReached after 10 s
          HangUp agent
          HangUp customer
          (not ready: 1001, rona)
        = open
        """
    )


def test_a_customer_whose_agent_never_lifts_hears_an_apology_and_goes_to_the_front() -> None:
    story = offered(converted())
    story.then(OfferAccepted("1001"))
    story.then(LegAnswered(story.leg(Role.CUSTOMER).id))
    story.then(TimeReached(), 10)
    assert not_ready(story.last) == NotReady("1001", "rona")
    story.said()
    customer = story.leg(Role.CUSTOMER).id
    assert HangUp(customer) in story.last.effects
    story.then(LegGone(customer))
    story.is_now(Status.OPEN)
    assert story.it.place.front and story.it.attempts[0].outcome == "agent_lost"
    story.does(
        """
        > OfferAccepted 1001
          DialCustomer customer +4915112345678 600 timeout=35
        = connected dialing
        > LegAnswered customer
          PlayPrompt customer greeting
        = connected agent_ringing
        > TimeReached after 10 s
          HangUp agent
          StopPrompt customer
          PlayPrompt customer apology
          (not ready: 1001, rona)
        = bot apology
        > PromptFinished caller
          HangUp customer
        > LegGone customer
        = open
        """
    )


def test_who_ignores_an_offer_is_made_not_ready_and_passed_over_for_a_while() -> None:
    story = offered(converted())
    agent = story.leg(Role.AGENT).id
    story.then(TimeReached(), 20)
    story.is_now(Status.OPEN)
    assert not_ready(story.last) == NotReady("1001", "rona")
    assert HangUp(agent) in story.last.effects
    assert story.it.place.excluded["1001"] == story.now + timedelta(seconds=30)
    story.does(
        """
        > TimeReached after 20 s
          HangUp agent
          (not ready: 1001, rona)
        = open
        """
    )


def test_declining_on_the_phone_is_a_rejection_and_keeps_the_place() -> None:
    story = offered(converted())
    story.then(LegGone(story.leg(Role.AGENT).id, 486))
    story.is_now(Status.OPEN)
    assert not_ready(story.last) is None and "1001" in story.it.place.excluded and not story.it.place.front
    story.does(
        """
        > LegGone agent sip_cause=486
        = open
        """
    )


def test_a_phone_that_cannot_be_called_makes_its_agent_not_ready() -> None:
    story = converted()
    story.then(Offered("1001"))
    story.then(LegGone(story.leg(Role.AGENT).id, refused=True))
    assert not_ready(story.last) == NotReady("1001", "phone_unreachable")
    story.does(
        """
        > Offered 1001
          RingAgent agent 1001 +4915112345678 timeout=35
        = offered
        > LegGone agent refused
          (not ready: 1001, phone_unreachable)
        = open
        """
    )


def test_an_agent_who_hangs_up_while_the_customers_phone_rings_cancels_that_call() -> None:
    story = offered(converted())
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    customer = story.leg(Role.CUSTOMER).id
    story.then(LegRinging(customer))
    story.then(LegGone(story.leg(Role.AGENT).id))
    story.is_now(Status.OPEN)
    assert HangUp(customer) in story.last.effects and story.it.place.front
    assert story.it.attempts[0].outcome == "agent_lost"
    story.does(
        """
        > LegAnswered agent
          DialCustomer customer +4915112345678 600 timeout=35
          PlayRingback agent
        = connected dialing
        > LegRinging customer
        = connected ringing
        > LegGone agent
          HangUp customer
        = open
        """
    )


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [(486, "busy"), (480, "no_answer"), (503, "congestion"), (404, "invalid"), (603, "rejected"), (None, "unknown")],
)
def test_a_final_sip_status_is_an_outcome(cause: int | None, outcome: str) -> None:
    story = offered(converted())
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    story.then(LegGone(story.leg(Role.CUSTOMER).id, cause))
    answer = f" sip_cause={cause}" if cause else ""
    story.does(
        f"""
        > LegAnswered agent
          DialCustomer customer +4915112345678 600 timeout=35
          PlayRingback agent
        = connected dialing
        > LegGone customer{answer}
          HangUp agent
        = connected ready_to_call
        """
    )
    assert story.it.attempts[0].outcome == outcome


def test_after_a_talk_a_callback_can_be_dialled_again_under_a_new_id() -> None:
    story = talking(converted())
    story.then(LegGone(story.leg(Role.CUSTOMER).id))
    story.is_now(Status.CONNECTED, Stage.READY_TO_CALL)
    story.then(Redialled("1001"))
    story.then(LegRinging(story.leg(Role.AGENT).id))
    assert [each.n for each in story.it.attempts] == [1, 2]
    assert story.it.attempts[0].id != story.it.attempts[1].id
    story.does(
        """
        > LegGone customer
          HangUp agent
          DestroyBridge
        = connected ready_to_call
        > Redialled 1001
          RingAgent agent-2 1001 +4915112345678 timeout=35
        = connected agent_ringing
        > LegRinging agent-2
          DialCustomer customer-2 +4915112345678 600 timeout=35
        = connected dialing
        """
    )


def test_done_after_a_talk_leads_to_wrap_up_and_then_closes() -> None:
    story = talking(converted())
    story.then(CallEnded("1001"))
    story.then(WorkDone("1001", "solved", "called back"))
    story.is_now(Status.WRAP_UP)
    story.then(WorkDone("1001"))
    story.is_now(Status.CLOSED)
    assert (story.it.outcome, story.it.case.disposition, story.it.case.note) == ("handled", "solved", "called back")
    story.does(
        """
        > CallEnded 1001
          HangUp agent
          HangUp customer
          DestroyBridge
        = connected ready_to_call
        > WorkDone 1001 solved called back
        = wrap_up
        > WorkDone 1001
        = closed
        """
    )


def test_time_alone_ends_the_work_without_a_code() -> None:
    story = talking(converted())
    story.then(CallEnded("1001"))
    story.wait()
    story.is_now(Status.WRAP_UP)
    story.wait()
    assert (story.it.outcome, story.it.case.disposition) == ("handled", "none")
    story.does(
        """
        > CallEnded 1001
          HangUp agent
          HangUp customer
          DestroyBridge
        = connected ready_to_call
        > TimeReached after 60 s
        = wrap_up
        > TimeReached after 30 s
        = closed
        """
    )


def test_a_required_code_is_required() -> None:
    story = talking(converted(wrap_up=QUEUE.wrap_up.model_copy(update={"required": True})))
    story.then(CallEnded("1001"))
    story.then(WorkDone("1001"))
    with pytest.raises(DispositionRequired):
        story.then(WorkDone("1001"))
    story.does(
        """
        > CallEnded 1001
          HangUp agent
          HangUp customer
          DestroyBridge
        = connected ready_to_call
        > WorkDone 1001
        = wrap_up
        """
    )


def test_who_was_not_reached_is_called_again_later_and_not_for_ever() -> None:
    story = converted()
    for _ in range(2):
        story.then(PickedUp("1001"))
        story.then(LegAnswered(story.leg(Role.AGENT).id))
        story.then(LegGone(story.leg(Role.CUSTOMER).id, 486))
        story.then(WorkDone("1001"))
        if story.it.status is Status.SCHEDULED:
            assert story.it.wake_at == story.now + timedelta(seconds=300)
            story.wait()
            story.is_now(Status.OPEN)
    assert story.it.outcome == "failed_max_attempts"
    story.does(
        """
        > PickedUp 1001
          RingAgent agent 1001 +4915112345678 timeout=35
        = connected agent_ringing
        > LegAnswered agent
          DialCustomer customer +4915112345678 600 timeout=35
          PlayRingback agent
        = connected dialing
        > LegGone customer sip_cause=486
          HangUp agent
        = connected ready_to_call
        > WorkDone 1001
        = scheduled
        > TimeReached after 300 s
        = open
        > PickedUp 1001
          RingAgent agent-2 1001 +4915112345678 timeout=35
        = connected agent_ringing
        > LegAnswered agent-2
          DialCustomer customer-2 +4915112345678 600 timeout=35
          PlayRingback agent-2
        = connected dialing
        > LegGone customer-2 sip_cause=486
          HangUp agent-2
        = connected ready_to_call
        > WorkDone 1001
        = closed
        """
    )


def test_a_callback_nobody_makes_expires() -> None:
    story = converted()
    story.then(TimeReached(), 90_000)
    assert story.it.outcome == "expired"
    story.does(
        """
        > TimeReached after 90000 s
        = closed
        """
    )


def test_the_impossible_is_refused_with_its_reason() -> None:
    story = offered(converted())
    with pytest.raises(NotOpen):
        story.then(PickedUp("1002"))
    with pytest.raises(NotOffered):
        story.then(OfferRejected("1002"))
    talking(story := converted())
    with pytest.raises(WrongStage):
        story.then(Redialled("1001"))


def test_after_a_restart_the_question_is_asked_again_and_nothing_is_dialled_anew() -> None:
    story = in_menu()
    story.then(ServiceRestarted())
    story.does(
        """
        > ServiceRestarted
          StopPrompt caller
          Answer caller
          PlayPrompt caller menu-offer
        """
    )
    story = offered(converted())
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    before = story.it.attempts
    story.then(ServiceRestarted())
    story.does(
        """
        > LegAnswered agent
          DialCustomer customer +4915112345678 600 timeout=35
          PlayRingback agent
        = connected dialing
        > ServiceRestarted
          PlayRingback agent
          DialCustomer customer +4915112345678 600 timeout=35 made
        """
    )
    assert story.it.attempts == before


def test_after_a_long_restart_a_customer_whose_time_to_be_rung_has_passed_is_not_rung() -> None:
    story = offered(converted())
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    story.then(ServiceRestarted(), 3600)
    assert not story.done(DialCustomer)
    story.then(TimeReached())
    story.is_now(Status.CONNECTED, Stage.READY_TO_CALL)
    story.does(
        """
        > LegAnswered agent
          DialCustomer customer +4915112345678 600 timeout=35
          PlayRingback agent
        = connected dialing
        > ServiceRestarted after 3600 s
          PlayRingback agent
        > TimeReached
          HangUp customer
          HangUp agent
        = connected ready_to_call
        """
    )


def test_after_a_restart_the_prompt_is_stopped_before_anything_else_is_asked_of_the_caller() -> None:
    """Asterisk would keep it until the prompt has ended (measured)."""
    story = in_menu()
    story.then(ServiceRestarted())
    first, *others = story.last.effects
    assert isinstance(first, StopPrompt)
    assert [type(each) for each in others] == [Answer, PlayPrompt]
    story.does(
        """
        > ServiceRestarted
          StopPrompt caller
          Answer caller
          PlayPrompt caller menu-offer
        """
    )


def test_after_a_restart_a_talk_goes_on() -> None:
    story = talking(converted())
    story.then(ServiceRestarted())
    story.is_now(Status.CONNECTED, Stage.TALKING)
    story.does(
        """
        > ServiceRestarted
          AddToBridge agent customer
        """
    )


def test_an_auto_accepted_offer_rings_the_agent_first() -> None:
    offer = QUEUE.offer.model_copy(update={"accept_mode": "auto", "countdown": 2})
    story = offered(converted(offer=offer))
    story.then(TimeReached(), 2)
    story.is_now(Status.CONNECTED, Stage.AGENT_RINGING)
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    assert story.done(DialCustomer)
    story.does(
        """
        > TimeReached after 2 s
        = connected agent_ringing
        > LegAnswered agent
          DialCustomer customer +4915112345678 600 timeout=35
          PlayRingback agent
        = connected dialing
        """
    )


def test_place_at_the_end_or_by_priority_where_the_queue_says_so() -> None:
    story = converted(callback=QUEUE.callback.model_copy(update={"place": "end"}))
    assert story.it.place.queued_at > START
    story = converted(callback=QUEUE.callback.model_copy(update={"place": 5}))
    assert story.it.place.queued_at == START and story.it.place.priority == 5


def test_the_bridge_is_named_after_the_interaction() -> None:
    it = waiting().it
    assert replace(it).bridge == f"bridge-{it.id.hex}"
    assert it.legs[0].state is LegState.UP


def test_a_leg_that_nobody_saw_end_is_hung_up_to_make_sure() -> None:
    story = offered(converted())
    story.then(OfferAccepted("1001"))
    customer = story.leg(Role.CUSTOMER).id
    story.then(LegGone(customer, certain=False))
    assert HangUp(customer) in story.last.effects
    assert story.it.attempts[0].outcome == "unknown"
    story.does(
        """
        > OfferAccepted 1001
          DialCustomer customer +4915112345678 600 timeout=35
        = connected dialing
        > LegGone customer not-certain
          HangUp customer
          HangUp agent
        = connected ready_to_call
        """
    )


def test_a_call_that_lost_its_caller_is_closed_and_never_offered() -> None:
    story = Story()
    story.last = replace(story.last, interaction=replace(story.it, legs=()))
    story.then(Offered("1001"))
    assert (story.it.status, story.it.outcome) == (Status.CLOSED, "error")
    story.does(
        """
        > CallerArrived +4915112345678
          Answer caller
          StartMusic caller
        = open
        > Offered 1001
        = closed
        """
    )


def test_after_a_restart_a_caller_who_was_never_answered_is_answered() -> None:
    story = Story()
    story.then(ServiceRestarted())
    assert story.done(Answer) and story.done(StartMusic)
    story.does(
        """
        > CallerArrived +4915112345678
          Answer caller
          StartMusic caller
        = open
        > ServiceRestarted
          Answer caller
          StartMusic caller
        """
    )


def test_who_was_served_is_not_called_again_by_the_system() -> None:
    story = talking(converted())
    story.then(CallEnded("1001"))
    story.then(Redialled("1001"))
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    story.then(LegGone(story.leg(Role.CUSTOMER).id, 486))
    story.then(WorkDone("1001"))
    story.is_now(Status.WRAP_UP)
    story.does(
        """
        > CallEnded 1001
          HangUp agent
          HangUp customer
          DestroyBridge
        = connected ready_to_call
        > Redialled 1001
          RingAgent agent-2 1001 +4915112345678 timeout=35
        = connected agent_ringing
        > LegAnswered agent-2
          DialCustomer customer-2 +4915112345678 600 timeout=35
          PlayRingback agent-2
        = connected dialing
        > LegGone customer-2 sip_cause=486
          HangUp agent-2
        = connected ready_to_call
        > WorkDone 1001
        = wrap_up
        """
    )


def test_after_a_restart_what_is_closed_stays_closed_though_its_bridge_is_still_there() -> None:
    story = waiting()
    story.then(LegGone(CALLER), 8)
    closed = story.it
    story.then(ServiceRestarted(bridged=True))
    story.does(
        """
        > LegGone caller after 8 s
        = closed
        > ServiceRestarted bridged
          (ignored)
        """
    )
    assert story.it == closed
