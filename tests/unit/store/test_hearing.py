"""What the legs hear is kept; where an earlier version has written last, it follows from the rest of the row."""

from collections.abc import Iterator
from dataclasses import replace

from routing.core.interaction import MAIN, Interaction, Prompt, Sound, Stage
from routing.store.interactions.hearing import stored, with_what_legs_hear
from routing.store.interactions.saving import changed_legs
from tests.lifecycle.explore import START, every_move

GOOD_BYE = (Stage.BOOKED, Stage.LEAVING, Stage.APOLOGY)


def _with_legs() -> Iterator[Interaction]:
    for move in every_move():
        if move.decision and move.decision.interaction.legs:
            yield move.decision.interaction


def _without_audio(it: Interaction) -> Interaction:
    return it.changed(legs=tuple(replace(leg, hears=Sound.NOTHING) for leg in it.legs))


def test_it_is_read_as_it_was_stored() -> None:
    for it in _with_legs():
        assert with_what_legs_hear(_without_audio(it), stored(it, it.version), None) == it


def test_of_a_row_that_an_earlier_version_wrote_it_follows() -> None:
    """But for the moment between the last words and the end of the call."""
    seen = 0
    for it in _with_legs():
        if it.playing or it.stage not in GOOD_BYE:
            seen += 1
            assert with_what_legs_hear(_without_audio(it), {}, it.playing) == it
            older = stored(_without_audio(it), it.version - 1)
            assert with_what_legs_hear(_without_audio(it), older, it.playing) == it
    assert seen > 1000


def test_a_sound_of_a_newer_version_is_taken_for_what_it_would_be() -> None:
    it = next(it for it in _with_legs() if it.stage is Stage.TALKING)
    newer = stored(it, it.version)
    newer["legs"][it.legs[0].id] = {"sound": "birdsong"}
    newer["legs"][it.legs[1].id] = {"prompt": "p", "words": ["one", "two"], "volume": 3}
    first, second = with_what_legs_hear(_without_audio(it), newer, None).legs
    assert (first.hears, second.hears) == (MAIN, Prompt("p", ("one", "two")))


def test_what_is_heard_is_written_once_in_the_row_of_the_interaction() -> None:
    it = next(it for it in _with_legs() if it.playing)
    assert changed_legs(it, _without_audio(it), START) == []
    assert [row["id"] for row in changed_legs(None, it, START)] == [leg.id for leg in it.legs]
    assert [row["ended_at"] for row in changed_legs(it, it.changed(legs=()), START)] == [START] * len(it.legs)
