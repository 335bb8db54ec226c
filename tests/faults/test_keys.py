"""F28, F29: the caller hangs up in the very moment of pressing 2, and presses what no menu knows."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from demo.sip import dtmf
from demo.sip.outgoing import OutgoingCall
from routing.local.asterisk.prompts import TONES
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.scenes import own_line

pytestmark = pytest.mark.asyncio(loop_scope="session")

SWEEP = [step / 1000 for step in range(-200, 201, 5)]
"""Seconds between the end of the key and the hang-up."""
KEY = 0.08
AT_ONCE = 9
_SEED = 28

_WHAT_BECAME = """
SELECT i.number, i.status, i.subtype, i.outcome, i.requested_at IS NOT NULL AS requested,
       i.promised_at IS NOT NULL AS promised,
       EXISTS (SELECT FROM feed f WHERE f.interaction = i.id AND f.event = 'callback_requested') AS asked,
       EXISTS (SELECT FROM feed f WHERE f.interaction = i.id AND f.event = 'abandoned') AS abandoned
  FROM interactions i WHERE i.queue = $1
"""


async def test_f28_a_hang_up_swept_over_the_callback_key_is_a_callback_or_an_abandon_never_both_nor_neither(
    line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    offsets = SWEEP if len(repeats(1, 2)) == 2 else SWEEP[::4]
    times = len(repeats(1, 3))
    await line.settings(**steps(menu(timeout=20)))
    ends = Counter[str]()
    todo = [offset for offset in offsets for _ in range(times)]
    while todo:
        batch, todo = todo[:AT_ONCE], todo[AT_ONCE:]
        heard = dict(await asyncio.gather(*(_press_and_hang_up(line, each) for each in batch)))
        await line.stage.until(lambda: _all_settled(line), "every caller's interaction is settled")
        for row in await line.stage.sql.fetch(_WHAT_BECAME, line.queue):
            if row["number"] not in heard:
                continue
            callback = (
                (row["status"], row["subtype"]) == ("open", "callback") and row["requested"] and row["promised"]
            )
            abandoned = row["status"] == "closed" and row["outcome"] in ("abandoned", "short_abandon")
            ends["callback" if callback else "abandoned"] += 1
            figures.note("F28", "neither a callback nor abandoned, or both", float(callback == abandoned), limit=0)
            figures.note("F28", "asked, and not stored", float(row["asked"] != callback), limit=0)
            figures.note(
                "F28", "told of the callback without one", float(heard[row["number"]] and not callback), limit=0
            )
            assert row["abandoned"] == abandoned, dict(row)
    assert sum(ends.values()) == len(offsets) * times
    assert len(ends) == 2, f"the sweep has two sides: {ends}"
    figures.note("F28", f"callbacks of {sum(ends.values())} callers", ends["callback"])


async def _press_and_hang_up(line: AuditedLine, offset: float) -> tuple[str, bool]:
    """The caller's number, and whether the number was read back to them."""
    caller = line.caller()
    call = await line.in_menu(caller)
    hearing = asyncio.create_task(call.hear(TONES["confirm-number"], 5))
    hang_up_at = asyncio.get_running_loop().time() + 0.25 + KEY + offset
    asyncio.get_running_loop().call_later(0.25, call.media.press, "2", KEY)
    await asyncio.sleep(hang_up_at - asyncio.get_running_loop().time())
    await call.hangup()
    (was_read,) = await asyncio.gather(hearing, return_exceptions=True)
    return caller.number, not isinstance(was_read, BaseException)


async def _all_settled(line: AuditedLine) -> bool:
    living = await line.stage.sql.fetchval(
        "SELECT count(*) FROM interactions WHERE queue = $1 AND status = 'bot'", line.queue
    )
    return living == 0


async def test_f29_keys_no_menu_knows_repeat_the_question_and_then_the_caller_waits_on(
    line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """Every wrong key, doubled packets, packets out of order, ends without a beginning, very long ones."""
    garbled = Garble(random.Random(_SEED))
    rounds = [garbled.noise for _ in repeats(2, 20)]
    wrong: list[Callable[[OutgoingCall], None]] = [garbled.wrong_keys, garbled.long, garbled.doubled, *rounds]
    own = [own_line(line, n) for n in range(len(wrong))]
    for first in range(0, len(wrong), AT_ONCE):
        batch = list(zip(own, wrong, strict=True))[first : first + AT_ONCE]
        chosen = await asyncio.gather(*(_garbled(each, press) for each, press in batch))
        figures.note("F29", "choices nobody made", [float(each) for each in chosen], limit=0)


async def _garbled(line: AuditedLine, press: Callable[[OutgoingCall], None]) -> bool:
    """Whether the service took it for a choice. Three wrong ones, and the caller waits with music again."""
    await line.settings(**steps(menu(timeout=0.4, tries=3)))
    caller = line.caller()
    call = await line.in_menu(caller)
    press(call)
    it = await line.stage.when(caller.number, status="open", stage=None, within=20)
    await call.hear(TONES["music"])
    feed = await line.stage.feed(it["id"])
    await call.hangup()
    return "callback_requested" in feed


class Garble:
    """Telephone events as a broken phone or network sends them; none of them is a 1 or a 2 that was pressed."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def wrong_keys(self, call: OutgoingCall) -> None:
        for digit in "#*9":
            call.media.press(digit, KEY)

    def long(self, call: OutgoingCall) -> None:
        call.media.press("9", 6.0)

    def doubled(self, call: OutgoingCall) -> None:
        call.media.send_events([packet * 4 for packet in dtmf.packets("9", 4)])

    def noise(self, call: OutgoingCall) -> None:
        """Lengths that run backwards, unknown events, too short and too long packets, in any order."""
        events: list[tuple[bytes, ...]] = []
        for _ in range(40):
            code, flags = self._dice.choice([3, 7, 16, 60, 255]), self._dice.randrange(256)
            whole = bytes([code, flags]) + self._dice.randbytes(2)
            events.append((self._dice.choice([whole, whole[:2], whole[:1], b"", whole + self._dice.randbytes(40)]),))
        call.media.send_events(events)
