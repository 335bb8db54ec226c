"""Callbacks that are asked for, put off, given away and cancelled over the API: what the phones notice of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from demo.api import Refused
from demo.sip.call import Ending
from demo.sip.carrier import Phone
from tests.calls.desk import callbacks, feed_of, hear_each_other, kill, offered, refused, stands_by
from tests.calls.line import Line

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def asked(line: Line, customer: Phone, **body: Any) -> dict[str, Any]:
    """A callback that nobody called in for."""
    sent = {"queue": line.queue, "number": customer.number, **body}
    return dict(await line.stage.api.post("callbacks", sent))


def ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.quick
async def test_a_callback_asked_for_over_the_api_is_dialled_and_talked_about(line: Line) -> None:
    await line.settings(caller_id="+4930555100")
    customer, agent = line.caller(), await line.agent()
    it = await asked(line, customer, name="Ada", instructions="Ask for the invoice.")
    assert (it["status"], it["kind"]) == ("open", "requested")

    await agent.ready()
    offer = await agent.phone.incoming()
    assert offer.from_user == customer.number
    offer.answer()
    back = await customer.incoming()
    assert back.from_user == "+4930555100"
    back.answer()
    await hear_each_other(offer, back)

    it = await line.stage.when(customer.number, stage="talking")
    assert (it["instructions"], len(customer.invites)) == ("Ask for the invoice.", 1)
    assert (await refused(line.stage.api.post(f"interactions/{it['id']}/cancel"))) == (409, "wrong_stage")
    await back.hangup()


async def test_cancelled_while_it_is_offered_the_agents_phone_stops_and_the_customers_never_rings(line: Line) -> None:
    agent = await line.agent()
    customer, interaction, offer = await offered(line, agent)

    done = await line.stage.api.post(f"interactions/{interaction}/cancel", {"reason": "solved by mail"})

    assert (done["status"], done["outcome"]) == ("closed", "cancelled_by_operator")
    assert (await offer.ended(2)).how is Ending.CANCEL_RECEIVED
    assert (await agent.state())["state"] == "ready"
    assert customer.invites == [] and len(agent.phone.invites) == 1


async def test_who_answers_at_the_instant_of_the_cancel_either_gets_the_call_or_dials_nobody(line: Line) -> None:
    agents = await asyncio.gather(*(line.agent() for _ in range(4)))
    for cancel_after, agent in zip((0.0, 0.002, 0.005, 0.015), agents, strict=True):
        customer, interaction, offer = await offered(line, agent)
        offer.answer()
        await asyncio.sleep(cancel_after)
        try:
            done = await line.stage.api.post(f"interactions/{interaction}/cancel")
        except Refused:  # too late: it is connected
            back = await customer.incoming()
            assert len(customer.invites) == 1
            back.answer()
            await back.hangup()
        else:
            assert done["outcome"] == "cancelled_by_operator"
            await offer.ended(3)
            assert customer.invites == [], "a callback that was cancelled is not made"
        await agent.not_ready()


async def test_given_to_another_agent_the_one_phone_stops_the_other_rings_and_the_customer_is_dialled_once(
    line: Line,
) -> None:
    first, second = await line.agent(), await line.agent()
    customer, interaction, offer = await offered(line, first)

    done = await line.stage.api.post(f"interactions/{interaction}/reassign", {"agent": second.id})

    assert (done["status"], done["assigned_to"]) == ("offered", second.id)
    assert (await offer.ended(2)).how is Ending.CANCEL_RECEIVED
    taken = await second.phone.incoming()
    taken.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(taken, back)
    assert len(customer.invites) == len(second.phone.invites) == len(first.phone.invites) == 1
    await back.hangup()


async def test_put_off_for_two_seconds_it_rings_then_and_not_before(line: Line) -> None:
    customer, agent = line.caller(), await line.agent()
    (interaction,) = await callbacks(line, customer)
    at = ahead(2)

    put_off = await line.stage.api.post(f"interactions/{interaction}/reschedule", {"at": at})
    assert put_off["status"] == "scheduled"
    await agent.ready()
    offer = await agent.phone.incoming(within=6)

    assert datetime.now(UTC) >= datetime.fromisoformat(at)
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    await back.hangup()


async def test_what_is_due_tomorrow_is_put_into_the_line_today(line: Line) -> None:
    customer, agent = line.caller(), await line.agent()
    it = await asked(line, customer, at=ahead(86400))
    assert it["status"] == "scheduled"
    await agent.ready()

    await line.stage.api.post(f"interactions/{it['id']}/requeue", {"priority": 5})

    offer = await agent.phone.incoming()
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    assert await feed_of(line, it["id"], "requeued") == [{"priority": 5, "old_priority": 0}]
    await back.hangup()


async def test_the_answer_to_a_request_and_its_time_outlive_the_service(line: Line) -> None:
    customer, agent = line.caller(), await line.agent()
    await agent.ready()
    await stands_by(line.stage)
    at = datetime.now(UTC) + timedelta(seconds=5)
    body = {"queue": line.queue, "number": customer.number, "at": at.isoformat()}

    async def ask() -> tuple[int, Any]:
        headers = {**line.stage.api.headers, "Idempotency-Key": f"once-{line.queue}"}
        async with aiohttp.request(
            "POST", f"{line.stage.url}/api/v1/callbacks", json=body, headers=headers
        ) as answer:
            return answer.status, await answer.json()

    first = await ask()
    await kill(line.stage)
    again = await ask()

    assert first[0] == 201
    assert again == first
    offer = await agent.phone.incoming(within=10)
    assert datetime.now(UTC) >= at
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    assert len(customer.invites) == 1
    await back.hangup()
