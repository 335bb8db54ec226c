"""What the legs hear, in a row and out of it.

A row that a version before 0.9 wrote does not tell: then it follows from the rest of the row.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from routing.core.interaction import MAIN, Hears, Interaction, Leg, LegState, Prompt, Role, Room, Sound, Stage


def stored(it: Interaction, version: int) -> dict[str, Any]:
    return {"version": version, "legs": {leg.id: _words(leg.hears) for leg in it.legs}}


def _words(hears: Hears) -> dict[str, Any]:
    match hears:
        case Prompt(playback, words):
            return {"prompt": playback, "words": words}
        case Room(name):
            return {"room": name}
        case _:
            return {"sound": hears}


def with_what_legs_hear(it: Interaction, hears: Mapping[str, Any], playing: str | None) -> Interaction:
    """`hears` is what `stored` made, or nothing; `playing` is what earlier versions keep: the prompt that plays."""
    known = hears.get("legs", {}) if hears.get("version") == it.version else {}
    return it.changed(
        legs=tuple(replace(leg, hears=_hears(it, leg, known.get(leg.id, {}), playing)) for leg in it.legs)
    )


def _hears(it: Interaction, leg: Leg, stored: Mapping[str, Any], playing: str | None) -> Hears:
    match stored:
        case {"prompt": playback, "words": words}:
            return Prompt(playback, tuple(words))
        case {"room": name}:
            return Room(name)
        case {"sound": Sound.NOTHING | Sound.MUSIC | Sound.RINGBACK as sound}:
            return Sound(sound)
        case _:
            return _as_it_was(it, leg, playing)


def _as_it_was(it: Interaction, leg: Leg, playing: str | None) -> Hears:
    if leg.state is not LegState.UP:
        return Sound.NOTHING
    if it.stage is Stage.TALKING:
        return MAIN
    if leg.role is Role.AGENT:
        return Sound.RINGBACK if it.leg(Role.CUSTOMER) else Sound.NOTHING
    return Prompt(playing, it.waiting.words) if playing else Sound.MUSIC
