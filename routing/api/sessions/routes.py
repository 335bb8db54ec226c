"""Logging in and out, and who one is."""

from datetime import timedelta

from routing.api.context import Call
from routing.api.http.route import ANYBODY, PUBLIC, Route
from routing.api.sessions import answers, bodies
from routing.core.agents import Availability, Reason, after_login
from routing.core.errors import Unauthenticated
from routing.store import agents, tokens
from routing.store.tokens import Role

SESSION = timedelta(hours=12)


async def login(call: Call) -> answers.LoggedIn:
    """An agent's user and password for a token; leaves the agent Not Ready."""
    sent = call.body(bodies.Login)
    async with call.services.guard.attempt(sent.user, call.services.client_addresses.of(call.request)):
        hashed, availability = await agents.password_hash(call.pool, sent.user)
        token = await _session(call, hashed, sent)
    if availability and (changed := after_login(availability)):
        await call.engine.agents.set_availability(sent.user, changed, Reason.LOGIN)
    return answers.LoggedIn(token, Role.AGENT, sent.user)


async def _session(call: Call, hashed: str | None, sent: bodies.Login) -> str:
    """Checking takes a while: a password that was changed meanwhile is as wrong as any other."""
    right = await call.services.passwords.verify(hashed, sent.password)
    if right and hashed and (token := await tokens.begin_session(call.pool, sent.user, hashed, SESSION)):
        return token
    raise Unauthenticated("Wrong user or password.")


async def logout(call: Call) -> None:
    """The token ends, and an agent is logged out."""
    await call.services.tokens.revoke(call.token_hash)
    call.services.hub.end_of(call.token_hash)
    if call.identity.role is Role.AGENT:
        await call.engine.agents.set_availability(call.agent, Availability.LOGGED_OUT, None)


async def me(call: Call) -> answers.Me:
    """The token's role and agent."""
    return answers.Me(call.identity.role, call.identity.agent)


ROUTES = (
    Route("POST", "/login", login, PUBLIC, answers.LoggedIn, bodies.Login, codes=("unauthenticated", "rate_limited")),
    Route("POST", "/logout", logout, ANYBODY),
    Route("GET", "/me", me, ANYBODY, answers.Me),
)
