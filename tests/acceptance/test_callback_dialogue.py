"""The number dialogue: what commits a callback, what confirms it, what takes it back."""

import asyncio

import pytest

from demo.sip import policy
from demo.sip.call import Ending
from demo.sip.carrier import Phone
from demo.sip.errors import SipTimeout
from demo.sip.outgoing import OutgoingCall
from routing.local.asterisk.prompts import TONES
from tests.calls.line import Line
from tests.calls.story import is_promised, menu, only, statuses, steps, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

MUSIC, INVALID, BOOKED = TONES["music"], TONES["invalid"], TONES["booked"]
READ_BACK, KEYS, KEYS_OTHER = TONES["confirm-number"], TONES["confirm-keys"], TONES["confirm-keys-other"]
ENTER, CANNOT = TONES["enter-number"], TONES["cannot-call-back"]
PATIENT = steps(menu(timeout=3))
"""Nobody who is about to press a key is asked again, however busy the machine."""


async def until_asked(call: OutgoingCall, keys: int = KEYS) -> None:
    """Wait until the number was read back and a key is waited for."""
    await call.hear(keys, 8)
    await call.hear(MUSIC)


async def pressed_2(line: Line, caller: Phone) -> OutgoingCall:
    call = await line.in_menu(caller)
    await call.dtmf("2")
    return call


@pytest.mark.quick
async def test_a_hang_up_50_ms_after_the_callback_key_is_a_callback(line: Line) -> None:
    caller = line.caller()
    call = await line.in_menu(caller)
    inbound = await line.stage.interaction(caller.number)
    await call.dtmf("2", gap=0.05)
    await call.hangup()
    it = await line.stage.when(caller.number, within=1.0, status="open", subtype="callback")
    assert (it["id"], it["queued_at"]) == (inbound["id"], inbound["queued_at"])
    assert await is_promised(line, it["id"]) and it["expires_at"] and it["position"] == 1
    assert it["promised_at"] is None, "no time was promised"


@pytest.mark.quick
async def test_a_promise_is_heard_only_when_postgres_has_it_and_then_the_system_hangs_up(line: Line) -> None:
    await line.settings(**PATIENT)
    caller, sql = line.caller(), line.stage.sql
    call = await pressed_2(line, caller)
    await until_asked(call)
    inbound = await line.stage.interaction(caller.number)
    async with sql.transaction():  # as long as this holds the row, nothing about it can be stored
        await sql.execute("SELECT 1 FROM interactions WHERE id = $1 FOR UPDATE", inbound["id"])
        await call.dtmf("1")
        with pytest.raises(SipTimeout):
            await call.hear(BOOKED, 0.7)
    await call.hear(BOOKED)
    row = await sql.fetchrow("SELECT * FROM interactions WHERE id = $1", inbound["id"])
    assert row and row["requested_at"] and row["promised_at"] and row["stage"] == "booked"
    assert (await call.ended()).how is Ending.BYE_RECEIVED
    it = await line.stage.when(caller.number, status="open", subtype="callback", stage=None)
    assert (it["id"], it["queued_at"]) == (inbound["id"], inbound["queued_at"])


async def test_the_change_of_status_and_of_subtype_is_one_transaction_told_in_one_line(line: Line) -> None:
    caller = line.caller()
    it = await line.callback(caller)
    row = await line.stage.sql.fetchrow(
        "SELECT i.xmin = f.xmin AS together, i.updated_at = f.at AS at_once, f.status, i.subtype FROM interactions i"
        " JOIN feed f ON f.interaction = i.id WHERE i.id = $1 AND f.event = 'converted'",
        it["id"],
    )
    assert row and dict(row) == {"together": True, "at_once": True, "status": "open", "subtype": "callback"}
    feed = await told(line, it["id"])
    assert statuses(feed) == ["open", "bot", "open"]
    events = [each["event"] for each in feed]
    assert events == ["entered", "menu_started", "digit_pressed", "callback_requested", "converted"]
    assert await _rows(line) == 1


async def _rows(line: Line, where: str = "true") -> int:
    count = f"SELECT count(*) FROM interactions WHERE queue = $1 AND {where}"  # constants of this file
    return int(await line.stage.sql.fetchval(count, line.queue))


async def test_where_the_queue_says_so_a_hang_up_in_the_read_back_abandons(line: Line) -> None:
    await line.settings(**PATIENT, callback={"on_hangup": "abandon"}, abandon={"short": 0.1})
    caller = line.caller()
    call = await pressed_2(line, caller)
    await call.hear(READ_BACK)
    await call.hangup()
    it = await line.stage.when(caller.number, status="closed", outcome="abandoned")
    assert it["subtype"] == "inbound"


