"""A route: what it takes, who may use it, what it answers. Their table makes the server and /openapi.json."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web
from pydantic import BaseModel

from routing.api.context import SERVICES, Call, Services
from routing.api.http.auth import token_of
from routing.api.http.errors import STATUS_OF, refusal
from routing.api.http.idempotency import digest, key_of, whose
from routing.api.http.reading import parse_body, parse_query, read_body
from routing.core.errors import DuplicateCallback, Forbidden, RingbackError, Unauthenticated
from routing.store.tokens import Identity, Role, hash_of

PUBLIC: frozenset[Role] = frozenset()
ANYBODY = frozenset(Role)
ADMINS = frozenset({Role.ADMIN})
AGENTS = frozenset({Role.AGENT})
STAFF = frozenset({Role.AGENT, Role.SUPERVISOR, Role.ADMIN})
SUPERVISORS = frozenset({Role.SUPERVISOR, Role.ADMIN})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


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
            return await services.idempotency.answer(who, key, asked_for, lambda: self._answer_or_refusal(call))
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
