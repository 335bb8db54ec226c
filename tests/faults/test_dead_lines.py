"""F43: a line dies without BYE, at every point of the path; and whoever is only silent is left alone."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from itertools import count

import pytest

from demo.sip.call import Call
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import hear_each_other, is_shown, talk
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig
from tests.faults.scenes import PATIENT, confirms, everywhere, in_menu, own_line, talks_at_once, waits

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT = 3.0
SOON = LIMIT + 7


@contextlib.asynccontextmanager
async def limited(rig: Rig, seconds: float) -> AsyncIterator[None]:
    """A service that lets lines be silent for so long. The usual one comes with `heal`."""
    await rig.end("service", signal.SIGTERM)
    rig.start_service(TRUNK_SILENCE=str(seconds), PHONE_SILENCE=str(seconds))
    await rig.gets_ready()
    yield
    await rig.end("service", signal.SIGTERM)


async def ends(call: Call, within: float = SOON) -> float:
    """It falls silent; seconds until it was ended."""
    began = asyncio.get_running_loop().time()
    call.fall_silent()
    return (await call.ended(within)).at - began


def note(figures: Figures, figure: str, seconds: float) -> None:
    figures.note("F43", figure, seconds, unit="s", limit=LIMIT + 0.5)


async def test_f43_a_line_dies_at_every_point_of_the_path(
    line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    async with limited(line.rig, LIMIT):
        for n in repeats(1, 10):
            own = (own_line(line, 8 * n + k) for k in count())
            await asyncio.gather(
                _callers(next(own), next(own), figures),
                _agent_of_a_caller(next(own), figures),
                _agent_of_a_customer(next(own), figures),
                _customer(next(own), figures),
                _both(next(own), next(own), figures),
            )


async def _callers(line: AuditedLine, other: AuditedLine, figures: Figures) -> None:
    """Who waits, hears the menu, or has asked for a call back, which then stays."""
    await line.settings(**PATIENT)
    await other.settings(**PATIENT)
    (waiter, waiting), (asked, menu), (promised, confirming) = await asyncio.gather(
        waits(line), in_menu(line), confirms(other)
    )
    for seconds in await asyncio.gather(*(ends(each) for each in (waiting, menu, confirming))):
        note(figures, "a caller's line (limit 3 s): noticed", seconds)
    await line.stage.when(waiter.number, status="closed", outcome="abandoned")
    await line.stage.when(asked.number, status="closed", outcome="abandoned")
    await line.stage.when(promised.number, status="open", subtype="callback")


async def _agent_of_a_caller(line: AuditedLine, figures: Figures) -> None:
    """The phone's plug is pulled: it does not answer the BYE either."""
    await line.settings(**PATIENT)
    agent, caller, call = await talks_at_once(line)
    began = asyncio.get_running_loop().time()
    line.auditor.phones.remove(agent.phone)
    agent.phone.unplug()
    heard = await call.hear(TONES["music"], SOON)
    figures.note("F43", "an agent's line: the caller hears music after", heard - began, unit="s", limit=LIMIT + 2)
    await line.stage.when(caller.number, status="open", subtype="inbound", assigned_to=None)
    await _is_free(line, agent, figures)


async def _agent_of_a_customer(line: AuditedLine, figures: Figures) -> None:
    await line.settings(**PATIENT)
    talking = await talk(line)
    _, heard = await asyncio.gather(ends(talking.offer), talking.back.hear(TONES["apology"], SOON))
    over = talking.offer.end
    assert over
    figures.note("F43", "an agent's line: known, until the customer hears of it", heard - over.at, unit="s", limit=2)
    await talking.back.ended(SOON)
    it = await line.stage.when(talking.customer.number, status="open", assigned_to=None)
    assert [each["outcome"] for each in it["attempts"]] == ["agent_lost"]
    await _is_free(line, talking.agent, figures)


async def _customer(line: AuditedLine, figures: Figures) -> None:
    await line.settings(**PATIENT)
    talking = await talk(line)
    note(figures, "a customer's line (limit 3 s): noticed", await ends(talking.back))
    await talking.offer.ended()
    await line.stage.when(talking.customer.number, status="connected", stage="ready_to_call")
    await talking.agent.api.post(f"interactions/{talking.id}/done")


async def _both(line: AuditedLine, other: AuditedLine, figures: Figures) -> None:
    """Both ends of a talk, with a customer and with a caller who waited."""
    await line.settings(**PATIENT)
    await other.settings(**PATIENT)
    talking, (agent, caller, call) = await asyncio.gather(talk(line), talks_at_once(other))
    offer = agent.phone.calls[-1]
    for seconds in await asyncio.gather(*(ends(each) for each in (talking.offer, talking.back, offer, call))):
        note(figures, "both ends (limit 3 s): the later one ended", seconds)
    await line.stage.when(talking.customer.number, SOON, status="open", assigned_to=None)
    await line.stage.when(caller.number, SOON, status="closed", assigned_to=None)
    await _is_free(line, talking.agent, figures)
    await _is_free(other, agent, figures)


async def _is_free(line: AuditedLine, agent: Worker, figures: Figures) -> None:
    """Not Ready, and not bound to anything."""
    await is_shown(line, agent, "not_ready", "phone_unreachable")
    busy = (await agent.state())["interaction"] is not None
    figures.note("F43", "agents stuck with a dead line", int(busy), limit=0)


async def test_f43_who_is_on_hold_or_rings_or_reports_is_left_alone(
    line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """While somebody else's line dies twice, and so for twice as long as a line may be silent."""
    async with limited(line.rig, LIMIT):
        scene = await everywhere(line)
        reporting, waiting, confirming, inbound = scene.calls
        reporting.fall_silent(reports=1)
        waiting.fall_silent(noise=1)
        await confirming.hold()
        confirming.fall_silent()
        await scene.talking.offer.hold()
        scene.talking.offer.fall_silent()
        lives = [reporting, waiting, confirming, inbound, scene.talking.offer, scene.talking.back]
        other = own_line(line, 40)
        await other.settings(**PATIENT)
        for _ in repeats(2, 10):
            _, call = await waits(other)
            await ends(call)
        figures.note("F43", "held, reporting, ringing: ended", sum(each.end is not None for each in lives), limit=0)
        for _, customer in (scene.offered, scene.ringing):
            status = (await line.stage.interaction(customer.number))["status"]
            figures.note(
                "F43", "held, reporting, ringing: ended", int(status not in ("offered", "connected")), limit=0
            )
        await scene.talking.offer.retrieve()
        scene.talking.offer.speak()
        await hear_each_other(scene.talking.offer, scene.talking.back)


async def test_f43_nothing_is_concluded_while_asterisk_cannot_tell_of_rtcp(
    line: AuditedLine, figures: Figures
) -> None:
    """AMI is away for twice as long as a line may be silent; then it counts from the beginning."""
    await line.settings(**PATIENT)
    async with limited(line.rig, LIMIT):
        _, call = await waits(line)
        call.fall_silent()
        await line.rig.ami.refuse()
        await asyncio.sleep(2 * LIMIT)
        figures.note("F43", "AMI away: ended", int(call.end is not None), limit=0)
        await line.rig.ami.heal()
        await call.ended(SOON)


@pytest.mark.full
async def test_f43_as_set_when_nothing_is_set(line: AuditedLine, figures: Figures) -> None:
    await line.settings(**PATIENT)
    _, call = await waits(line)
    figures.note(
        "F43", "a caller's line (30 s, as it is by default): noticed", await ends(call, 40), unit="s", limit=30
    )
