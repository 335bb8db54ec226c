"""JSON in a row may have been written by a newer version: keys this version does not know are ignored, and kept."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeVar

Made = TypeVar("Made")
Word = TypeVar("Word", bound=StrEnum)


def made(kind: type[Made], stored: Mapping[str, Any], **converted: Any) -> Made:
    """A dataclass out of the keys it has fields for; `converted` replaces what JSON cannot hold as it is."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]  # every caller names a dataclass
    return kind(**{key: value for key, value in {**stored, **converted}.items() if key in names})


def by_word(words: type[Word], stored: Mapping[str, Any]) -> Iterable[tuple[Word, Any]]:
    """The entries whose key is one of `words`."""
    known = set(words)
    return ((words(key), value) for key, value in stored.items() if key in known)
