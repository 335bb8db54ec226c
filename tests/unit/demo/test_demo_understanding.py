"""How the demo's phones understand prompts: frame by frame, by what the files hold."""

import pytest

from demo.sip.pacer import TICK
from demo.understanding import MUSIC, Frame, Utterance, _ulaw


@pytest.mark.parametrize(
    ("sample", "code"),
    [(0, 255), (-1, 127), (-4, 127), (-12, 126), (124, 239), (6524, 165), (-32768, 0), (32767, 128)],
)
def test_samples_are_encoded_as_asterisk_does(sample: int, code: int) -> None:
    assert _ulaw(sample) == code


def _utterance(**frames: Frame) -> Utterance:
    return Utterance(frames, began=0.0, until=0.0)


def test_two_prompts_that_begin_alike_are_told_apart_where_they_differ() -> None:
    utterance = _utterance(short=Frame(0, 9, False), long=Frame(0, 19, False))
    assert utterance.goes_on({"short": Frame(1, 8, False), "long": Frame(1, 18, False)}, 0.02)
    assert utterance.goes_on({"long": Frame(2, 17, False)}, 0.04)
    assert list(utterance.may_be) == ["long"]


def test_the_last_frame_that_is_no_silence_ends_it_and_tells_when_the_file_is_over() -> None:
    utterance = _utterance(goodbye=Frame(0, 10, False))
    assert not utterance.ended
    assert utterance.goes_on({"goodbye": Frame(7, 3, True)}, 0.14)
    assert utterance.ended and utterance.over == pytest.approx(0.14 + 3 * TICK)


def test_a_digit_said_twice_is_heard_twice_but_the_tune_goes_round_and_round() -> None:
    assert not _utterance(**{"0": Frame(5, 9, False)}).goes_on({"0": Frame(2, 12, False)}, 1.0)
    assert _utterance(**{MUSIC: Frame(1599, 0, True)}).goes_on({MUSIC: Frame(0, 1599, False)}, 1.0)
