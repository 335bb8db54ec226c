"""Each leg hears what the decision says, and Asterisk is asked for the difference."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from routing.core.audio import audio
from routing.core.effects import AddToBridge, DestroyBridge, Effect, PlayPrompt, PlayRingback, StartMusic, StopPrompt
from routing.core.events import ServiceRestarted
from routing.core.interaction import (
    MAIN,
    Deadline,
    Hears,
    Interaction,
    Leg,
    LegState,
    Place,
    Prompt,
    Role,
    Room,
    Sound,
    Stage,
    Status,
)
from tests.lifecycle.explore import START, every_move

IT = Interaction(UUID(int=7), "support", 1, START, Place(START))
HELLO, BYE = Prompt("say-1", ("hello",)), Prompt("say-2", ("bye",))
GOOD_BYE = (Stage.BOOKED, Stage.LEAVING, Stage.APOLOGY)


@pytest.mark.parametrize(
    ("before", "now", "asked"),
    [
        (Sound.MUSIC, Sound.MUSIC, []),
        (Sound.NOTHING, Sound.MUSIC, [StartMusic("x")]),
        (Sound.NOTHING, Sound.RINGBACK, [PlayRingback("x")]),
        (Sound.MUSIC, HELLO, [PlayPrompt("x", "say-1", ("hello",), "de")]),
        (HELLO, Sound.NOTHING, [StopPrompt("x", "say-1")]),
        (HELLO, Sound.MUSIC, [StopPrompt("x", "say-1"), StartMusic("x")]),
        (HELLO, BYE, [StopPrompt("x", "say-1"), PlayPrompt("x", "say-2", ("bye",), "de")]),
        (Sound.MUSIC, MAIN, [AddToBridge(IT.bridge, ("x",))]),
        (HELLO, MAIN, [StopPrompt("x", "say-1"), AddToBridge(IT.bridge, ("x",))]),
        (MAIN, Sound.MUSIC, [DestroyBridge(IT.bridge), StartMusic("x")]),
    ],
)
def test_the_difference_is_asked(before: Hears, now: Hears, asked: list[Effect]) -> None:
    it = IT.changed(legs=(Leg("x", Role.CALLER, "", LegState.UP, now),))
    assert list(audio(it, {"x": before}, "de")) == asked


def test_who_joins_is_added_and_who_is_in_it_stays() -> None:
    there = Leg("a", Role.AGENT, "1001", LegState.UP, MAIN)
    it = IT.changed(legs=(there, replace(there, id="b"), replace(there, id="c")))
    assert list(audio(it, {"a": MAIN}, "en")) == [AddToBridge(IT.bridge, ("b", "c"))]
    assert list(audio(it.changed(legs=(there,)), {"a": MAIN, "b": MAIN}, "en")) == []
    assert list(audio(it.changed(legs=()), {"a": MAIN, "b": MAIN}, "en")) == [DestroyBridge(IT.bridge)]


# In every state that can be reached


def _reached() -> Iterator[Interaction]:
    return (move.decision.interaction for move in every_move() if move.decision)


def test_they_talk_when_both_are_in_the_room() -> None:
    talks = [it for it in _reached() if it.stage is Stage.TALKING]
    assert talks and all([leg.hears for leg in it.legs] == [MAIN, MAIN] for it in talks)
    others = [leg for it in _reached() if it.stage is not Stage.TALKING for leg in it.legs]
    assert others and not any(isinstance(leg.hears, Room) for leg in others)


def test_nobody_who_is_there_hears_nothing_unless_the_call_ends() -> None:
    for it in _reached():
        silent = [leg for leg in it.legs if leg.state is LegState.UP and leg.hears is Sound.NOTHING]
        assert not silent or it.stage in GOOD_BYE or all(leg.role is Role.AGENT for leg in silent), it


def test_a_prompt_is_heard_by_one_and_its_end_waited_for() -> None:
    assert any(it.playing for it in _reached())
    for it in _reached():
        prompts = [leg for leg in it.legs if isinstance(leg.hears, Prompt)]
        assert len(prompts) <= 1 and (not prompts or Deadline.PLAYBACK in it.deadlines), it
        assert prompts or Deadline.PLAYBACK not in it.deadlines or it.stage in GOOD_BYE, it


def test_after_a_restart_everything_is_asked_again() -> None:
    restarts = [move for move in every_move() if isinstance(move.event, ServiceRestarted) and move.before.legs]
    assert restarts
    for move in restarts:
        assert move.decision
        it, effects = move.decision.interaction, move.decision.effects
        assert all(effect in effects for effect in audio(it, {}, "en")), move
        assert it.status is not Status.CONNECTED or not it.playing


def test_a_sound_is_never_followed_by_nothing() -> None:
    """Nothing would end it."""
    assert {Sound.MUSIC, Sound.RINGBACK} <= {leg.hears for move in every_move() for leg in move.before.legs}
    for move in every_move():
        after = {leg.id: leg.hears for leg in move.decision.interaction.legs} if move.decision else {}
        went_on = [leg for leg in move.before.legs if leg.hears in (Sound.MUSIC, Sound.RINGBACK)]
        assert not any(after.get(leg.id) is Sound.NOTHING for leg in went_on), move
