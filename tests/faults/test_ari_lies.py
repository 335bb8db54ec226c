"""F40: ARI answers what it never should, and tells events twice, out of order, garbled. Nothing raises, nobody is
called twice, and afterwards all is as it should be."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from demo.sip.errors import SipError
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import Talk, talk
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.meddler import Meddler, meddling
from tests.faults.rig import Rig
from tests.faults.scenes import PATIENT, own_line

pytestmark = pytest.mark.asyncio(loop_scope="session")

_UNHANDLED = ("letter not handled", "Traceback", "ami listener failed", "listener failed", "never retrieved")
_AT_ONCE = 4


async def test_f40_an_ari_that_lies_raises_nothing_and_afterwards_all_is_well(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    mark = rig.log.stat().st_size
    await rig.end("service", signal.SIGTERM)
    async with meddling(rig.parts.asterisk.ari_url.removesuffix("/ari"), seed=40) as meddler:
        rig.start_service(ARI_URL=meddler.url)
        try:
            await _among_lies(rig, line, meddler, len(repeats(1, 5)))
        finally:
            await rig.end("service", signal.SIGTERM)
    unhandled = sum(rig.log_lines(mark).count(each) for each in _UNHANDLED)
    figures.note("F40", f"unhandled exceptions in {sum(meddler.did.values())} lies", unhandled, limit=0)
    print(f"\nF40: {dict(meddler.did)}")


async def _among_lies(rig: Rig, line: AuditedLine, meddler: Meddler, rounds: int) -> None:
    await rig.gets_ready()
    for n in range(rounds):
        await _calls_among_lies(line, meddler, n)
    await rig.gets_ready(10)
    assert rig.alive("service")
    await _goes_well(own_line(line, 90))
    assert await line.auditor.check() == []
    await line.auditor.end_all_calls()


async def _calls_among_lies(line: AuditedLine, meddler: Meddler, n: int) -> None:
    """Callers and agents do what they can."""
    own = [own_line(line, n * _AT_ONCE + k) for k in range(_AT_ONCE)]
    agents = [await _agent(each) for each in own]
    meddler.share = 0.12
    try:
        await asyncio.gather(*(_tries(each, agent) for each, agent in zip(own, agents, strict=True)))
    finally:
        meddler.share = 0.0
    for agent in agents:
        await agent.not_ready()


async def _agent(line: AuditedLine) -> Worker:
    await line.settings(**{**PATIENT, "dial": {"ring_timeout": 3, "ready_to_call": 1}, "wrap_up": {"seconds": 0.1}})
    return await line.agent()


async def _tries(line: AuditedLine, agent: Worker) -> None:
    """Each step may fail by a lie; then that is the end of it."""
    customer = line.caller()
    try:
        call = await line.in_menu(customer)
        await call.dtmf("2")
        await call.hear(TONES["confirm-number"], 5)
        await call.hangup()
        await agent.ready()
        (await agent.phone.incoming(6)).answer()
        back = await customer.incoming(6)
        back.answer()
        await asyncio.sleep(0.5)
        await back.hangup()
    except SipError:
        pass


async def _goes_well(line: AuditedLine) -> None:
    await line.settings(**PATIENT)
    them: Talk = await talk(line)
    await them.back.hangup()