async def test_even_there_a_hang_up_after_the_confirmation_is_a_callback(line: Line) -> None:
    await line.settings(**PATIENT, callback={"on_hangup": "abandon"})
    caller = line.caller()
    call = await pressed_2(line, caller)
    await until_asked(call)
    await call.dtmf("1")
    await call.hear(BOOKED)
    await call.hangup()
    await line.stage.when(caller.number, status="open", subtype="callback")


@pytest.mark.quick
async def test_star_withdraws_the_request_and_waits_on_at_the_same_place(line: Line) -> None:
    await line.settings(**PATIENT, abandon={"short": 0.1})
    caller = line.caller()
    call = await pressed_2(line, caller)
    await until_asked(call)
    before = await line.stage.interaction(caller.number)
    await call.dtmf("*")
    it = await line.stage.when(caller.number, status="open", subtype="inbound", stage=None)
    assert (it["id"], it["queued_at"], it["position"]) == (before["id"], before["queued_at"], 1)
    assert await _rows(line, "requested_at IS NOT NULL") == 0
    await call.hear(MUSIC)
    await call.hangup()
    await line.stage.when(caller.number, status="closed", outcome="abandoned")


async def test_digits_before_the_read_back_has_ended_neither_confirm_nor_are_wrong(line: Line) -> None:
    await line.settings(**PATIENT)
    caller = line.caller()
    call = await pressed_2(line, caller)
    await call.hear(READ_BACK)
    await call.dtmf("1")
    await call.dtmf("777")
    heard = await call.hear_any({KEYS, INVALID, BOOKED}, 8)
    assert heard.frequency == KEYS, "the read-back went on"
    await call.hear(MUSIC)
    it = await line.stage.interaction(caller.number)
    assert (it["status"], it["stage"], await is_promised(line, it["id"])) == ("bot", "confirm", False)
    tries = await line.stage.sql.fetchval("SELECT waiting ->> 'tries' FROM interactions WHERE id = $1", it["id"])
    assert tries == "0"
    await call.dtmf("1")
    await call.hear(BOOKED)
    await line.stage.when(caller.number, status="open", subtype="callback")
    await call.ended()


async def test_another_number_by_keypad_is_read_back_confirmed_and_called(line: Line) -> None:
    await line.settings(**PATIENT, callback={"alternate_number": True})
    agent, caller, other = await line.agent(), line.caller(), line.caller(policy.ring())
    call = await pressed_2(line, caller)
    await until_asked(call, KEYS_OTHER)
    await call.dtmf("2")
    await call.hear(ENTER)
    await line.stage.when(caller.number, status="bot", stage="number_entry")
    await call.dtmf("0151#")
    await call.hear(TONES["invalid-number"])
    await call.hear(ENTER)
    await call.dtmf(other.number.replace("+49", "0") + "#")
    await call.hear(READ_BACK)
    await until_asked(call, KEYS_OTHER)
    await call.dtmf("1")
    await call.hear(BOOKED)
    await call.ended()
    await line.stage.when(other.number, status="open", subtype="callback")
    assert (await line.stage.interaction(caller.number))["id"] is None, "the caller's own number is not called"
    await agent.ready()
    offer = await agent.phone.incoming()
    offer.answer()
    back = await other.incoming()
    back.answer()
    await back.hear(350)
    await back.hangup()
    assert not caller.invites and len(other.invites) == 1


async def test_a_hang_up_while_another_number_is_read_back_keeps_the_callers_own(line: Line) -> None:
    await line.settings(**PATIENT, callback={"alternate_number": True})
    caller, other = line.caller(), line.caller()
    call = await pressed_2(line, caller)
    await until_asked(call, KEYS_OTHER)
    await call.dtmf("2")
    await call.hear(ENTER)
    await call.dtmf(other.number.replace("+49", "0") + "#")
    await call.hear(READ_BACK)
    await call.hangup()
    it = await line.stage.when(caller.number, status="open", subtype="callback")
    assert it["number"] == caller.number


async def test_a_caller_without_a_number_is_told_that_a_call_back_cannot_be(line: Line) -> None:
    await line.settings(**PATIENT, abandon={"short": 0.1})
    call = await line.in_menu(line.caller(), anonymous=True)
    before = await only(line)
    assert before["number"] is None
    await call.dtmf("2")
    await call.hear(CANNOT)
    await call.hear(MUSIC)
    it = await only(line)
    assert (it["status"], it["subtype"], it["queued_at"]) == ("open", "inbound", before["queued_at"])
    await call.hangup()
    await _closed_as(line, "abandoned")


