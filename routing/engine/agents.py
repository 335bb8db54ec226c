"""The agents' side of the engine: their phones, their availability, the offers that depend on both."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol
from uuid import UUID

from routing.core.agents import Availability, PhoneState
from routing.core.errors import AgentBusy, Invalid, NotFound, PhoneUnreachable, Unavailable
from routing.core.events import AgentReleased, OfferWithdrawn, PersonEvent, PickedUp, Reassigned
from routing.core.interaction import Interaction, Status
from routing.engine.phones import Phones
from routing.store import agents, interactions
from routing.store.database import Pool
from routing.store.read import line

AGAIN = 0.2
"""Seconds until Postgres is asked again for what has to be done in the end."""

AT_ONCE = 8
"""So many accounts are settled side by side after Asterisk started."""


class Ask(Protocol):
    """`Engine.ask`."""

    async def __call__(
        self, interaction_id: UUID, event: PersonEvent, row: Interaction | None = None
    ) -> Interaction: ...


class AgentService:
    """`ask` and `tell` put events to interactions, `changed` says that an agent is not as before, `in_contact` tells
    whether Asterisk can be asked for anything, `spawn` runs what nobody waits for."""

    def __init__(
        self,
        pool: Pool,
        phones: Phones,
        ask: Ask,
        tell: Callable[[UUID, OfferWithdrawn], None],
        changed: Callable[[str], None],
        in_contact: Callable[[], bool],
        spawn: Callable[[Awaitable[None]], object],
    ) -> None:
        self._pool = pool
        self._phones = phones
        self._ask = ask
        self._tell = tell
        self._changed = changed
        self._in_contact = in_contact
        self._spawn = spawn
        self._states: dict[str, PhoneState] = {}
        self._settling: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def pick_up(self, agent_id: str, interaction_id: UUID, row: Interaction | None = None) -> Interaction:
        """An agent takes an interaction from the Home List. Checks in the contract's order. `row`: as just read."""
        it = row or await interactions.load(self._pool, interaction_id)
        desk, busy = await agents.desk(self._pool, agent_id)
        if it.status is Status.OPEN and busy:
            raise AgentBusy
        if it.status is Status.OPEN and not self._in_contact():
            raise Unavailable("Asterisk is not reachable.")
        if it.status is Status.OPEN and not self.reachable(agent_id):
            raise PhoneUnreachable
        return await self._ask(interaction_id, PickedUp(agent_id, desk), it)

    async def reassign(self, interaction_id: UUID, agent_id: str | None, by: str) -> Interaction:
        """Offer it to this agent, or to nobody in particular. Raises Invalid for an agent there is not."""
        if agent_id is None:
            return await self._ask(interaction_id, Reassigned(by))
        it = await interactions.load(self._pool, interaction_id)
        try:
            desk, busy = await agents.desk(self._pool, agent_id)
        except NotFound as error:
            raise Invalid(str(error), "/agent") from None
        if busy and it.assigned_to != agent_id:
            raise AgentBusy
        if not self.reachable(agent_id):
            raise PhoneUnreachable
        return await self._ask(interaction_id, Reassigned(by, agent_id, desk))

    async def release(self, agent_id: str, by: str, reason: str) -> None:
        """Take from the agent what they are at, whatever that is; who is at nothing is free. Raises NotFound."""
        if work := (await agents.get(self._pool, agent_id)).interaction:
            await self._ask(work, AgentReleased(by, agent_id, reason))

    async def set_availability(self, agent_id: str, availability: Availability, reason: str | None) -> None:
        """Store it; an offer that stands goes back to the line unless the agent is ready."""
        try:
            await agents.set_availability(self._pool, agent_id, availability, reason)
            if availability is not Availability.READY:
                await self._withdraw_offer(agent_id, reason or availability)
        except Unavailable:  # it may be stored all the same
            self._spawn(self._withdraw_if_gone(agent_id, reason or availability))
            raise
        self._changed(agent_id)

    def phone(self, agent_id: str) -> PhoneState:
        return self._states.get(agent_id, PhoneState.UNREACHABLE)

    def reachable(self, agent_id: str) -> bool:
        return self.phone(agent_id) is not PhoneState.UNREACHABLE

    async def phone_changed(self, agent_id: str, state: PhoneState) -> None:
        """The phone registered, unregistered, went busy or idle."""
        if self._states.get(agent_id) is state:
            return
        self._states[agent_id] = state
        self._changed(agent_id)
        if state is PhoneState.UNREACHABLE and self._in_contact():  # an Asterisk that starts knows no phone yet
            try:
                await self._withdraw_offer(agent_id, "phone_unreachable")
            except Unavailable:
                self._spawn(self._withdraw_if_gone(agent_id, "phone_unreachable"))
                raise

    async def _withdraw_offer(self, agent_id: str, reason: str) -> None:
        if offered := await agents.offered_interaction(self._pool, agent_id):
            self._tell(offered, OfferWithdrawn(agent_id, reason))

    async def _withdraw_if_gone(self, agent_id: str, reason: str) -> None:
        """Once Postgres answers, and unless the agent is back by then."""
        while True:
            await asyncio.sleep(AGAIN)
            with suppress(Unavailable):
                if not (self.reachable(agent_id) and await line.is_ready(self._pool, agent_id)):
                    await self._withdraw_offer(agent_id, reason)
                    self._changed(agent_id)
                return

    async def accounts(self) -> tuple[list[str], list[str]]:
        """Whose SIP accounts Asterisk lacks, which keeps them in memory only; and whose it has as they were when last
        settled, some of them perhaps without right by now. Of each, first who is logged in. Raises Unavailable."""
        live = await self._phones.provisioned()
        known = await agents.sip_accounts(self._pool, live)
        return [each for each in known if each not in live], [each for each in known if each in live]

    async def settle(self, agent_id: str) -> None:
        """Have the agent's SIP account in Asterisk as the row says now, whatever it said a moment ago. Raises
        Unavailable."""
        async with self._settling[agent_id]:
            if ha1 := await agents.sip_ha1(self._pool, agent_id):
                await self._phones.provision(agent_id, ha1)
            else:
                await self._phones.withdraw_account(agent_id)

    async def settle_all(self, agent_ids: list[str]) -> None:
        """Raises Unavailable."""
        waiting = iter(agent_ids)

        async def settle() -> None:
            for agent_id in waiting:
                await self.settle(agent_id)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(settle())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def delete(self, agent_id: str) -> None:
        """The agent and the SIP account. Raises NotFound, AgentBusy, Unavailable."""
        async with self._settling[agent_id]:
            await self._phones.withdraw_account(agent_id)  # first: without Asterisk nothing is deleted
            await agents.delete(self._pool, agent_id)
