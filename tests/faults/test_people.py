"""F20–F27: people do things twice, at the same moment, not at all, or at the wrong one."""

import asyncio
import time
from collections.abc import Callable

import pytest

from demo.sip import policy
from demo.sip.call import Ending
from tests.calls.desk import customer_with_callback, is_shown, offered, status_of
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.scenes import PATIENT, own_line

pytestmark = pytest.mark.asyncio(loop_scope="session")

OUTCOMES = {
    486: "busy", 600: "busy", 480: "no_answer", 408: "no_answer", 503: "congestion", 500: "congestion",
    404: "invalid", 410: "invalid", 484: "invalid", 604: "invalid", 603: "rejected",
}  # fmt: skip
_AT_ONCE = 8


@pytest.mark.full
async def test_f20_an_agent_clicks_accept_many_times(line: AuditedLine, figures: Figures) -> None:
    for clicks in (2, 4, 8, 16, 32, 64):
        own = own_line(line, clicks)
        await own.settings(**PATIENT)
        agent = await own.agent()
        customer, interaction, offer = await offered(own, agent)
        path = f"interactions/{interaction}/accept"
        answers = await asyncio.gather(*(status_of(agent.api.post(path)) for _ in range(clicks)))
        assert set(answers) == {(200, None)}
        await customer.incoming()
        attempts = (await line.stage.interaction(customer.number))["attempts"]
        figures.note("F20", "attempts of 2 to 64 clicks on accept", len(attempts), limit=1)
        figures.note("F20", "INVITEs", len(customer.invites), limit=1)
        await offer.hangup()


@pytest.mark.full
async def test_f21_many_agents_take_one_interaction_at_once(line: AuditedLine, figures: Figures) -> None:
    await line.settings(**PATIENT)
    agents = [await line.agent() for _ in range(32)]
    for several in (2, 4, 8, 16, 32, 32, 32, 32):
        customer, interaction = await customer_with_callback(line)
        rung = sum(len(each.phone.invites) for each in agents)
        path = f"interactions/{interaction}/pickup"
        answers = await asyncio.gather(*(status_of(each.api.post(path)) for each in agents[:several]))
        winners = [each for each, answer in zip(agents, answers, strict=False) if answer[0] == 200]
        assert all(answer in ((200, None), (409, "not_open")) for answer in answers)
        figures.note("F21", "winners among 2 to 32 agents", len(winners), limit=1)
        offer = await winners[0].phone.incoming()
        await customer.incoming()
        wrong = sum(len(each.phone.invites) for each in agents) - rung - 1
        figures.note("F21", "phones of losers that rang", wrong, limit=0)
        await offer.hangup()
        await line.stage.when(customer.number, status="open")


@pytest.mark.full
async def test_f22_an_agent_takes_two_at_once(line: AuditedLine, figures: Figures) -> None:
    for n in range(5):
        own = own_line(line, n)
        await own.settings(**PATIENT)
        agent = await own.agent()
        pair = await asyncio.gather(*(customer_with_callback(own) for _ in range(2)))
        answers = await asyncio.gather(*(status_of(agent.api.post(f"interactions/{i}/pickup")) for _, i in pair))
        assert sorted(answers, key=str) == [(200, None), (409, "agent_busy")]
        await agent.phone.incoming()
        figures.note("F22", "calls at an agent's phone", len(agent.phone.invites), limit=1)


@pytest.mark.full
async def test_f23_the_agents_phone_is_unplugged(line: AuditedLine, figures: Figures) -> None:
    """Asterisk still believes in it: the offer rings nowhere, nobody is dialled, the agent is Not Ready."""
    for n in range(3):
        own = own_line(line, n)
        await own.settings(offer={"accept_timeout": 5.0, "exclude": 60}, dial={"ready_to_call": 20})
        agent = await own.agent()
        customer, interaction = await customer_with_callback(own)
        agent.phone.unplug()
        began = time.monotonic()
        await agent.ready()
        await own.stage.when(customer.number, status="offered")
        await own.stage.when(customer.number, within=10, status="open")
        figures.note("F23", "phone without power: back in line", time.monotonic() - began, unit="s", limit=6)
        figures.note("F23", "INVITEs to the customer", len(customer.invites), limit=0)
        assert (await agent.state())["state"] == "not_ready", interaction
        line.auditor.phones.remove(agent.phone)


