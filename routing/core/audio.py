"""What has to be asked of Asterisk so that the legs hear what they should.

Pure. A decision says what each leg hears from now on; the difference to what it heard before is asked at its end, and
after a restart before anybody is called (`routing.core.lifecycle.restart`).
"""

from collections.abc import Iterable, Iterator, Mapping

from routing.core.effects import AddToBridge, DestroyBridge, Effect, PlayPrompt, PlayRingback, StartMusic, StopPrompt
from routing.core.interaction import Hears, Interaction, Leg, Prompt, Room, Sound


def audio(it: Interaction, heard: Mapping[str, Hears], language: str) -> Iterator[Effect]:
    """`heard` is what the legs heard before, by their ids; those that are not in it heard nothing that we know of.
    Legs that are gone are hung up. A bridge that all have left is destroyed first."""
    if _talk(heard.values()) and not _talk(leg.hears for leg in it.legs):
        yield DestroyBridge(it.bridge)
    changed = [leg for leg in it.legs if leg.hears != heard.get(leg.id, Sound.NOTHING)]
    for leg in changed:
        yield from _asked(leg, heard.get(leg.id, Sound.NOTHING), language)
    if joined := tuple(leg.id for leg in changed if isinstance(leg.hears, Room)):
        yield AddToBridge(it.bridge, joined)


def _talk(hears: Iterable[Hears]) -> bool:
    return any(isinstance(each, Room) for each in hears)


def _asked(leg: Leg, before: Hears, language: str) -> Iterator[Effect]:
    """A prompt has to be stopped. Music and tones give way to what comes after them by themselves, or to the bridge;
    they are never followed by nothing."""
    if isinstance(before, Prompt):
        yield StopPrompt(leg.id, before.id)
    match leg.hears:
        case Prompt(playback, words):
            yield PlayPrompt(leg.id, playback, words, language)
        case Sound.MUSIC:
            yield StartMusic(leg.id)
        case Sound.RINGBACK:
            yield PlayRingback(leg.id)
        case _:
            pass
