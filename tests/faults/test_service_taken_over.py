"""F7, F8: the service hangs, or is asked to end, and another one takes over; the first changes nothing any more."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable

import aiohttp
import pytest

from demo.api import Refused
from demo.sip.errors import CallFailed, SipTimeout
from demo.stage import Worker
from dialplan.ari.client import AriClient
from dialplan.words import APP
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import customer_with_callback, hear_each_other
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig
from tests.faults.scenes import PATIENT, everywhere, own_line, waits
from tests.faults.successors import commands, is_up, successor, waits_for_the_shard

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_f7_a_service_that_froze_changes_nothing_when_it_wakes(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """Frozen just after an accept. While it sleeps somebody rings in, a caller presses 2, others hang up and a
    customer answers: its successor hears of all that, and what the sleeper had in hand comes too late."""
    rounds = repeats(1, 5)
    for n in rounds:
        scene = await everywhere(line, n)
        own = own_line(line, 90 + n)
        await own.settings(**PATIENT)
        agent = await own.agent()
        customer, interaction = await customer_with_callback(own)
        first, mark = rig.process("service"), rig.log.stat().st_size
        async with successor(rig) as url:
            await waits_for_the_shard(rig, mark)
            asking = asyncio.create_task(_asks(agent, f"interactions/{interaction}/pickup"))
            await asyncio.sleep(0.002 + 0.030 * n / len(rounds))
            frozen = time.monotonic()
            first.send(signal.SIGSTOP)
            lifting = asyncio.create_task(_lifts(agent))
            arriving = await own.caller().call(own.dnis)
            menu_call, waiting_call, confirm_call, _ = scene.calls
            await asyncio.gather(menu_call.dtmf("2"), waiting_call.hangup(), confirm_call.hangup())
            scene.ringing[1].calls[-1].answer()
            await is_up(url, "/readyz")
            figures.note("F7", "frozen: taken over by a second service", time.monotonic() - frozen, unit="s", limit=6)
            await arriving.hear(TONES["music"])
            with commands(rig) as late:
                first.send(signal.SIGCONT)
                code = await asyncio.wait_for(first.wait(), 10)
            rig.parts.running.pop("service")
            assert code not in (None, 0), "it says that it was replaced"
            figures.note("F7", "commands of the woken one", len(late), limit=0)
            await asyncio.gather(asking, lifting)
            await hear_each_other(scene.ringing[0].phone.calls[-1], scene.ringing[1].calls[-1])
            await hear_each_other(scene.talking.offer, scene.talking.back)
            figures.note("F7", "INVITEs per accept", len(customer.invites), limit=1)
            assert arriving.end is None and menu_call.end is None
        rig.start_service()
        await rig.gets_ready()
        await line.stage.when(scene.confirming.number, status="open", subtype="callback")
        await line.stage.when(scene.waiting.number, status="closed", outcome="abandoned")
        await line.auditor.end_all_calls()


async def test_f7_a_service_that_lost_contact_while_it_froze_does_not_take_the_application_back(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """Nothing tells it that it was replaced: its connections are gone, and it has to ask before it makes new ones."""
    scene = await everywhere(line)
    for _ in repeats(1, 30):
        first, mark = rig.process("service"), rig.log.stat().st_size
        async with successor(rig) as url:
            await waits_for_the_shard(rig, mark)
            first.send(signal.SIGSTOP)
            rig.ari.cut()
            await is_up(url, "/readyz")
            with commands(rig) as late:
                first.send(signal.SIGCONT)
                code = await asyncio.wait_for(first.wait(), 10)
            rig.parts.running.pop("service")
            assert code not in (None, 0), "it says that it was replaced"
            figures.note("F7", "cut off while frozen, then woken: its connects and commands", len(late), limit=0)
            await is_up(url, "/readyz", within=1)
            assert rig.log_lines(mark).count("ari connected") == 1, "the next owner keeps the application"
            await hear_each_other(scene.talking.offer, scene.talking.back)
            mark = rig.log.stat().st_size
            rig.start_service()
            await waits_for_the_shard(rig, mark)
        await rig.gets_ready()
    ended = [call for call in (*scene.calls, scene.talking.offer, scene.talking.back) if call.end]
    figures.note("F7", "cut off while frozen, then woken: calls ended", len(ended), limit=0)


async def test_f7_an_owner_whose_application_is_taken_asks_and_takes_it_back(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """By a process that has no right to it: one of an older version that does not ask, say."""
    scene, service = await everywhere(line), rig.pid("service")
    asterisk = rig.parts.asterisk
    for _ in repeats(2, 30):
        mark = rig.log.stat().st_size
        async with AriClient(asterisk.ari_url, asterisk.ari.username, asterisk.ari.password) as thief:
            began = time.monotonic()
            async with thief.listen(APP) as socket:
                async with asyncio.timeout(5):
                    while b"ApplicationReplaced" not in ((await socket.receive()).data or b""):
                        pass
                figures.note("F7", "application taken: taken back", time.monotonic() - began, unit="s", limit=2)
        async with asyncio.timeout(5):
            while "reconciled" not in rig.log_lines(mark):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await rig.gets_ready()
        await hear_each_other(scene.talking.offer, scene.talking.back)
    assert rig.alive("service") and rig.pid("service") == service
    ended = [call for call in (*scene.calls, scene.talking.offer, scene.talking.back) if call.end]
    figures.note("F7", "application taken: calls ended", len(ended), limit=0)


async def _asks(agent: Worker, path: str) -> None:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, Refused):
        await agent.api.post(path)


async def _lifts(agent: Worker) -> None:
    with contextlib.suppress(CallFailed, SipTimeout):
        (await agent.phone.incoming(10)).answer()


async def test_f8_a_service_that_is_asked_to_end_hands_its_calls_over_at_once(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    scene = await everywhere(line)
    many = [await waits(line) for _ in repeats(4, 30)]
    for n in repeats(1, 10):
        mark = rig.log.stat().st_size
        async with successor(rig) as url:
            await waits_for_the_shard(rig, mark)
            began = time.monotonic()
            ending = rig.parts.running.pop("service")
            ending.send(signal.SIGTERM)
            await is_up(url, "/healthz")
            taken = time.monotonic() - began
            await is_up(url, "/readyz")
            ready = time.monotonic() - began
            assert await asyncio.wait_for(ending.wait(), 10) == 0
            figures.note("F8", "asked to end: shard handed over", 1000 * taken, unit="ms", limit=500)
            figures.note("F8", "asked to end: successor ready", 1000 * ready, unit="ms", limit=2000)
            await hear_each_other(scene.talking.offer, scene.talking.back)
            mark = rig.log.stat().st_size
            rig.start_service()
            await waits_for_the_shard(rig, mark)
        await rig.gets_ready()
        lost = [call for _, call in many if call.end] + [call for call in scene.calls if call.end]
        figures.note("F8", f"calls lost of {len(many) + len(scene.calls) + 5}", len(lost), limit=0)
        assert scene.ringing[1].calls[-1].end is None and scene.offered[0].phone.calls[-1].end is None, n