@pytest.mark.full
async def test_f24_an_agent_declines_or_answers_too_late(line: AuditedLine, figures: Figures) -> None:
    ways = {"486": policy.reject(486, 0.1), "603": policy.reject(603, 0.1), "a late 200": policy.cross()}
    for n, (way, does) in enumerate(ways.items()):
        own = own_line(line, n)
        await own.settings(offer={"accept_timeout": 1.0, "exclude": 60, "rona_not_ready": False})
        agent = await own.agent(policy=does)
        customer, _ = await customer_with_callback(own)
        await agent.ready()
        call = await agent.phone.incoming()
        ended = await call.ended(10)
        assert ended.how in (Ending.REJECTED, Ending.BYE_RECEIVED), way
        await own.stage.when(customer.number, status="open")
        await is_shown(own, agent, "ready")
        stuck = len(await line.auditor.busy([agent.id]))
        figures.note("F24", "agents stuck after 486, 603, a 200 across the CANCEL", stuck, limit=0)
        figures.note("F24", "INVITEs to the customer", len(customer.invites), limit=0)


@pytest.mark.full
async def test_f25_a_refusal_says_how_the_attempt_ended(line: AuditedLine, figures: Figures) -> None:
    causes = [each for each in OUTCOMES for _ in range(3)]
    results: list[tuple[int, str]] = []
    for first in range(0, len(causes), _AT_ONCE):
        batch = enumerate(causes[first : first + _AT_ONCE], first)
        results += await asyncio.gather(*(_refused(own_line(line, n), status) for n, status in batch))
    right = sum(OUTCOMES[status] == outcome for status, outcome in results)
    figures.note("F25", f"outcomes told wrongly, of {len(results)}", len(results) - right, limit=0)


async def _refused(line: AuditedLine, status: int) -> tuple[int, str]:
    await line.settings(**PATIENT)
    agent = await line.agent()
    customer, interaction = await customer_with_callback(line, policy.reject(status, after=0.1))
    await agent.api.post(f"interactions/{interaction}/pickup")
    (await agent.phone.incoming()).answer()
    it = await line.stage.when(customer.number, within=15, status="connected", stage="ready_to_call")
    return status, str(it["attempts"][0]["outcome"])


async def test_f27_a_customer_hangs_up_just_after_answering_and_the_agent_is_not_left_alone(
    line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """Swept over the half second after the answer: the agent hears nobody for a moment at most."""
    moments = [0.5 * n / max(1, len(repeats(3, 26)) - 1) for n in repeats(3, 26)]
    for first in range(0, len(moments), _AT_ONCE):
        batch = moments[first : first + _AT_ONCE]
        alone = await asyncio.gather(
            *(_hangs_up_after(own_line(line, first + n), seconds) for n, seconds in enumerate(batch))
        )
        figures.note(
            "F27", "agent alone after the customer left", [1000 * each for each in alone], unit="ms", limit=2000
        )


async def _hangs_up_after(line: AuditedLine, seconds: float) -> float:
    """Seconds until the agent's call ended, too; the interaction may then be dialled again."""
    await line.settings(**PATIENT)
    agent = await line.agent()
    customer, interaction = await customer_with_callback(line)
    await agent.api.post(f"interactions/{interaction}/pickup")
    offer = await agent.phone.incoming(10)
    offer.answer()
    back = await customer.incoming(10)
    back.answer()
    await back.acknowledged_at()
    await asyncio.sleep(seconds)
    left = time.monotonic()
    await back.hangup()
    ended = await offer.ended()
    it = await line.stage.when(customer.number, status="connected", stage="ready_to_call")
    assert it["attempts"][0]["outcome"] in ("answered", "customer_hung_up")
    return ended.at - left


async def test_f26_whoever_finds_a_machine_ends_the_call_and_the_agent_is_free(
    line: AuditedLine, figures: Figures
) -> None:
    """A mailbox answers and beeps: there is no detection, the agent decides; ending it frees both at once."""
    await line.settings(**PATIENT)
    agent = await line.agent()
    customer, interaction = await customer_with_callback(line, policy.answer())
    await agent.api.post(f"interactions/{interaction}/pickup")
    (await agent.phone.incoming()).answer()
    mailbox = await customer.incoming()
    mailbox.play(1000)
    await agent.phone.calls[-1].hear(1000)
    began = time.monotonic()
    await agent.api.post(f"interactions/{interaction}/end-call")
    await mailbox.ended()
    figures.note("F26", "a mailbox is left", 1000 * (time.monotonic() - began), unit="ms", limit=1000)
    await agent.api.post(f"interactions/{interaction}/done")
