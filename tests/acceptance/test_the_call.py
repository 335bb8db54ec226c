"""The demo's path with tones: a caller becomes a callback and is answered."""

import pytest

from demo.sip import policy
from routing.local.asterisk.prompts import TONES
from tests.calls.line import Line
from tests.calls.story import is_promised

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.quick
async def test_a_caller_becomes_a_callback_and_talks_with_the_agent_who_answers(line: Line) -> None:
    agent, customer = await line.agent(), line.caller(policy.ring())
    call = await line.in_menu(customer)
    await call.dtmf("2")
    await call.hear(TONES["confirm-number"], 5)
    await call.hear(TONES["confirm-keys"], 10)
    await call.hear(TONES["music"], 5)
    await call.dtmf("1")
    await call.hear(TONES["booked"], 5)
    await call.ended(within=5)

    waiting = await line.stage.when(customer.number, status="open", subtype="callback")
    assert (waiting["position"], waiting["dialled_number"]) == (1, line.dnis)
    assert await is_promised(line, waiting["id"])

    await agent.ready()
    offer = await agent.phone.incoming()
    offer.ring()
    offer.answer()
    back = await customer.incoming()
    assert back.from_user == line.dnis
    back.ring()
    back.answer()
    await offer.hear(450, 5)
    await back.hear(350, 5)
    talking = await line.stage.when(customer.number, status="connected", stage="talking")
    assert talking["assigned_to"] == agent.id

    await back.hangup()
    await offer.ended()
    await line.stage.when(customer.number, stage="ready_to_call")
    await agent.api.post(f"interactions/{talking['id']}/done", {"note": "all is well"})
    closed = await line.stage.when(customer.number, status="closed", outcome="handled")
    assert [each["outcome"] for each in closed["attempts"]] == ["answered"]
    assert len(customer.invites) == 1
    assert (await agent.state())["state"] == "ready"
