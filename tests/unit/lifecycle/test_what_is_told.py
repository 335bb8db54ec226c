"""The feed says what a caller really heard, and nothing is offered that is not taken."""

from datetime import timedelta
from typing import Any

import pytest
from story import CALLER, Story

from ivr.workflow import Workflow
from routing.core.context import Situation
from routing.core.events import OfferAccepted, Offered, PromptFinished, TimeReached
from routing.core.interaction import Deadline, Status
from routing.core.lifecycle import needs_situation
from routing.core.queues import Queue
from tests.lifecycle.explore import QUEUE, arrival

MENU = {"after": 20, "menu": "offer", "keys": {"1": "wait", "2": "callback"}}
BYE = {"after": 5, "menu": "offer", "tries": 1, "keys": {"9": {"hangup": {}}}}
ARRIVED = """
    > CallerArrived +4915112345678
      Answer caller
      StartMusic caller
    = open
"""


def queue(*steps: dict[str, Any], enabled: bool = True, loop: bool = False) -> Queue:
    workflow = Workflow.model_validate({"steps": steps, "loop": loop})
    callback = QUEUE.callback.model_copy(update={"enabled": enabled})
    return QUEUE.model_copy(update={"workflow": workflow, "callback": callback})


def test_a_waiting_time_nobody_knows_is_neither_said_nor_told() -> None:
    story = Story(queue({"after": 10, "announce": ["position", "wait", "thank-you"]}))
    story.does(ARRIVED)
    story.situation = Situation(position=3)
    story.wait()
    story.does(
        """
        > TimeReached after 10 s
          PlayPrompt caller position-before number:3 position-after thank-you
        = open announcing
        """
    )
    (line,) = story.last.feed
    assert (line.event, line.data) == ("announced", {"step": 0, "what": ["position", "thank-you"], "position": 3})


def test_a_place_nobody_knows_is_left_out_and_alone_it_leaves_the_music_on() -> None:
    story = Story(queue({"after": 10, "announce": ["position", "thank-you"]}, {"after": 5, "announce": ["position"]}))
    story.situation = Situation()
    story.does(ARRIVED)
    story.wait()
    story.does(
        """
        > TimeReached after 10 s
          PlayPrompt caller thank-you
        = open announcing
        """
    )
    assert "position" not in story.last.feed[0].data
    story.said()
    story.wait()
    story.does(
        """
        > PromptFinished caller
          StartMusic caller
        = open
        > TimeReached after 5 s
        """
    )
    assert story.last.feed == () and story.it.wake_at is None


def test_the_place_is_looked_up_only_where_it_is_told() -> None:
    told, untold = queue({"after": 10, "announce": ["position"]}), queue(MENU)
    it = arrival(told).interaction
    due = it.deadlines[Deadline.NEXT_STEP]
    assert needs_situation(it, told, TimeReached(), due) and not needs_situation(it, untold, TimeReached(), due)
    assert not needs_situation(it, told, TimeReached(), due - timedelta(seconds=1))
    assert not needs_situation(it, told, PromptFinished(CALLER, "x"), due)
    assert not needs_situation(it.changed(status=Status.OFFERED), told, TimeReached(), due)


def test_who_was_let_down_is_told_the_place_they_have_then() -> None:
    """The step had to wait while the agent's phone rang; as nobody answered, the caller is first."""
    story = Story(queue({"after": 25, "announce": ["position"]}))
    story.does(ARRIVED)
    story.then(Offered("1001"), 5)
    story.then(OfferAccepted("1001"), 15)
    story.then(TimeReached(), 10)
    assert (story.it.status, story.it.place.front) == (Status.OPEN, True)
    assert story.it.wake_at == story.now - timedelta(seconds=5)
    story.situation = Situation(position=1)
    story.wait()
    story.does(
        """
        > Offered 1001 after 5 s
          RingAgent agent 1001 +4915112345678 timeout=35
        = offered
        > OfferAccepted 1001 after 15 s
        = connected agent_ringing
        > TimeReached after 10 s
          HangUp agent
          (not ready: 1001, rona)
        = open
        > TimeReached after 0 s
          PlayPrompt caller position-first
        = open announcing
        """
    )


def test_a_step_that_would_say_nothing_is_passed_over() -> None:
    story = Story(queue({"after": 10, "announce": ["wait"]}, MENU))
    story.does(ARRIVED)
    story.wait()
    story.does(
        """
        > TimeReached after 20 s
          PlayPrompt caller menu-offer
        = bot menu
        """
    )


def test_where_no_call_back_is_taken_no_menu_offers_one() -> None:
    story = Story(queue(MENU, BYE, MENU, enabled=False))
    story.does(ARRIVED)
    story.wait()
    story.said()
    story.wait()
    story.does(
        """
        > TimeReached after 5 s
          PlayPrompt caller menu-offer
        = bot menu
        > PromptFinished caller
          StartMusic caller
        > TimeReached after 5 s
          StartMusic caller
        = open
        """
    )
    assert story.it.wake_at is None, "the last menu is passed over, too"


@pytest.mark.parametrize("loop", [True, False])
def test_with_nothing_left_to_tell_the_caller_hears_music_until_an_agent_is_free(loop: bool) -> None:
    story = Story(queue(MENU, {"after": 1, "announce": ["wait"]}, enabled=False, loop=loop))

    story.does(ARRIVED)
    assert story.it.wake_at is None
    story.is_now(Status.OPEN)
