"""Act 1: callers wait with music, are asked, and choose. Counterpart: calling_back.py, where the agent comes in."""

from __future__ import annotations

import time

from demo.cast import DNIS, MENU_AFTER, Customer, Play, together
from demo.sip.call import Ending
from demo.teller import expect
from demo.understanding import MUSIC, Understanding
from ivr.prompts import load

_KEY_GAP = 0.02
_READ_BACK_WITHIN = 40.0
_BOOKED_WITHIN = 15.0


async def a_caller_becomes_a_callback(play: Play) -> None:
    """A listens to every word; B, C and D call while A's number is read back."""
    play.teller.act("1. A caller waits, is asked, and becomes a callback")
    await _rings_in(play, play.a)
    await _waits_with_music(play, play.a)
    await _is_asked(play, play.a)
    await _presses_2(play, play.a)
    await together(_number_is_read_back(play, play.a), _meanwhile(play))
    await _presses_1(play, play.a)
    await _is_let_go(play, play.a)
    await _became_a_callback(play, play.a, place=1)


async def _meanwhile(play: Play) -> None:
    for customer, place in ((play.b, 2), (play.d, 4)):
        if place == 4:
            await _keeps_waiting(play, play.c)
        await _rings_in(play, customer)
        await _presses_2_and_hangs_up(play, customer)
        await _became_a_callback(play, customer, place)


async def _rings_in(play: Play, customer: Customer) -> None:
    with play.teller.step(customer.name, f"calls {DNIS} and is answered") as step:
        customer.call = call = await customer.phone.call(DNIS)
        customer.hears = Understanding(play.language, call)
        answered = await call.answered()
        step.took(answered - call.invited_at, "INVITE → answered")
    with play.teller.step("Postgres", f"has {customer.letter}: Open / inbound") as step:
        row = await play.postgres.when(customer.number, status="open", subtype="inbound")
        customer.id = row["id"]
        step.took(time.monotonic() - answered, "answered → row seen")


async def _waits_with_music(play: Play, customer: Customer) -> None:
    with play.teller.step(customer.name, "waits and hears the music") as step:
        music = await customer.hears.begins(MUSIC)
        step.took(music.began - (customer.call.answered_at or 0), "answered → music")


async def _is_asked(play: Play, customer: Customer) -> None:
    with play.teller.step(customer.name, "is asked", _text("menu-offer")) as step:
        words = await customer.hears.begins("menu-offer", MENU_AFTER + 5)
        step.took(words.began - (customer.call.answered_at or 0), f"answered → asked ({MENU_AFTER:g} s set)")
        await play.postgres.when(customer.number, status="bot", stage="menu")
        await customer.hears.ends("menu-offer", 10)


async def _press(customer: Customer, digit: str) -> float:
    """When the key was released."""
    await customer.call.dtmf(digit, gap=_KEY_GAP)
    return time.monotonic() - _KEY_GAP


async def _presses_2(play: Play, customer: Customer) -> None:
    with play.teller.step(customer.name, "presses 2: a callback", _text("confirm-number")) as step:
        at = await _press(customer, "2")
        words = await customer.hears.begins("confirm-number")
        step.took(words.began - at, "key released → prompt")
        await play.postgres.when(customer.number, status="bot", stage="confirm")


async def _number_is_read_back(play: Play, customer: Customer) -> None:
    with play.teller.step(
        customer.name, "hears every digit of its number", f"{customer.number} … {_text('confirm-keys')}"
    ):
        words = await customer.hears.ends("confirm-keys", _READ_BACK_WITHIN)
        read = "".join(customer.hears.between("confirm-number", "confirm-keys"))
        expect("the number read back", customer.number, read)
        await customer.hears.begins(MUSIC, after=words.until)  # a key before the end of the read-back says nothing


async def _presses_1(play: Play, customer: Customer) -> None:
    with play.teller.step(customer.name, "presses 1: confirmed", _text("booked")) as step:
        at = await _press(customer, "1")
        words = await customer.hears.begins("booked")
        step.took(words.began - at, "key released → prompt")
        row = await play.postgres.when(customer.number, status="bot", stage="booked")
        expect("the promise is in Postgres", True, row["promised_at"] is not None)


async def _is_let_go(play: Play, customer: Customer) -> None:
    with play.teller.step("Ringback", "hangs up after the last word") as step:
        words = await customer.hears.ends("booked", _BOOKED_WITHIN)
        end = await customer.call.ended()
        expect("how the call ended", Ending.BYE_RECEIVED, end.how)
        step.took(end.at - words.over, "end of prompt → BYE")


async def _presses_2_and_hangs_up(play: Play, customer: Customer) -> None:
    """The key commits: who hangs up then has a callback all the same."""
    with play.teller.step(customer.name, "interrupts the question with 2 and soon hangs up"):
        await customer.hears.begins("menu-offer", MENU_AFTER + 5)
        await _press(customer, "2")
        await customer.hears.begins("confirm-number")
        await customer.call.hangup()


async def _became_a_callback(play: Play, customer: Customer, place: int) -> None:
    what = f"has {customer.letter}: Open / callback, same id, same place ({place})"
    with play.teller.step("Postgres", what) as step:
        row = await play.postgres.when(customer.number, status="open", subtype="callback")
        ended = customer.call.end
        step.took(time.monotonic() - (ended.at if ended else 0), "BYE → callback seen")
        expect("the interaction's id", customer.id, row["id"])
        expect("the time that counts in line", row["entered_at"], row["queued_at"])
        expect("the place in line", place, await play.postgres.place(row["id"]))


async def _keeps_waiting(play: Play, customer: Customer) -> None:
    await _rings_in(play, customer)
    with play.teller.step(customer.name, "presses 1 and keeps waiting, with music") as step:
        await customer.hears.begins("menu-offer", MENU_AFTER + 5)
        at = await _press(customer, "1")
        music = await customer.hears.begins(MUSIC, after=at)
        step.took(music.began - at, "key released → music")
        row = await play.postgres.when(customer.number, status="open", subtype="inbound", stage=None)
        expect("the place in line", 3, await play.postgres.place(row["id"]))


def _text(key: str) -> str:
    return load()["en"][key].text
