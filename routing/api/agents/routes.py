"""Agents: settings for administrators, state for themselves and their supervisors."""

import secrets

from routing.api.agents import answers, bodies, views
from routing.api.context import Call
from routing.api.http.page import Page, Paged
from routing.api.http.permissions import HOLDERS, Permission
from routing.api.http.route import ADMINS, ANYBODY, STAFF, Route
from routing.core.agents import Availability, check_change, check_id, ha1
from routing.core.errors import AgentBusy, Forbidden, Invalid
from routing.store import agents
from routing.store.agents import Membership, Settings
from routing.store.tokens import Role


async def list_agents(call: Call) -> Page[answers.Agent]:
    """Agents by id; an agent sees those who share a queue."""
    asked = call.query(Paged)
    only = call.agent if call.identity.role is Role.AGENT else None
    found = await agents.every(call.pool, limit=asked.limit + 1, after=asked.cursor or "", colleagues_of=only)
    shown = found[: asked.limit]
    return Page([_view(call, each) for each in shown], shown[-1].id if len(found) > asked.limit else None)


async def get_agent(call: Call) -> answers.Agent:
    """One agent."""
    found = await agents.get(call.pool, call.path("id"))
    if not (await call.viewer()).may_see_agent(found):
        raise Forbidden
    return _view(call, found)


async def put_agent(call: Call) -> answers.Agent:
    """Create or change an agent; a SIP account is live when this answers."""
    agent_id, sent = call.path("id"), call.body(bodies.Agent)
    check_id(agent_id)
    if sent.id not in (None, agent_id):
        raise Invalid("The id is not the one in the path.", "/id")
    await agents.put(call.pool, agent_id, settings_of(sent), await _hashes(call, agent_id, sent))
    await _end_sessions(call, agent_id)
    if "sip_password" in sent.model_fields_set:
        await call.engine.agents.settle(agent_id)
    call.engine.agents_changed(agent_id)
    return _view(call, await agents.get(call.pool, agent_id))


def settings_of(sent: bodies.Agent) -> Settings:
    """Raises Invalid for a queue that is there twice."""
    names = [each.queue for each in sent.queues]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise Invalid("This queue is listed twice.", f"/queues/{i}/queue")
    return Settings(
        name=sent.name,
        queues=tuple(Membership(each.queue, each.penalty) for each in sent.queues),
        skills=sent.skills,
        accept_mode=sent.accept_mode,
        auto_answer=sent.auto_answer,
        wrap_up=sent.wrap_up,
    )


async def _hashes(call: Call, agent_id: str, sent: bodies.Agent) -> dict[str, str | None]:
    """The hashes to store. The password an agent has already is no change, and ends no session."""
    hashes: dict[str, str | None] = {}
    if "sip_password" in sent.model_fields_set:
        plain = sent.sip_password
        hashes["sip_ha1"] = None if plain is None else ha1(agent_id, plain, call.services.realm)
    if "password" in sent.model_fields_set:
        hashed, _ = await agents.password_hash(call.pool, agent_id)
        if sent.password is None:
            hashes["password_hash"] = None
        elif hashed is None or not await call.services.passwords.verify(hashed, sent.password):
            hashes["password_hash"] = await call.services.passwords.hash(sent.password)
    return hashes


async def new_sip_password(call: Call) -> answers.SipPassword:
    """A new SIP password of 128 random bits, live when this answers; the one before is good no more."""
    agent_id, made = call.path("id"), secrets.token_hex(16)
    await agents.set_sip_ha1(call.pool, agent_id, ha1(agent_id, made, call.services.realm))
    await call.engine.agents.settle(agent_id)
    call.engine.agents_changed(agent_id)
    return answers.SipPassword(made)


async def _end_sessions(call: Call, agent_id: str) -> None:
    """Those that were ended in Postgres, here and now: tokens that are remembered, and live streams."""
    call.services.tokens.forget_agent(agent_id)
    await call.services.tokens.look(call.services.hub.tokens, call.services.hub.end_of)


async def delete_agent(call: Call) -> None:
    """The agent is gone, with tokens and SIP account; the story of the calls stays."""
    agent_id = call.path("id")
    if (await agents.get(call.pool, agent_id)).work:
        raise AgentBusy
    await call.engine.agents.delete(agent_id)
    await _end_sessions(call, agent_id)
    call.engine.agents_changed(agent_id)


async def put_state(call: Call) -> answers.Agent:
    """Ready, Not Ready or logged out: agents for themselves, supervisors for anyone."""
    agent_id, sent = call.path("id"), call.body(bodies.AgentState)
    if call.identity.role is Role.AGENT and agent_id != call.agent:
        raise Forbidden
    await agents.get(call.pool, agent_id)
    check_change(sent.state, call.engine.agents.phone(agent_id))
    reason = sent.reason if sent.state is Availability.NOT_READY else None
    await call.engine.agents.set_availability(agent_id, sent.state, reason)
    return _view(call, await agents.get(call.pool, agent_id))


async def release(call: Call) -> answers.Agent:
    """Takes from an agent what they are at (`agent:release`): an offer goes back to the line, of a call the other
    side goes to somebody else, after-call work is closed with the disposition `none`. Whether they are ready stays
    their choice."""
    agent_id = call.path("id")
    if agent_id == call.identity.agent:
        raise Forbidden("Only somebody else can release you.")
    await call.engine.agents.release(agent_id, call.actor, call.body(bodies.Release).reason)
    return _view(call, await agents.get(call.pool, agent_id))


def _view(call: Call, stored: agents.Agent) -> answers.Agent:
    return views.agent(stored, call.engine.agents.phone(stored.id))


ROUTES = (
    Route("GET", "/agents", list_agents, ANYBODY, Page[answers.Agent], query=Paged),
    Route("GET", "/agents/{id}", get_agent, ANYBODY, answers.Agent, codes=("not_found",)),
    Route("PUT", "/agents/{id}", put_agent, ADMINS, answers.Agent, bodies.Agent, codes=("unavailable",)),
    Route(
        "PUT",
        "/agents/{id}/sip-password",
        new_sip_password,
        ADMINS,
        answers.SipPassword,
        codes=("not_found", "unavailable"),
    ),
    Route("DELETE", "/agents/{id}", delete_agent, ADMINS, codes=("not_found", "agent_busy", "unavailable")),
    Route(
        "PUT",
        "/agents/{id}/state",
        put_state,
        STAFF,
        answers.Agent,
        bodies.AgentState,
        codes=("not_found", "phone_unreachable"),
    ),
    Route(
        "POST",
        "/agents/{id}/release",
        release,
        HOLDERS[Permission.AGENT_RELEASE],
        answers.Agent,
        bodies.Release,
        codes=("not_found", "unavailable"),
    ),
)
