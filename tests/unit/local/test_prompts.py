"""The catalogue of prompts, its words, and the sounds made for it."""

import math
from pathlib import Path

import pytest

from ivr.prompts import UnknownWord, load, media, missing, position, wait
from routing.local.asterisk import audio, prompts


def test_words_become_media_that_asterisk_plays() -> None:
    said = ("confirm-number", "digits:+4915", "digits:600", "number:12", "confirm-keys")
    assert media(said) == [
        "sound:ringback/en/confirm-number",
        "sound:letters/plus",
        *(f"sound:digits/{each}" for each in "4915"),
        *(f"sound:digits/{each}" for each in "600"),
        "number:12",
        "sound:ringback/en/confirm-keys",
    ]


@pytest.mark.parametrize("word", ["", "Menu", "a/b", "../x", "sound:x", "digits:", "digits:1,2", "number:-1", "a b"])
def test_anything_else_is_no_word(word: str) -> None:
    with pytest.raises(UnknownWord):
        media([word])


def test_a_place_in_line_and_a_wait_are_told_with_words_of_the_catalogue() -> None:
    assert position(1) == ("position-first",)
    assert position(3) == ("position-before", "number:3", "position-after")
    assert wait(0)[1:] == ("number:1", "wait-minute")
    assert wait(7)[1:] == ("number:7", "wait-minutes")
    assert missing((*position(1), *position(3), *wait(1), *wait(7)), load()) == []


def test_what_the_catalogue_lacks_is_named() -> None:
    assert missing(("goodbye", "digits:1", "menu-of-tomorrow"), load()) == ["menu-of-tomorrow"]


def test_every_prompt_says_something_and_can_be_named_to_asterisk() -> None:
    for language, entries in load().items():
        assert len(media(entries, language)) == len(entries)
        assert all(entry.text for entry in entries.values())


def test_every_prompt_has_a_tone_of_its_own_that_20_ms_tell_apart() -> None:
    tones = prompts.TONES
    assert set(load()["en"]) <= set(tones)
    assert len(set(tones.values())) == len(tones)
    assert all(frequency % 50 == 0 for frequency in tones.values())


def test_tones_are_8_khz_files_where_asterisk_looks_for_them(tmp_path: Path) -> None:
    folder = prompts.tones(tmp_path / "tones")
    for name in ("ringback/en/menu-offer", "en/digits/0", "en/letters/plus"):
        rate, samples = audio.read_wav(folder / "sounds" / f"{name}.wav")
        assert (rate, len(samples) > 500) == (8000, True)
    assert audio.read_wav(folder / "music/tone.wav")[0] == 8000


def test_halving_keeps_speech_and_drops_what_would_fold_into_it() -> None:
    def loudness(frequency: int) -> float:
        wave = [math.sin(2 * math.pi * frequency * n / 16000) for n in range(16000)]
        result = audio.halved(wave)
        assert len(result) == 8000
        return max(map(abs, result[100:-100]))

    assert loudness(1000) == pytest.approx(1, abs=0.02)
    assert loudness(5500) < 0.02


def test_hold_music_lasts_half_a_minute_and_runs_into_its_own_beginning() -> None:
    music = audio.hold_music()
    assert len(music) >= 30 * audio.RATE
    assert max(map(abs, music)) <= 0.31
    assert abs(music[-1] - music[0]) < 0.1
