"""People who are offered to an agent, are called, talk or have talked."""

import asyncio

from demo.sip import policy
from demo.sip.policy import Policy
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import AGENT, CUSTOMER, customer_with_callback, offered, talk
from tests.upgrade.callers import waits
from tests.upgrade.party import PATIENT, Line, Party, patient


async def is_offered(line: Line) -> Party:
    agent = await line.agent()
    customer, _, offer = await offered(line, agent)
    return Party(line, customer, "offered", agent=agent, offer=offer)


async def is_offered_in_silence(line: Line) -> Party:
    """The agent's phone was called, and says nothing yet."""
    agent = await line.agent(policy=policy.manual())
    customer, _ = await customer_with_callback(line)
    await agent.ready()
    party = Party(line, customer, "offered", agent=agent, offer=await agent.phone.incoming())
    await party.becomes(status="offered")
    return party


async def caller_is_offered(line: Line) -> Party:
    party = await waits(line)
    assert party.agent
    await party.agent.ready()
    party.offer = await party.agent.phone.incoming()
    await party.becomes(status="offered")
    party.status = "offered"
    return party


async def picked_up(line: Line, agent: Worker, of: Policy | None = None) -> Party:
    """The agent's phone rings."""
    customer, _ = await customer_with_callback(line, of)
    party = Party(line, customer, "connected", "agent_ringing", agent)
    await party.asks("pickup")
    party.offer = await agent.phone.incoming()
    return party


async def is_not_dialled_yet(line: Line) -> Party:
    """As the agent has to answer first."""
    await patient(line, dial={**PATIENT["dial"], "order": "agent_first"})
    party = await picked_up(line, await line.agent())
    await party.becomes(stage="agent_ringing")
    return party


async def answered_first(line: Line) -> Party:
    """The customer did, and waits until the agent lifts."""
    party = await picked_up(line, await line.agent())
    party.back = await party.customer.incoming()
    party.back.answer()
    await party.back.hear(TONES["greeting"])
    await party.back.hear(TONES["music"])
    await party.becomes(stage="agent_ringing")
    return party


async def is_dialled(line: Line) -> Party:
    """The customer's phone says nothing yet."""
    party = await picked_up(line, await line.agent(), policy.manual())
    party.back = await party.customer.incoming()
    await _lifts(party, "dialing")
    return party


async def rings(line: Line) -> Party:
    party = await picked_up(line, await line.agent())
    party.back = await party.customer.incoming()
    await _lifts(party, "ringing")
    return party


async def _lifts(party: Party, stage: str) -> None:
    assert party.offer
    party.offer.answer()
    await party.offer.answered()
    await party.becomes(stage=stage)
    party.stage = stage


async def talks(line: Line, agent: Worker | None = None) -> Party:
    told = await talk(line, agent)
    return Party(line, told.customer, "connected", "talking", told.agent, offer=told.offer, back=told.back)


async def caller_talks(line: Line) -> Party:
    party = await caller_is_offered(line)
    assert party.offer and party.call
    party.offer.answer()
    await party.becomes(stage="talking")
    await asyncio.gather(party.offer.hear(CUSTOMER), party.call.hear(AGENT))
    party.status, party.stage = "connected", "talking"
    return party


async def may_be_redialled(line: Line) -> Party:
    return await has_talked(line, await line.agent())


async def has_talked(line: Line, agent: Worker) -> Party:
    party = await talks(line, agent)
    assert party.back and party.offer
    await party.back.hangup()
    await party.offer.ended()
    await party.becomes(stage="ready_to_call")
    party.stage, party.offer, party.back = "ready_to_call", None, None
    return party


async def is_written_up(line: Line) -> Party:
    party = await caller_talks(line)
    assert party.call and party.offer
    await party.call.hangup()
    await party.offer.ended()
    await party.becomes(status="wrap_up", stage=None)
    party.status, party.stage, party.call, party.offer = "wrap_up", None, None, None
    return party


async def hears_apology(line: Line) -> Party:
    """The customer answered, and the agent hung up."""
    party = await answered_first(line)
    assert party.offer and party.back
    party.offer.reject(486)
    await party.back.hear(TONES["apology"])
    await party.becomes(status="bot", stage="apology")
    party.status, party.stage, party.offer = "bot", "apology", None
    return party
