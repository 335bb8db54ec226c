"""F16, F17, F18, F40 and AMI: the line between the service and Asterisk is cut, falls silent, is slow, or lies."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from demo.sip.outgoing import OutgoingCall
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import customer_with_callback, hear_each_other, is_shown, status_of, talk
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig
from tests.faults.scenes import PATIENT, in_menu, is_noticed, waits

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_f16_the_events_are_cut_and_who_hung_up_meanwhile_is_found(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    await line.settings(**PATIENT, abandon={"short": 0})
    going_on = await talk(line)
    for n in repeats(2, 25):
        caller, call = await waits(line)
        await asyncio.sleep(1)  # a line that breaks again at once is tried again ever more slowly
        connects = await rig.metric("ringback_ari_connects")
        if n % 2:
            rig.ari.cut()
        else:
            await rig.ari.refuse()
            await call.hangup()
            await rig.ari.heal()
        again, repaired, _ = await asyncio.gather(
            _since(time.monotonic(), _connects_again(rig, connects)),
            _since(time.monotonic(), line.stage.when(caller.number, status="closed", outcome="abandoned")),
            call.hangup(),
        )
        figures.note("F16", "events cut: contact again", again, unit="s", limit=1)
        figures.note("F16", "missed hang-up repaired", repaired, unit="s", limit=1)
        await rig.gets_ready()
    await hear_each_other(going_on.offer, going_on.back)
    figures.note("F16", "ghosts", await rig.metric("ringback_put_right_total"), limit=0)


async def _connects_again(rig: Rig, before: float) -> None:
    while await rig.metric("ringback_ari_connects") == before or not await rig.ready():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def _since(began: float, it: Awaitable[object]) -> float:
    await it
    return time.monotonic() - began


async def test_f17_the_line_goes_dead_without_a_word_and_nobody_is_left_in_silence(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """One is in the menu, one waits with music, one rings in while it lasts, one hangs up meanwhile."""
    await line.settings(**steps(menu(timeout=1.0, tries=9)), dial={"ready_to_call": 120})
    for _ in repeats(1, 10):
        going_on = await talk(line)
        (_, asked), (_, hears_music), (gone, hangs_up) = await asyncio.gather(in_menu(line), waits(line), waits(line))
        for call in (asked, hears_music):
            call.reset_gaps()
        began = time.monotonic()
        rig.ari.half_open()
        await hangs_up.hangup()
        arriving = await line.caller().call(line.dnis)
        figures.note("F17", "dead line: noticed", await is_noticed(rig, "ari"), unit="s", limit=5)
        await asyncio.sleep(1)
        await rig.ari.heal()
        await rig.gets_ready()
        figures.note("F17", "dead line of 1 s more: contact again", time.monotonic() - began, unit="s", limit=8)
        await line.stage.when(gone.number, status="closed")
        await arriving.hear_any({TONES["music"], TONES["menu-offer"]})
        await asked.hear(TONES["menu-offer"])
        silent = [call.gaps.silence for call in (asked, hears_music, arriving)]
        figures.note("F17", "silence heard", silent, unit="s", limit=5)
        await hear_each_other(going_on.offer, going_on.back)
        await line.auditor.end_all_calls()


async def test_f17_a_slow_line_slows_and_breaks_nothing(rig: Rig, line: AuditedLine, figures: Figures) -> None:
    """Every request takes 300 ms longer: a callback from the call in until the talk."""
    rig.ari.delay(0.3)
    agent = await line.agent()
    customer = line.caller()
    it = await line.callback(customer)
    await agent.ready()
    (await agent.phone.incoming(10)).answer()
    back = await customer.incoming(10)
    back.answer()
    await hear_each_other(agent.phone.calls[-1], back)
    figures.note("F17", "INVITEs per accept on a slow line", len(customer.invites), limit=1)
    assert len((await rig.interaction(customer.number))["attempts"]) == 1, it["id"]


async def test_f18_cut_off_from_asterisk_no_customer_is_dialled_by_two(
    rig: Rig, line: AuditedLine, figures: Figures
) -> None:
    """Nobody can ring a phone then: who asks is told so, nobody is blamed, and afterwards it is done once."""
    agent = await line.agent()
    customer, interaction = await customer_with_callback(line)
    await rig.ari.refuse()
    await is_noticed(rig, "ari")
    answer = await status_of(agent.api.post(f"interactions/{interaction}/pickup"))
    assert answer == (503, "unavailable")
    await agent.ready()
    await asyncio.sleep(1)
    await is_shown(line, agent, "ready")
    await rig.ari.heal()
    (await agent.phone.incoming(10)).answer()
    await customer.incoming()
    figures.note("F18", "double dials", len(customer.invites) - 1, limit=0)


async def test_ami_is_cut_silent_or_gone_and_calls_go_on(rig: Rig, line: AuditedLine, figures: Figures) -> None:
    """Calls need ARI alone; what phones do is known again soon after AMI is back."""
    agent = await line.agent()
    for fault in ("cut", "half_open", "refuse"):
        if fault == "refuse":
            await rig.ami.refuse()
        else:
            getattr(rig.ami, fault)()
        if fault != "cut":
            figures.note("AMI", f"{fault}: noticed", await is_noticed(rig, "ami"), unit="s", limit=5)
        call = await line.in_menu(line.caller())
        await call.hangup()
        began = time.monotonic()
        await rig.ami.heal()
        await rig.gets_ready()
        figures.note("AMI", f"{fault}: known again", time.monotonic() - began, unit="s", limit=5)
    await agent.phone.unregister()
    await line.stage.until(lambda: _phone_is(agent, "unreachable"), "it is seen that the phone left")


async def _phone_is(agent: Worker, state: str) -> bool:
    return bool((await agent.state())["phone"] == state)


async def test_ami_with_a_wrong_password_is_told_and_stops_no_caller(rig: Rig, line: AuditedLine) -> None:
    await rig.end("service", signal.SIGTERM)
    rig.start_service(AMI_PASSWORD="wrong")
    async with asyncio.timeout(20):
        while await _refused_states(rig) != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    call: OutgoingCall = await line.caller().call(line.dnis)
    await call.hear_any({TONES["music"], TONES["menu-offer"]})
    await rig.kill("service")


async def _refused_states(rig: Rig) -> float:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{rig.url}/metrics") as response:
            lines = (await response.text()).splitlines()
    except aiohttp.ClientError:
        return 0
    return next(
        (float(each.split()[-1]) for each in lines if each.startswith('ringback_ami_state{state="refused"')), 0
    )
