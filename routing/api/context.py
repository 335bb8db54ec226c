"""What a handler works with: the services of this process, and the one request it answers."""

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from routing.api.engine import Engine
from routing.api.http.auth import Tokens
from routing.api.http.client_address import ClientAddresses
from routing.api.http.idempotency import Idempotency, whose
from routing.api.http.login_throttle import LoginThrottle
from routing.api.http.rates import Rates
from routing.api.http.viewer import Viewer
from routing.api.live.hub import Hub
from routing.api.machines.counts import Counts
from routing.core.errors import Forbidden, NotFound, Unauthenticated
from routing.core.feed import agent_actor, operator_actor
from routing.runtime.passwords import Passwords
from routing.store import agents, interactions
from routing.store.database import Pool
from routing.store.tokens import Identity, Role

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers work with."""

    engine: Engine
    pool: Pool
    hub: Hub
    tokens: Tokens
    passwords: Passwords
    guard: LoginThrottle
    client_addresses: ClientAddresses
    rates: Rates
    idempotency: Idempotency
    counts: Counts
    realm: str


SERVICES = web.AppKey("services", Services)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and allowed."""

    request: web.Request
    services: Services
    caller: Identity | None
    token_hash: bytes
    sent: BaseModel | None
    asked: BaseModel | None

    @property
    def engine(self) -> Engine:
        return self.services.engine

    @property
    def pool(self) -> Pool:
        """The API's own, so that readers never keep a call waiting for a connection."""
        return self.services.pool

    @property
    def identity(self) -> Identity:
        if self.caller is None:
            raise Unauthenticated
        return self.caller

    @property
    def agent(self) -> str:
        """The calling agent. Raises Forbidden for a token that is nobody's."""
        if self.identity.agent is None:
            raise Forbidden
        return self.identity.agent

    @property
    def actor(self) -> str:
        """Who does it, as the feed names it."""
        if self.identity.role is Role.AGENT:
            return agent_actor(self.agent)
        return operator_actor(self.identity.agent or self.identity.role)

    @property
    def asker(self) -> str:
        """Whose requests count together: an agent's over all sessions, else the token's."""
        return whose(self.identity, self.token_hash)

    def body(self, model: type[M]) -> M:
        assert isinstance(self.sent, model)
        return self.sent

    def query(self, model: type[M]) -> M:
        assert isinstance(self.asked, model)
        return self.asked

    def path(self, name: str) -> str:
        return self.request.match_info[name]

    def interaction_id(self) -> UUID:
        """Raises NotFound for what is no id: there is nothing of that name."""
        try:
            return UUID(self.path("id"))
        except ValueError:
            raise NotFound("There is no such interaction.") from None

    async def findable(self, found: UUID | None) -> UUID | None:
        """What was found by its number, unless the caller may not see that number."""
        viewer = Viewer(self.identity)
        if found is None or viewer.reads_numbers:
            return found
        return found if viewer.owns(await interactions.load(self.pool, found)) else None

    async def viewer(self) -> Viewer:
        """The caller as one who looks; an agent sees the queues they serve."""
        if self.identity.role is not Role.AGENT:
            return Viewer(self.identity)
        return Viewer(self.identity, await agents.queues_of(self.pool, self.agent))
