"""The agents' side of the engine: their phones, their availability, the offers that depend on both."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from routing.agents import Availability, PhoneState
from routing.engine.phones import Phones
from routing.errors import AgentBusy, Invalid, NotFound, PhoneUnreachable, Unavailable
from routing.events import OfferWithdrawn, PersonEvent, PickedUp, Reassigned
from routing.interaction import Interaction, Status
from routing.store import agents, interactions
from routing.store.database import Pool

Account = tuple[str, str]
"""An agent and the digest secret of the agent's phone."""

AT_ONCE = 8
"""So many accounts are pushed side by side after Asterisk started."""


class Desks:
    """`ask` and `tell` put events to interactions, `changed` says that an agent is not as before, `in_contact` tells
    whether the telephones can be asked for anything."""

    def __init__(
        self,
        pool: Pool,
        phones: Phones,
        ask: Callable[[UUID, PersonEvent], Awaitable[Interaction]],
        tell: Callable[[UUID, OfferWithdrawn], None],
        changed: Callable[[str], None],
        in_contact: Callable[[], bool],
    ) -> None:
        self._pool = pool
        self._phones = phones
        self._ask = ask
        self._tell = tell
        self._changed = changed
        self._in_contact = in_contact
        self._states: dict[str, PhoneState] = {}

    async def pick_up(self, agent_id: str, interaction_id: UUID) -> Interaction:
        """An agent takes an interaction from the Home List. Checks in the contract's order."""
        it = await interactions.load(self._pool, interaction_id)
        desk, busy = await agents.desk(self._pool, agent_id)
        if it.status is Status.OPEN and busy:
            raise AgentBusy
        if it.status is Status.OPEN and not self._in_contact():
            raise Unavailable("The telephones do not answer.")
        if it.status is Status.OPEN and not self.reachable(agent_id):
            raise PhoneUnreachable
        return await self._ask(interaction_id, PickedUp(agent_id, desk))

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

    async def set_availability(self, agent_id: str, availability: Availability, reason: str | None) -> None:
        """Store it; an offer that stands goes back to the line unless the agent is ready."""
        await agents.set_availability(self._pool, agent_id, availability, reason)
        if availability is not Availability.READY:
            await self._withdraw_offer(agent_id, reason or availability)
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
            await self._withdraw_offer(agent_id, "phone_unreachable")

    async def _withdraw_offer(self, agent_id: str, reason: str) -> None:
        if offered := await agents.offered_interaction(self._pool, agent_id):
            self._tell(offered, OfferWithdrawn(agent_id, reason))

    async def provision(self, agent_id: str) -> None:
        """Make the agent's SIP account live, if the agent has one. Raises Unavailable."""
        if ha1 := await agents.sip_ha1(self._pool, agent_id):
            await self._phones.provision(agent_id, ha1)

    async def accounts(self) -> tuple[list[Account], list[Account]]:
        """Those Asterisk lacks, which keeps them in memory only, and those it has, as they were when last pushed; of
        each, first whose agents are logged in. Raises Unavailable."""
        wanted = await agents.sip_accounts(self._pool)
        there = await self._phones.provisioned()
        return [each for each in wanted if each[0] not in there], [each for each in wanted if each[0] in there]

    async def provision_all(self, accounts: list[Account]) -> None:
        """Make them live. Raises Unavailable."""
        waiting = iter(accounts)

        async def push() -> None:
            for agent_id, ha1 in waiting:
                await self._phones.provision(agent_id, ha1)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(push())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def withdraw_account(self, agent_id: str) -> None:
        """Raises Unavailable."""
        await self._phones.withdraw_account(agent_id)
