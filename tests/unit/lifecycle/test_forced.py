"""Supervisors end any call at any stage, and free any agent."""

from collections.abc import Callable

import pytest
from story import CALLER, Story, converted, in_menu, offered, talking, waiting

from routing.core.events import (
    AgentReleased,
    CallEnded,
    CallStopped,
    LegAnswered,
    LegGone,
    LegRinging,
    OfferAccepted,
    PromptFinished,
    ServiceRestarted,
)
from routing.core.interaction import Outcome, Role, Stage, Status, Subtype

BOSS = "operator:supervisor"
STOP, RELEASE = CallStopped(BOSS), AgentReleased(BOSS, "1001", "gone home")


def begun(story: Story) -> Story:
    story.so_far()
    return story


def asked() -> Story:
    """A caller has pressed the key that commits the request, and hears the number read back."""
    story = in_menu()
    story.press("2")
    return begun(story)


def call_offered() -> Story:
    return offered(waiting())


def callback_offered() -> Story:
    return offered(converted())


def call_accepted() -> Story:
    """Over the API: the agent's phone rings on."""
    story = call_offered()
    story.then(OfferAccepted("1001"))
    return begun(story)


def customer_rings() -> Story:
    story = callback_offered()
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    story.then(LegRinging(story.leg(Role.CUSTOMER).id))
    return begun(story)


def call_talks() -> Story:
    return talking(waiting())


def callback_talks() -> Story:
    return talking(converted())


def apologised() -> Story:
    story = callback_talks()
    story.then(RELEASE)
    return begun(story)


def talked() -> Story:
    story = callback_talks()
    story.then(CallEnded("1001"))
    return begun(story)


def not_reached() -> Story:
    story = customer_rings()
    story.then(LegGone(story.leg(Role.CUSTOMER).id, 486))
    return begun(story)


def wrapping_up() -> Story:
    story = call_talks()
    story.then(CallEnded("1001"))
    return begun(story)


def event_and_actor(story: Story) -> tuple[str, str]:
    return story.last.feed[0].event, story.last.feed[0].actor


# Ending a call


STOPPED: list[tuple[Callable[[], Story], str]] = [
    (waiting, "HangUp caller\n= closed"),
    (in_menu, "HangUp caller\n= closed"),
    (asked, "HangUp caller\n= open"),
    (call_offered, "HangUp agent\nHangUp caller\n= closed"),
    (callback_offered, "HangUp agent\n= open"),
    (call_accepted, "HangUp agent\nHangUp caller\n= closed"),
    (customer_rings, "HangUp customer\nHangUp agent\n= connected ready_to_call"),
    (call_talks, "HangUp caller\nHangUp agent\nDestroyBridge\n= wrap_up"),
    (callback_talks, "HangUp agent\nHangUp customer\nDestroyBridge\n= connected ready_to_call"),
    (apologised, "HangUp customer\n= open"),
]


@pytest.mark.parametrize(("begin", "does"), STOPPED, ids=lambda each: getattr(each, "__name__", ""))
def test_a_supervisor_ends_a_call_at_every_stage_and_the_feed_says_who(begin: Callable[[], Story], does: str) -> None:
    story = begin()
    story.then(STOP)
    said = "\n".join(line if line.startswith("=") else f"  {line}" for line in does.split("\n"))
    story.does(f"> CallStopped {BOSS}\n{said}")
    expected = "offer_withdrawn" if begin is callback_offered else "call_ended"
    assert event_and_actor(story) == (expected, BOSS)

    story.then(STOP)
    story.does(f"> CallStopped {BOSS}")
    assert not story.last.feed, "what is so already stays so"


@pytest.mark.parametrize("begin", [converted, talked, not_reached, wrapping_up])
def test_where_there_is_no_call_nothing_changes(begin: Callable[[], Story]) -> None:
    story = begin()
    before = story.it
    story.then(STOP)
    story.does(f"> CallStopped {BOSS}")
    assert (story.it, story.last.feed) == (before, ())


