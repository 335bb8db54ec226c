"""However a trunk writes numbers, real calls reach the right queue, and call back the right phone or nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from demo.sip.errors import SipTimeout
from demo.stage import Stage, scratch_stage
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import feed_of
from tests.calls.line import FAST, Line
from tests.calls.story import menu, only, steps

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANNOT, ENTER, MUSIC = TONES["cannot-call-back"], TONES["enter-number"], TONES["music"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plain_stage() -> AsyncIterator[Stage]:
    """A Ringback whose trunk is known to write E.164 without its plus."""
    async with scratch_stage("num", flags=("--trunk-number-format", "e164_no_plus")) as stage:
        await stage.queue("support", "600", **{**FAST, "numbers": ["600", "+4930555100"]})
        yield stage


def own(line: Line) -> str:
    """A number in E.164 that no other test has, for the queue."""
    return f"+4930{5_550_000 + line.n}"


FORMS = {
    "national": ("0{}", None),
    "international": ("0049{}", None),
    "separated": ("+49-({})", None),
    "ported": ("+49{};npdi;rn=+4912345", None),
    "local": ("{};phone-context=+49", None),
    "asserted": ("nobody", "<tel:+49{};npdi;rn=+4912345>"),
}


@pytest.mark.parametrize("form", FORMS)
async def test_whoever_presses_2_is_called_back_however_the_trunk_wrote_the_number(line: Line, form: str) -> None:
    user, asserted = FORMS[form]
    customer, agent = line.caller(), await line.agent()
    digits = customer.number.removeprefix("+49")
    caller = line.stage.carrier.phone(user.format(digits), tone=450)
    headers = {"P-Asserted-Identity": asserted.format(digits)} if asserted else {}
    call = await line.in_menu(caller, headers=headers)
    await call.dtmf("2")
    await call.hear(TONES["confirm-number"], 5)
    await call.hangup()
    await line.stage.when(customer.number, status="open", subtype="callback")
    await agent.ready()
    offer = await agent.phone.incoming()
    offer.answer()
    back = await customer.incoming()
    assert (offer.from_user, back.to_user) == (customer.number, customer.number)
    await back.hangup()


async def test_a_number_that_can_be_two_is_nobody_s_and_neither_phone_rings(line: Line) -> None:
    french, german = (line.stage.carrier.phone(number) for number in ("+33612345678", "+4933612345678"))
    call = await line.in_menu(line.stage.carrier.phone("33612345678", tone=450))
    await call.dtmf("2")
    await call.hear(CANNOT)
    await call.hear(MUSIC)
    it = await only(line)
    assert (it["number"], it["subtype"], it["promised_at"]) == (None, "inbound", None)
    await call.hangup()
    with pytest.raises(SipTimeout):
        await asyncio.wait_for(french.incoming(0.3), 1)
    assert french.invites == german.invites == []


async def test_who_has_such_a_number_may_enter_it_where_the_queue_allows_it(line: Line) -> None:
    await line.settings(**steps(menu(timeout=5)), callback={"alternate_number": True})
    customer = line.caller()
    without_plus = line.stage.carrier.phone(customer.number[1:], tone=450)
    call = await line.in_menu(without_plus)
    assert (await only(line))["number"] is None
    await call.dtmf("2")
    await call.hear(ENTER)
    await call.dtmf(customer.number[1:] + "#")
    await call.hear(TONES["invalid-number"], 5)
    await call.hear(ENTER)
    await call.dtmf(customer.number.replace("+49", "0") + "#")
    await call.hear(TONES["confirm-keys-other"], 8)
    await call.hear(MUSIC)
    await call.dtmf("1")
    await call.hear(TONES["booked"])
    await line.stage.when(customer.number, status="open", subtype="callback")


async def test_a_trunk_that_leaves_out_the_plus_and_is_known_for_it_is_read_right(plain_stage: Stage) -> None:
    german = plain_stage.carrier.phone("+491773333333")
    call = await plain_stage.carrier.phone("491773333333", tone=450).call("4930555100")
    await call.answered()
    await call.hear(TONES["menu-offer"], 5)
    it = await plain_stage.when(german.number, status="bot")
    assert (it["queue"], it["dialled_number"]) == ("support", "+4930555100")
    await call.hangup()
    assert await (await german.call("030555100")).final() == 404, "that is no number this trunk would write"


async def test_a_queue_is_reached_in_every_form_and_its_customers_see_its_number(line: Line) -> None:
    number = own(line)
    digits = number.removeprefix("+49")
    await line.settings(numbers=[line.dnis, number])
    calls = [
        f"49{digits}",
        f"0049{digits}",
        f"0{digits}",
        f"+49{digits};npdi;rn=+4912345",
        f"+49-{digits[:2]}-{digits[2:]}",
    ]
    for dialled in (number, *calls):
        caller = line.caller()
        call = await caller.call(dialled)
        await call.answered()
        it = await line.stage.when(caller.number, queue=line.queue)
        assert it["dialled_number"] == number, dialled
        await call.hangup()
    for wrong in (f"+43{digits}", f"+49{line.dnis}", f"49{line.dnis}", f"0{line.dnis}"):
        assert await (await line.caller().call(wrong)).final() == 404, wrong


async def test_who_called_a_short_number_sees_the_queue_s_first_one_that_can_be_called(line: Line) -> None:
    number = own(line)
    await line.settings(numbers=[line.dnis, number.replace("+49", "0"), number.replace("+4930", "+4969")])
    customer, agent = line.caller(), await line.agent()
    it = await line.callback(customer)
    assert it["dialled_number"] == line.dnis
    await agent.ready()
    (await agent.phone.incoming()).answer()
    back = await customer.incoming()
    assert back.from_user == number
    await back.hangup()


async def test_the_queue_s_own_numbers_are_not_called_back_in_whatever_form_they_are_written(line: Line) -> None:
    number = own(line)
    await line.settings(numbers=[line.dnis, number.replace("+49", "0049")])
    call = await line.in_menu(line.stage.carrier.phone(number.replace("+49", "0"), tone=450))
    await call.dtmf("2")
    await call.hear(CANNOT)
    it = await line.stage.when(number, status="open")
    assert [each["rule"] for each in await feed_of(line, it["id"], "number_refused")] == ["own_number"]
    await call.hangup()
