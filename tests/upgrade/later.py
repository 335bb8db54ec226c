"""Callbacks nobody is on the phone for, and interactions that are closed: all of one agent's queue."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.sip import policy
from demo.stage import Worker
from tests.calls.desk import customer_with_callback, is_shown
from tests.upgrade.callers import in_menu
from tests.upgrade.party import PATIENT, Line, Party, People
from tests.upgrade.with_agents import has_talked, picked_up

SOON = timedelta(seconds=15)
"""Until then the machine is upgraded. What a busy customer's next try waits (`PATIENT`) is as long."""


async def later(line: Line) -> People:
    """The agent has just called somebody who was busy: `due_soon` says so."""
    await line.settings(**{**PATIENT, "wrap_up": {"seconds": 600, "dispositions": [{"code": "solved"}]}})
    agent = await line.agent()
    helped = await _was_helped(line, agent)
    busy = await _was_busy(line, agent)
    pressed, asked, tomorrow, cancelled, gave_up = await asyncio.gather(
        customer_with_callback(line),
        _asked_for(line, instructions="Ask for the invoice.", case_data={"order": 7, "vip": True}),
        _asked_for(line, at=(datetime.now(UTC) + timedelta(days=1)).isoformat()),
        _was_cancelled(line),
        _gave_up(line),
    )
    to_be_called = Party(line, pressed[0], "open", agent=agent)
    people = {"to_be_called": to_be_called, "asked_for": asked, "due_tomorrow": tomorrow, "was_busy": busy}
    return {**people, "was_helped": helped, "was_cancelled": cancelled, "gave_up": gave_up}


async def due_soon(people: People) -> None:
    """Two callbacks, one by appointment and one as the customer was busy."""
    busy = people["was_busy"]
    people["due_soon"] = await _asked_for(busy.line, at=(datetime.now(UTC) + SOON).isoformat())
    await busy.asks("done")
    await busy.becomes(status="scheduled")
    busy.status, busy.stage = "scheduled", None


async def _asked_for(line: Line, **body: Any) -> Party:
    """Over the API."""
    customer = line.caller()
    it = await line.stage.api.post("callbacks", {"queue": line.queue, "number": customer.number, **body})
    return Party(line, customer, str(it["status"]))


async def _was_busy(line: Line, agent: Worker) -> Party:
    party = await picked_up(line, agent, policy.reject(486))
    await party.customer.incoming()
    await party.becomes(stage="ready_to_call")
    party.customer.policy = policy.ring()
    party.stage, party.offer = "ready_to_call", None
    return party


async def _was_helped(line: Line, agent: Worker) -> Party:
    party = await has_talked(line, agent)
    await party.asks("done")
    await party.asks("done", {"disposition": "solved", "note": "all is well"})
    await is_shown(line, agent, "ready")
    await agent.not_ready()
    return Party(line, party.customer, "closed")


async def _gave_up(line: Line) -> Party:
    party = await in_menu(line)
    assert party.call
    await party.call.hangup()
    await party.becomes(status="closed", outcome="abandoned")
    return Party(line, party.customer, "closed")


async def _was_cancelled(line: Line) -> Party:
    party = await _asked_for(line)
    await line.stage.api.post(f"interactions/{(await party.it())['id']}/cancel", {"reason": "solved by mail"})
    return Party(line, party.customer, "closed")
