"""What callers can be told: words such as `menu-offer`, `number:3` or `digits:+4915112345678`. Pure.

prompts.toml has the texts; routing/local/asterisk/prompts.py makes the sounds of them; `media` names
those to Asterisk.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

Words = tuple[str, ...]
_KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NUMBER = re.compile(r"number:[0-9]{1,9}")
_SYMBOLS = {"+": "sound:letters/plus", "*": "sound:digits/star", "#": "sound:digits/pound"}
_DIGITS = re.compile(r"digits:\+?[0-9*#]{1,32}")


class UnknownWord(ValueError):
    """A prompt has a word that is neither a key of the catalogue's form nor a number nor digits."""


@dataclass(frozen=True)
class Entry:
    """`sound`: the Asterisk core sound that says `text`; None if it has to be spoken or recorded."""

    text: str
    sound: str | None = None


Catalogue = Mapping[str, Mapping[str, Entry]]  # language -> key -> entry


def load() -> Catalogue:
    """The catalogue that comes with Ringback. Reads prompts.toml: for the composition root and set-up."""
    content = tomllib.loads(files("ivr").joinpath("prompts.toml").read_text())
    return {language: {key: Entry(**entry) for key, entry in keys.items()} for language, keys in content.items()}


def media(words: Iterable[str], language: str = "en") -> list[str]:
    """The words as media URIs of ARI, in order. Raise UnknownWord."""
    return [uri for word in words for uri in _uris(word, language)]


def position(place: int) -> Words:
    """How a caller is told that `place - 1` others come first."""
    return ("position-first",) if place <= 1 else ("position-before", f"number:{place}", "position-after")


def wait(minutes: int) -> Words:
    """How a caller is told to expect about so many minutes (at least one)."""
    return ("wait-before", f"number:{max(minutes, 1)}", "wait-minute" if minutes <= 1 else "wait-minutes")


def missing(words: Iterable[str], catalogue: Catalogue, language: str = "en") -> list[str]:
    """The words this catalogue cannot say."""
    known = catalogue.get(language, {})
    return [word for word in words if ":" not in word and word not in known]


def _uris(word: str, language: str) -> list[str]:
    if _NUMBER.fullmatch(word):
        return [word]
    if _DIGITS.fullmatch(word):  # one by one: Asterisk writes into its log what it could not play to the end
        return [_SYMBOLS.get(each, f"sound:digits/{each}") for each in word.removeprefix("digits:")]
    if _KEY.fullmatch(word):
        return [f"sound:ringback/{language}/{word}"]
    raise UnknownWord(repr(word[:40]))
