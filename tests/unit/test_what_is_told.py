"""The feed says what a caller really heard, and nothing is offered that is not taken."""

from typing import Any

import pytest
from story import Story

from ivr.workflow import Workflow
from routing.effects import Say
from routing.interaction import Stage, Status
from routing.lifecycle.explore import QUEUE
from routing.queues import Queue

MENU = {"after": 20, "menu": "offer", "keys": {"1": "wait", "2": "callback"}}
BYE = {"after": 5, "menu": "offer", "keys": {"9": {"hangup": {}}}}


def queue(*steps: dict[str, Any], enabled: bool = True, loop: bool = False) -> Queue:
    workflow = Workflow.model_validate({"steps": steps, "loop": loop})
    callback = QUEUE.callback.model_copy(update={"enabled": enabled})
    return QUEUE.model_copy(update={"workflow": workflow, "callback": callback})


def heard(story: Story) -> list[tuple[str, ...]]:
    return [each.words for each in story.last.effects if isinstance(each, Say)]


def test_a_waiting_time_nobody_knows_is_neither_said_nor_told() -> None:
    story = Story(queue({"after": 10, "announce": ["position", "wait", "thank-you"]}))

    story.wait()

    assert heard(story) == [("position", "thank-you")]
    (line,) = story.last.feed
    assert (line.event, line.data["what"]) == ("announced", ["position", "thank-you"])


def test_a_step_that_would_say_nothing_is_passed_over() -> None:
    story = Story(queue({"after": 10, "announce": ["wait"]}, MENU))

    story.wait()

    story.is_now(Status.BOT, Stage.MENU)
    assert (story.it.waiting.step, (story.now - story.it.entered_at).total_seconds()) == (1, 20)


def test_where_no_call_back_is_taken_no_menu_offers_one() -> None:
    story = Story(queue(MENU, BYE, MENU, enabled=False))

    story.wait()
    story.is_now(Status.BOT, Stage.MENU)
    assert story.it.waiting.step == 1
    story.said()
    for _ in range(3):
        story.wait()
        if story.it.waiting.playing:
            story.said()

    story.is_now(Status.OPEN)
    assert story.it.wake_at is None, "the last menu is passed over, too"


@pytest.mark.parametrize("loop", [True, False])
def test_with_nothing_left_to_tell_the_caller_hears_music_until_an_agent_is_free(loop: bool) -> None:
    story = Story(queue(MENU, {"after": 1, "announce": ["wait"]}, enabled=False, loop=loop))

    assert story.it.wake_at is None
    story.is_now(Status.OPEN)
