"""A route: what it takes, who may use it, what it answers. Their table makes the server and /openapi.json."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from aiohttp import web
from pydantic import BaseModel

from routing.api.auth import Tokens, token_of
from routing.api.counts import Counts
from routing.api.errors import STATUS_OF, refusal
from routing.api.guard import LoginGuard
from routing.api.hub import Hub
from routing.api.once import Once, digest, key_of, whose
from routing.api.peers import Peers
from routing.api.rates import Rates
from routing.api.reading import parse_body, parse_query, read_body
from routing.api.views import Viewer
from routing.core.errors import DuplicateCallback, Forbidden, NotFound, RingbackError, Unauthenticated
from routing.engine.engine import Engine
from routing.runtime.passwords import Passwords
from routing.store import agents, interactions
from routing.store.database import Pool
from routing.store.tokens import Identity, Role, hash_of

M = TypeVar("M", bound=BaseModel)

PUBLIC: frozenset[Role] = frozenset()
ANYBODY = frozenset(Role)
ADMINS = frozenset({Role.ADMIN})
AGENTS = frozenset({Role.AGENT})
STAFF = frozenset({Role.AGENT, Role.SUPERVISOR, Role.ADMIN})
SUPERVISORS = frozenset({Role.SUPERVISOR, Role.ADMIN})

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers work with."""

    engine: Engine
    pool: Pool
    hub: Hub
    tokens: Tokens
    passwords: Passwords
    guard: LoginGuard
    peers: Peers
    rates: Rates
    once: Once
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
            return f"agent:{self.agent}"
        return f"operator:{self.identity.agent or self.identity.role}"

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


@dataclass(frozen=True, slots=True)
class Route:
    """`roles` empty: no token needed. `answer` is what the handler returns, None for an empty 204; `codes` are the
    errors it may give besides those its roles, body and query bring along. The handler's docstring is its summary."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Any]]
    roles: frozenset[Role]
    answer: Any = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    codes: tuple[str, ...] = ()
    body_required: bool = True
    success: int = 200

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Allow, read, do, answer: in this order, so that strangers learn nothing from error messages."""
        services = request.app[SERVICES]
        caller, token_hash = await self._allow(request, services)
        raw = await read_body(request) if request.method in _WITH_BODY else b""
        sent = self._parsed(raw)
        asked = parse_query(self.query, request.query.items()) if self.query else None
        call = Call(request, services, caller, token_hash, sent, asked)
        if caller and self.once and (key := key_of(request)):
            who, asked_for = whose(caller, token_hash), digest(request, raw)
            return await services.once.answer(who, key, asked_for, lambda: self._answer_or_refusal(call))
        return await self._answer(call)

    @property
    def once(self) -> bool:
        """Whether an Idempotency-Key is honoured."""
        return self.method == "POST" and bool(self.roles)

    async def _answer_or_refusal(self, call: Call) -> web.StreamResponse:
        try:
            return await self._answer(call)
        except RingbackError as error:
            if STATUS_OF.get(error.code, 500) >= 500:
                raise
            return refusal(error)

    async def _answer(self, call: Call) -> web.StreamResponse:
        try:
            done = await self.handler(call)
        except DuplicateCallback as error:
            error.existing = await call.findable(error.existing)
            raise
        if isinstance(done, web.StreamResponse):
            return done
        if done is None:
            return web.Response(status=204)
        return json_response(done, self.success)

    async def _allow(self, request: web.Request, services: Services) -> tuple[Identity | None, bytes]:
        if not self.roles:
            return None, b""
        token_hash = hash_of(token_of(request))
        identity = await services.tokens.identity(token_hash)
        if identity is None:
            raise Unauthenticated
        services.rates.take(token_hash)
        if identity.role not in self.roles:
            raise Forbidden
        return identity, token_hash

    def _parsed(self, raw: bytes) -> BaseModel | None:
        if self.body is None:
            return None
        if not raw and not self.body_required:
            raw = b"{}"
        return parse_body(self.body, raw)


def json_response(answer: Any, status: int = 200) -> web.Response:
    body = msgspec.json.encode(answer, enc_hook=_model)
    return web.Response(body=body, status=status, content_type="application/json")


def _model(value: Any) -> Any:
    """Queues are answered as the models they are kept in."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be told")
