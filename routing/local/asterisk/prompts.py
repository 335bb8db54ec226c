"""Makes the folder of sounds Asterisk plays: prompts of ivr/prompts.toml, digits, music. Spoken, or tones for tests.

A folder of sounds is `sounds/` (Asterisk's own way: `en/…`, and ours as `ringback/en/…`) and `music/`.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from ivr.prompts import Catalogue, Entry, load
from routing.local.asterisk import audio
from routing.local.install import debian
from routing.local.install.asterisk_package import AsteriskBinary, find_or_install_flite
from routing.local.system.errors import SetupError

_RECIPE = 1  # count up when the same texts shall sound different
_LEVEL = 0.7  # -3 dB: flite is louder than the core sounds
_VOICES = {"en": "slt"}

# Steps of 50 Hz, which 20 ms of sound tell apart. Below 500 and above 3100 Hz is room for what phones play.
MUSIC_TONE = 300
_PROMPT_TONES = range(500, 2500, 50)
_DIGIT_TONES = range(2550, 3100, 50)
_SPELLED = {**{f"digits:{n}": f"digits/{n}" for n in range(10)}, "digits:+": "letters/plus"}


def _tones(catalogue: Catalogue) -> dict[str, int]:
    keys = sorted({key for entries in catalogue.values() for key in entries})
    prompts = dict(zip(keys, _PROMPT_TONES, strict=False))
    if len(prompts) < len(keys):
        raise ValueError("more prompts than tones: widen _PROMPT_TONES")
    return prompts | dict(zip(_SPELLED, _DIGIT_TONES, strict=True)) | {"music": MUSIC_TONE}


TONES: Mapping[str, int] = MappingProxyType(_tones(load()))
"""What tests hear, in hertz: every prompt by its key, `digits:0` … `digits:9`, `digits:+`, and `music`."""

TONE_SECONDS = 0.3
DIGIT_TONE_SECONDS = 0.1


def spoken(
    binary: AsteriskBinary, say: Callable[[str], None], recordings: Path | None = None, folder: Path | None = None
) -> Path:
    """The folder of sounds for people, made now in `folder` (the cache) unless it is there. Raise SetupError.

    `recordings/<language>/<key>.wav` (8 kHz, 16 bit, mono) takes the place of what flite would say.
    """
    catalogue = load()
    own = _recordings(recordings, catalogue)
    folder = folder or debian.cache_dir()
    target = folder / f"sounds-{_fingerprint(catalogue, binary, own)}"
    if not target.exists():
        flite = find_or_install_flite(say).argv
        with debian.locked(folder), _new_folder(target) as draft:
            _speak(catalogue, own, draft, binary, flite, say)
    return target


def tones(target: Path) -> Path:
    """The folder of sounds for tests, made new at `target`: each prompt is a tone of its own (`TONES`)."""
    with _new_folder(target) as draft:
        prompts = draft / "sounds/ringback/en"
        for key, frequency in TONES.items():
            if key in _SPELLED:
                path = draft / "sounds/en" / f"{_SPELLED[key]}.wav"
                _write(path, audio.tone(frequency, DIGIT_TONE_SECONDS))
            elif key != "music":
                _write(prompts / f"{key}.wav", audio.tone(frequency, TONE_SECONDS))
        _write(draft / "music/tone.wav", audio.endless_tone(MUSIC_TONE, 10))
    return target


def _speak(
    catalogue: Catalogue,
    own: Mapping[tuple[str, str], Path],
    draft: Path,
    binary: AsteriskBinary,
    flite: tuple[str, ...],
    say: Callable[[str], None],
) -> None:
    say(f"speaking {sum(map(len, catalogue.values()))} prompts and composing music on hold")
    (draft / "sounds").mkdir()
    (draft / "sounds/en").symlink_to(binary.sounds)
    for language, entries in catalogue.items():
        folder = draft / "sounds/ringback" / language
        folder.mkdir(parents=True)
        for key, entry in entries.items():
            path = folder / f"{key}.wav"
            if recording := own.get((language, key)):
                shutil.copyfile(recording, path)
            elif entry.sound:
                path.symlink_to(_core_sound(binary, entry.sound))
            else:
                _synthesise(flite, _VOICES[language], entry, path)
    _write(draft / "music/ringback.wav", audio.hold_music())


def _core_sound(binary: AsteriskBinary, name: str) -> Path:
    path = binary.sounds / f"{name}.wav"
    if not path.exists():
        raise SetupError(f"Asterisk's core sounds lack {path}: install asterisk-core-sounds-en-wav")
    return path


def _synthesise(flite: tuple[str, ...], voice: str, entry: Entry, path: Path) -> None:
    raw = path.with_suffix(".raw")
    command = [*flite, "-voice", voice, "-t", entry.text, "-o", str(raw)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not raw.exists():
        raise SetupError(f"flite could not speak {path.stem}: {done.stderr.strip() or done.returncode}")
    rate, samples = audio.read_wav(raw)
    raw.unlink()
    if rate == 2 * audio.RATE:
        samples = audio.halved(samples)
    elif rate != audio.RATE:
        raise SetupError(f"flite speaks at {rate} Hz; 8000 or 16000 was expected")
    audio.write_wav(path, [_LEVEL * sample for sample in samples])


def _recordings(folder: Path | None, catalogue: Catalogue) -> dict[tuple[str, str], Path]:
    """(language, key) -> file, every one checked: a wrong one would fail in a caller's ear."""
    found = {}
    for path in sorted(folder.glob("*/*.wav")) if folder else []:
        language, key = path.parent.name, path.stem
        if key not in catalogue.get(language, {}):
            raise SetupError(f"{path}: there is no prompt of that name in ivr/prompts.toml")
        try:
            rate, _ = audio.read_wav(path)
        except (ValueError, EOFError, wave.Error) as error:
            raise SetupError(f"{path}: {error}; recordings are wav files, 8 kHz, 16 bit, mono") from None
        if rate != audio.RATE:
            raise SetupError(f"{path} has {rate} Hz; recordings are wav files, 8 kHz, 16 bit, mono")
        found[language, key] = path
    return found


def _fingerprint(catalogue: Catalogue, binary: AsteriskBinary, own: Mapping[tuple[str, str], Path]) -> str:
    """Changes with whatever the sounds are made of."""
    texts = {language: {key: asdict(e) for key, e in entries.items()} for language, entries in catalogue.items()}
    files = {str(name): hashlib.sha256(path.read_bytes()).hexdigest() for name, path in own.items()}
    content = json.dumps([_RECIPE, _LEVEL, _VOICES, str(binary.sounds), texts, files], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _write(path: Path, samples: list[float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.write_wav(path, samples)


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder that appears as `target` when it is complete, and not at all if that fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".sounds-", dir=target.parent))
    try:
        yield draft
        draft.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
