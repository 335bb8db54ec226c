"""The tones of the prompts, some of them so long that the machine is upgraded while they are played."""

from pathlib import Path

from routing.local.asterisk import audio, prompts

LONG = ("thank-you", "booked", "goodbye", "apology")
_SECONDS = 90


def long_tones(folder: Path) -> Path:
    prompts.tones(folder)
    for key in LONG:
        _write(folder, key, audio.endless_tone(prompts.TONES[key], 1) * _SECONDS)
    return folder


def shorten(folder: Path) -> None:
    """Whatever is played from now on. Asterisk goes on with what it plays already, as the file is another one."""
    for key in LONG:
        _write(folder, key, audio.tone(prompts.TONES[key], prompts.TONE_SECONDS))


def _write(folder: Path, key: str, samples: list[float]) -> None:
    path = folder / f"sounds/ringback/en/{key}.wav"
    draft = path.with_suffix(".new")
    audio.write_wav(draft, samples)
    draft.replace(path)
