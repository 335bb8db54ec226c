"""People who rang in and have no agent: each function brings one to a point of the path."""

from routing.local.asterisk.prompts import TONES
from tests.calls.story import steps
from tests.upgrade.party import Line, Party, patient


async def announcing(line: Line) -> Party:
    await patient(line, **steps({"after": 0.1, "announce": ["thank-you"]}))
    caller = line.caller()
    call = await line.call(caller)
    await call.hear(TONES["thank-you"])
    return Party(line, caller, "open", "announcing", call=call)


async def in_menu(line: Line) -> Party:
    caller = line.caller()
    return Party(line, caller, "bot", "menu", call=await line.in_menu(caller))


async def waits(line: Line) -> Party:
    party = await in_menu(line)
    assert party.call
    await party.call.dtmf("1")
    await party.becomes(status="open", stage=None)
    party.status, party.stage, party.agent = "open", None, await line.agent()
    return party


async def confirms(line: Line) -> Party:
    """The number was read back, and a key is waited for."""
    party = await in_menu(line)
    assert party.call
    await party.call.dtmf("2")
    await party.call.hear(TONES["confirm-keys-other"], 10)
    await party.call.hear(TONES["music"])
    party.stage = "confirm"
    return party


async def enters_number(line: Line) -> Party:
    return await _presses(await confirms(line), "2", "enter-number", "number_entry")


async def is_promised(line: Line) -> Party:
    """Hears the promise."""
    return await _presses(await confirms(line), "1", "booked", "booked")


async def is_sent_away(line: Line) -> Party:
    """Hears a last word."""
    return await _presses(await in_menu(line), "9", "goodbye", "leaving")


async def _presses(party: Party, key: str, prompt: str, stage: str) -> Party:
    """And hears what comes then."""
    assert party.call
    await party.call.dtmf(key)
    await party.call.hear(TONES[prompt])
    party.stage = stage
    return party