def test_a_call_that_asked_for_nothing_is_closed_as_ended_and_one_that_asked_is_called_back() -> None:
    ended, kept = waiting(), asked()
    for story in (ended, kept):
        story.then(STOP)
        story.so_far()

    assert (ended.it.status, ended.it.outcome) == (Status.CLOSED, "ended_by_operator")
    assert (kept.it.status, kept.it.subtype) == (Status.OPEN, Subtype.CALLBACK)
    assert kept.it.request.requested_at and kept.it.request.promised_at


def test_what_a_leg_that_was_hung_up_still_reports_is_late_news() -> None:
    story = call_talks()
    legs = [leg.id for leg in story.it.legs]
    story.then(STOP)
    for leg in legs:
        assert story.then(LegGone(leg)).ignored
    story.so_far()
    story.is_now(Status.WRAP_UP)


# Freeing an agent


RELEASED: list[tuple[Callable[[], Story], str]] = [
    (call_offered, "HangUp agent\n= open"),
    (callback_offered, "HangUp agent\n= open"),
    (call_accepted, "HangUp agent\n= open"),
    (customer_rings, "HangUp agent\nHangUp customer\n= open"),
    (call_talks, "HangUp agent\nDestroyBridge\nStartMusic caller\n= open"),
    (callback_talks, "HangUp agent\nDestroyBridge\nPlayPrompt customer apology\n= bot apology"),
    (talked, "= closed"),
    (not_reached, "= scheduled"),
    (wrapping_up, "= closed"),
]


@pytest.mark.parametrize(("begin", "does"), RELEASED, ids=lambda each: getattr(each, "__name__", ""))
def test_an_agent_is_freed_of_whatever_they_are_at(begin: Callable[[], Story], does: str) -> None:
    story = begin()
    story.then(RELEASE)
    said = "\n".join(line if line.startswith("=") else f"  {line}" for line in does.split("\n"))
    story.does(f"> AgentReleased {BOSS} 1001 gone home\n{said}")
    assert event_and_actor(story) == ("agent_released", BOSS)
    assert story.last.feed[0].data == {"agent": "1001", "reason": "gone home"}
    assert story.it.status is Status.CLOSED or story.it.assigned_to is None

    story.then(RELEASE)
    story.does(f"> AgentReleased {BOSS} 1001 gone home")
    assert not story.last.feed, "once is enough"


def test_the_caller_of_a_lost_talk_is_the_next_and_the_callback_too_uncounted() -> None:
    call, callback = call_talks(), callback_talks()
    for story in (call, callback):
        story.then(RELEASE)
    callback.then(PromptFinished(CALLER, callback.it.playing or ""))
    callback.then(LegGone(callback.leg(Role.CUSTOMER).id))
    callback.so_far()
    call.so_far()

    for story in (call, callback):
        story.is_now(Status.OPEN)
        assert story.it.place.front and "1001" in story.it.place.excluded
    assert [each.outcome for each in callback.it.attempts] == [Outcome.AGENT_LOST]


@pytest.mark.parametrize("begin", [talked, wrapping_up])
def test_work_after_a_talk_is_closed_without_a_disposition(begin: Callable[[], Story]) -> None:
    story = begin()
    story.then(RELEASE)
    story.so_far()
    assert (story.it.outcome, story.it.case.disposition) == ("handled", "none")


def test_another_agents_call_is_left_alone() -> None:
    story = call_talks()
    story.then(AgentReleased(BOSS, "1002", "gone home"))
    story.does(f"> AgentReleased {BOSS} 1002 gone home")
    story.is_now(Status.CONNECTED, Stage.TALKING)


# The service ended in between


def test_who_was_left_in_the_bridge_as_the_service_died_hears_music_after_the_restart() -> None:
    story = call_talks()
    story.then(RELEASE)
    story.so_far()
    story.then(ServiceRestarted(bridged=True))
    story.does(
        """
        > ServiceRestarted bridged
          DestroyBridge
          Answer caller
          StartMusic caller
        """
    )


def test_a_talk_that_goes_on_keeps_its_bridge() -> None:
    story = call_talks()
    story.then(ServiceRestarted(bridged=True))
    story.does(
        """
        > ServiceRestarted bridged
          Answer caller
          AddToBridge caller agent
        """
    )
