"""Lines that died: nobody is at the other end, and nobody hung up (F43)."""

from dataclasses import replace

from story import CALLER, converted, in_menu, not_ready, offered, talking, waiting

from routing.core.events import LegAnswered, LegGone, LegRinging, LineDied, PickedUp, PromptFinished
from routing.core.interaction import LegState, Outcome, Role, Status, Subtype


def test_a_caller_who_waits_on_a_dead_line_has_abandoned() -> None:
    story = waiting()
    story.then(LineDied(CALLER), after=9)
    story.does(
        """
        > LineDied caller after 9 s
          HangUp caller
        = closed
        """
    )
    assert story.it.outcome == "abandoned"
    told = [(line.event, line.actor, dict(line.data)) for line in story.last.feed]
    assert told[0] == ("line_dead", "system", {"role": Role.CALLER})
    assert [event for event, _, _ in told] == ["line_dead", "abandoned", "closed"]


def test_who_has_asked_for_a_call_back_is_called_back_as_after_a_hang_up() -> None:
    story = in_menu()
    story.press("2")
    story.so_far()
    story.then(LineDied(CALLER))
    story.does(
        """
        > LineDied caller
          HangUp caller
        = open
        """
    )
    assert story.it.subtype is Subtype.CALLBACK and not story.it.legs


def test_a_caller_who_is_offered_frees_the_agent() -> None:
    story = offered(waiting())
    story.then(LineDied(CALLER))
    story.does(
        """
        > LineDied caller
          HangUp caller
          HangUp agent
        = closed
        """
    )
    assert not_ready(story.last) is None


def test_a_caller_whose_agent_s_line_died_waits_on_with_music_before_everyone_else() -> None:
    story = talking(waiting())
    story.then(LineDied(story.leg(Role.AGENT).id))
    story.does(
        """
        > LineDied agent
          HangUp agent
          DestroyBridge
          StartMusic caller
          (not ready: 1001, phone_unreachable)
        = open
        """
    )
    assert story.it.place.front and story.it.assigned_to is None and "1001" in story.it.place.excluded
    assert [line.event for line in story.last.feed] == ["line_dead", "agent_lost", "reopened"]


def test_a_customer_whose_agent_s_line_died_hears_an_apology_and_is_called_again_uncounted() -> None:
    story = talking(converted())
    customer = story.leg(Role.CUSTOMER).id
    story.then(LineDied(story.leg(Role.AGENT).id))
    story.then(PromptFinished(customer, story.it.playing or ""))
    story.then(LegGone(customer))
    story.does(
        """
        > LineDied agent
          HangUp agent
          DestroyBridge
          PlayPrompt customer apology
          (not ready: 1001, phone_unreachable)
        = bot apology
        > PromptFinished customer
          HangUp customer
        > LegGone customer
        = open
        """
    )
    assert story.it.place.front
    assert [each.outcome for each in story.it.attempts] == [Outcome.AGENT_LOST]


def test_both_lines_of_a_talk_are_dead_and_the_agent_is_free() -> None:
    story = talking(waiting())
    story.then(LineDied(story.leg(Role.AGENT).id), after=9)
    story.then(LineDied(CALLER), after=0)
    story.does(
        """
        > LineDied agent after 9 s
          HangUp agent
          DestroyBridge
          StartMusic caller
          (not ready: 1001, phone_unreachable)
        = open
        > LineDied caller after 0 s
          HangUp caller
        = closed
        """
    )
    assert story.it.outcome == "abandoned" and story.it.assigned_to is None

    story = talking(converted())
    customer = story.leg(Role.CUSTOMER).id
    story.then(LineDied(story.leg(Role.AGENT).id))
    story.so_far()
    story.then(LineDied(customer), after=0)
    story.does(
        """
        > LineDied customer after 0 s
          HangUp customer
        = open
        """
    )
    assert story.it.place.front and story.it.assigned_to is None


def test_a_customer_s_line_that_died_ends_the_talk_as_a_hang_up_does() -> None:
    story = talking(converted())
    story.then(LineDied(story.leg(Role.CUSTOMER).id))
    story.does(
        """
        > LineDied customer
          HangUp customer
          HangUp agent
          DestroyBridge
        = connected ready_to_call
        """
    )
    assert not_ready(story.last) is None

    story = talking(waiting())
    story.then(LineDied(CALLER))
    story.does(
        """
        > LineDied caller
          HangUp caller
          HangUp agent
          DestroyBridge
        = wrap_up
        """
    )


def test_an_agent_s_line_that_dies_while_the_customer_s_phone_rings_cancels_that_call() -> None:
    story = converted()
    story.then(PickedUp("1001"))
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    story.then(LegRinging(story.leg(Role.CUSTOMER).id))
    story.so_far()
    story.then(LineDied(story.leg(Role.AGENT).id))
    story.does(
        """
        > LineDied agent
          HangUp agent
          HangUp customer
          (not ready: 1001, phone_unreachable)
        = open
        """
    )


def test_a_leg_that_is_not_up_or_gone_cannot_die() -> None:
    story = offered(waiting())
    story.then(LineDied(story.leg(Role.AGENT).id))
    story.then(LineDied("b" * 32))
    story.is_now(Status.OFFERED)
    assert replace(story.leg(Role.AGENT), state=LegState.RINGING) == story.leg(Role.AGENT)
    story.does(
        f"""
        > LineDied agent
          (ignored)
        > LineDied {"b" * 32}
          (ignored)
        """
    )
