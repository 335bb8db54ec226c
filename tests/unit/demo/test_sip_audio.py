"""Sound without a network: demo.sip.g711, tones, dtmf, ear, capture."""

import asyncio
import random
import time
import wave
from pathlib import Path

import pytest

from demo.sip import dtmf, g711, tones
from demo.sip.capture import Capture
from demo.sip.ear import Ear
from demo.sip.errors import MediaEnded


def test_g711_codes_known_points() -> None:
    assert g711.ULAW[0xFF] == 0 and g711.ULAW[0x80] == 32124 and g711.ULAW[0x00] == -32124
    assert g711.ALAW[0xD5] == 8 and g711.ALAW[0xAA] == 32256 and g711.ALAW[0x2A] == -32256


def test_g711_encodes_what_it_decodes() -> None:
    audible = bytes(code for code in range(256) if code != 0x7F)  # 0x7F is the other zero
    assert g711.encode(g711.decode(audible)) == audible


def test_the_two_laws_translate_within_a_quantum() -> None:
    for code in range(256):
        there = g711.ALAW[g711.ULAW_TO_ALAW[code]]
        assert abs(there - g711.ULAW[code]) <= max(16, abs(g711.ULAW[code]) // 16)


@pytest.mark.parametrize("frequency", [300, 440, 697, 1000, 2250, 3333])
def test_a_rendered_tone_loops_without_a_seam_and_is_found_in_any_frame(frequency: int) -> None:
    for frame in tones.frames(frequency)[:5]:
        samples = g711.decode(frame)
        assert tones.share(samples, frequency) > 0.9
        assert tones.share(samples, frequency + 200) < 0.05
        assert g711.is_loud(frame)


def test_two_mixed_tones_are_both_found_and_silence_is_none() -> None:
    low, high = g711.decode(tones.frames(500)[0]), g711.decode(tones.frames(1250)[0])
    mixed = [a + b for a, b in zip(low, high, strict=True)]
    assert tones.share(mixed, 500) == pytest.approx(0.5, abs=0.02)
    assert tones.share(mixed, 1250) == pytest.approx(0.5, abs=0.02)
    assert tones.share(g711.decode(tones.SILENCE[0]), 500) == 0
    assert not g711.is_loud(tones.SILENCE[0])


def test_noise_is_no_tone() -> None:
    noise = random.Random(7)
    samples = [noise.randint(-8000, 8000) for _ in range(g711.FRAME)]
    assert tones.strongest(samples)[1] < 0.3


def test_a_digit_is_an_event_each_20_ms_and_its_end_three_times() -> None:
    sent = list(dtmf.packets("#", ticks=2))
    assert [len(tick) for tick in sent] == [1, 1, 3]
    events = [dtmf.parse(payload) for tick in sent for payload in tick]
    assert [event.duration for event in events if event] == [160, 320, 320, 320, 320]
    assert [event.ended for event in events if event] == [False, False, True, True, True]
    assert {event.digit for event in events if event} == {"#"}


def test_short_and_unknown_events_are_none() -> None:
    assert dtmf.parse(b"\x01\x02") is None
    assert dtmf.parse(b"\x20\x0a\x00\xa0") is None


async def test_an_ear_hears_a_tone_after_two_packets_of_it() -> None:
    ear = Ear()
    hearing = asyncio.create_task(ear.hear_any({700, 900}))
    await asyncio.sleep(0)
    ear.receive(tones.frames(500)[0], 1.00)
    ear.receive(tones.frames(900)[0], 1.02)
    ear.receive(tones.SILENCE[0], 1.04)
    ear.receive(tones.frames(900)[0], 1.06)
    ear.receive(tones.frames(900)[0], 1.08)
    heard = await hearing
    assert (heard.frequency, heard.at) == (900, 1.06)


async def test_an_ear_remembers_what_was_played_before_anybody_listened() -> None:
    ear = Ear()
    for packet in range(3):
        ear.receive(tones.frames(900)[0], 1.0 + packet / 50)
    assert (await ear.hear_any({900}, since=1.0)).at == 1.0


async def test_listeners_are_told_that_the_call_is_over() -> None:
    ear = Ear()
    hearing = asyncio.create_task(ear.hear_any({900}))
    await asyncio.sleep(0)
    ear.close()
    with pytest.raises(MediaEnded):
        await hearing


async def test_gaps_are_measured_in_sound_and_in_packets() -> None:
    ear, start = Ear(), time.monotonic()
    for packet in range(100):
        at = start + packet / 50
        if 0.4 <= packet / 50 < 0.7:
            continue
        quiet = 0.9 <= packet / 50 < 1.4
        ear.receive(tones.SILENCE[0] if quiet else tones.frames(900)[0], at)
    gaps = ear.gaps()
    assert gaps.packets == pytest.approx(0.32, abs=0.01)
    assert gaps.silence == pytest.approx(0.52, abs=0.01)


async def test_an_explanation_names_the_tone_that_was_there_instead() -> None:
    ear = Ear()
    assert "no audio" in ear.describe()
    ear.receive(tones.frames(650)[0], time.monotonic())
    assert "650 Hz" in ear.describe()


def test_a_capture_is_a_wav_with_silence_for_what_was_lost(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "heard.wav")
    capture.add(tones.frames(500)[0], 0xFFFFFFFF - 79)
    capture.add(tones.frames(500)[0], 240)  # one packet lost while the time stamp wrapped
    capture.close()
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert (file.getframerate(), file.getnframes()) == (8000, 480)