async def _closed_as(line: Line, outcome: str) -> None:
    async def holds() -> bool:
        items = (await line.stage.api.get("interactions", queue=line.queue, status="closed"))["items"]
        return [each["outcome"] for each in items] == [outcome]

    await line.stage.until(holds, f"closed as {outcome}")


async def test_a_caller_without_a_number_enters_one(line: Line) -> None:
    await line.settings(**PATIENT, callback={"alternate_number": True})
    other = line.caller()
    call = await line.in_menu(line.caller(), anonymous=True)
    await call.dtmf("2")
    await call.hear(ENTER)
    assert await _rows(line, "requested_at IS NOT NULL") == 0, "nothing is committed without a number"
    await call.dtmf(other.number.replace("+49", "0") + "#")
    await until_asked(call, KEYS_OTHER)
    assert (await only(line))["number"] is None
    await call.dtmf("1")
    await call.hear(BOOKED)
    await call.ended()
    await line.stage.when(other.number, status="open", subtype="callback")


async def test_a_caller_without_a_number_who_enters_none_waits_on(line: Line) -> None:
    await line.settings(**steps(menu(tries=2)), callback={"alternate_number": True}, abandon={"short": 0.1})
    call = await line.in_menu(line.caller(), anonymous=True)
    before = await only(line)
    await call.dtmf("2")
    for _ in range(2):
        await call.hear(ENTER)
        await call.hear(MUSIC)

    async def waits_on() -> bool:
        it = await only(line)
        return (it["status"], it["stage"], it["queued_at"]) == ("open", None, before["queued_at"])

    await line.stage.until(waits_on, "the caller waits on")
    await call.hangup()
    await _closed_as(line, "abandoned")


async def test_a_second_request_for_the_same_number_leaves_one_and_the_caller_may_wait_on(line: Line) -> None:
    await line.settings(**PATIENT)
    caller = line.caller()
    first = await line.callback(caller)
    call = await line.in_menu(caller)
    second = await line.stage.when(caller.number, subtype="inbound")
    await call.dtmf("2")
    await call.hear(TONES["callback-exists"])
    await call.hear(MUSIC)
    it = await line.stage.when(caller.number, status="open", stage=None)
    assert (it["id"], it["subtype"], it["queued_at"]) == (second["id"], "inbound", second["queued_at"])
    assert second["id"] != first["id"]
    assert await _rows(line, "requested_at IS NOT NULL AND status <> 'closed'") == 1
    await call.hangup()
    await line.stage.when(caller.number, id=first["id"], status="open", subtype="callback")


async def test_who_never_confirms_is_called_back_as_the_key_asked_for_it(line: Line) -> None:
    await line.settings(**steps(menu(tries=1, timeout=0.3)))
    caller = line.caller()
    call = await pressed_2(line, caller)
    await until_asked(call)
    await call.hear(BOOKED)
    await call.ended()
    it = await line.stage.when(caller.number, status="open", subtype="callback")
    events = [each["event"] for each in await told(line, it["id"])]
    assert events[-3:] == ["callback_requested", "callback_confirmed", "converted"]


async def test_another_number_that_is_never_confirmed_is_not_called(line: Line) -> None:
    await line.settings(**steps(menu(tries=1, timeout=2)), callback={"alternate_number": True})
    caller, other = line.caller(), line.caller()
    call = await pressed_2(line, caller)
    await call.hear(KEYS_OTHER, 8)
    await call.hear(MUSIC)
    await call.dtmf("2")
    await call.hear(ENTER)
    await call.dtmf(other.number.replace("+49", "0") + "#")
    await call.hear(KEYS_OTHER, 8)
    await call.hear(BOOKED)
    await call.ended()
    it = await line.stage.when(caller.number, status="open", subtype="callback")
    assert it["number"] == caller.number


async def test_many_hang_up_at_once_after_the_key_and_each_is_a_callback(line: Line) -> None:
    """Keys of 40 ms and the hang-up 50 ms after their beginning: nothing that was pressed is lost."""

    async def in_a_hurry(caller: Phone) -> None:
        call = await line.in_menu(caller)
        await call.dtmf("2", duration=0.04, gap=0.01)
        await call.hangup()
        await line.stage.when(caller.number, status="open", subtype="callback")

    await asyncio.gather(*(in_a_hurry(line.caller()) for _ in range(5)))
    assert await _rows(line, "subtype = 'callback'") == 5
