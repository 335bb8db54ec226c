"""Callbacks asked for over the API, and what supervisors and owners do to interactions, one by one or in bulk."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from routing.api.context import Call
from routing.api.http.errors import Problem, problem_of
from routing.api.http.moments import due
from routing.api.http.route import STAFF, SUPERVISORS, Route
from routing.api.interactions import answers
from routing.api.interactions.routes import view, visible
from routing.api.operations import bodies
from routing.api.operations.answers import BulkResult, BulkResults
from routing.core.errors import Forbidden, Invalid, NotFound, RingbackError
from routing.core.events import CallbackRequested, Cancelled, Edited, NoteAdded, Requeued, Rescheduled, Settled
from routing.core.interaction import Interaction
from routing.core.queues import Queue
from routing.engine.number_rules import e164
from routing.store import interactions, queues
from routing.store.queues import Stored
from routing.store.tokens import Role

AT_ONCE = 8
"""How many interactions of a bulk operation are worked on at the same time."""


async def request_callback(call: Call) -> answers.Interaction:
    """Somebody is to be called back, as soon as possible or at a time."""
    sent = call.body(bodies.CallbackRequest)
    if not (await call.viewer()).may_see_queue(sent.queue):
        raise Forbidden
    queue = (await _queue(call, sent.queue)).queue
    zone = sent.time_zone or queue.time_zone
    event = CallbackRequested(
        by=call.actor,
        queue=sent.queue,
        number=e164(sent.number, queue),
        at=due(sent.at, zone, call.engine.clock.now()) if sent.at else None,
        time_zone=sent.time_zone,
        callback_type=sent.callback_type,
        name=sent.name,
        case_data=sent.case_data,
        instructions=sent.instructions,
        asker=call.asker,
    )
    return await view(call, await call.engine.request(event))


async def _queue(call: Call, name: str) -> Stored:
    try:
        return await queues.get(call.pool, name)
    except NotFound as error:
        raise Invalid(str(error), "/queue") from None


async def _settings_of(call: Call, it: Interaction) -> Queue:
    return await call.engine.queues.version(it.queue, it.queue_version)


# One by one


async def cancel(call: Call) -> answers.Interaction:
    """A callback nobody works on is not made any more; an offer of it is withdrawn."""
    return await view(call, await _cancel(call, call.interaction_id(), call.body(bodies.Cancel)))


async def _cancel(call: Call, it: UUID, sent: bodies.Cancel) -> Interaction:
    return await call.engine.ask(it, Cancelled(call.actor, sent.reason))


async def requeue(call: Call) -> answers.Interaction:
    """To the line again, at its place; callbacks also to another queue."""
    return await view(call, await _requeue(call, call.interaction_id(), call.body(bodies.Requeue)))


async def _requeue(call: Call, it: UUID, sent: bodies.Requeue) -> Interaction:
    if sent.queue is None:
        return await call.engine.ask(it, Requeued(call.actor, priority=sent.priority))
    to = await _queue(call, sent.queue)
    return await call.engine.ask(it, Requeued(call.actor, to.queue.name, to.version, sent.priority))


async def reassign(call: Call) -> answers.Interaction:
    """Offered to this agent, whose phone rings; or taken from its agent and in line again."""
    return await view(call, await _reassign(call, call.interaction_id(), call.body(bodies.Reassign)))


async def _reassign(call: Call, it: UUID, sent: bodies.Reassign) -> Interaction:
    return await call.engine.agents.reassign(it, sent.agent, call.actor)


async def reschedule(call: Call) -> answers.Interaction:
    """Called back at another time; agents put off what is theirs."""
    return await view(call, await _reschedule(call, call.interaction_id(), call.body(bodies.Reschedule)))


async def _reschedule(call: Call, it: UUID, sent: bodies.Reschedule) -> Interaction:
    at = await _due(call, it, sent)
    return await call.engine.ask(it, Rescheduled(call.actor, at, sent.time_zone))


async def _due(call: Call, interaction_id: UUID, sent: bodies.Reschedule) -> datetime:
    it = await interactions.load(call.pool, interaction_id)
    zone = sent.time_zone or it.request.time_zone or (await _settings_of(call, it)).time_zone
    return due(sent.at, zone, call.engine.clock.now())


async def close(call: Call) -> answers.Interaction:
    """The agent's work on it is over: resolved, or for somebody else to go on with."""
    sent = call.body(bodies.Close)
    resolved = sent.resolution == "resolved"
    event = Settled(call.actor, resolved, sent.disposition, sent.note)
    return await view(call, await call.engine.ask(call.interaction_id(), event))


async def edit(call: Call) -> answers.Interaction:
    """Case data, instructions, number, priority; each change is in the feed with the old value."""
    sent = call.body(bodies.Changes)
    if sent.priority is not None and call.identity.role is Role.AGENT:
        raise Forbidden("Only supervisors change the priority.")
    number = sent.number
    if number is not None:
        number = e164(number, await _settings_of(call, await visible(call)))
    event = Edited(call.actor, number, sent.priority, sent.case_data, sent.instructions, call.asker)
    return await view(call, await call.engine.ask(call.interaction_id(), event))


async def add_note(call: Call) -> answers.Interaction:
    """A note for whoever has it next; it is in the feed."""
    it = await visible(call)
    return await view(call, await call.engine.ask(it.id, NoteAdded(call.actor, call.body(bodies.Note).note)))


# In bulk


async def bulk(call: Call) -> BulkResults:
    """One operation on many interactions, each by itself; the answer tells what became of each."""
    sent = call.body(bodies.BulkRequest).root
    free = asyncio.Semaphore(AT_ONCE)

    async def one(it: UUID) -> BulkResult:
        async with free:
            return await _done(call, it, lambda: _do(call, it, sent))

    return BulkResults(list(await asyncio.gather(*(one(it) for it in sent.ids))))


def _do(call: Call, it: UUID, sent: bodies.InBulk) -> Awaitable[Interaction]:
    match sent:
        case bodies.BulkCancel():
            return _cancel(call, it, sent)
        case bodies.BulkRequeue():
            return _requeue(call, it, sent)
        case bodies.BulkReassign():
            return _reassign(call, it, sent)
        case bodies.BulkReschedule():
            return _reschedule(call, it, sent)


async def _done(call: Call, it: UUID, do: Callable[[], Awaitable[Interaction]]) -> BulkResult:
    try:
        return BulkResult(it, 200, await view(call, await do()))
    except RingbackError as error:
        problem: Problem = problem_of(error)
        return BulkResult(it, problem.status, problem=problem)


_ANSWER = answers.Interaction
_ITSELF = "/interactions/{id}"
_OF_ALL = ("not_found", "not_open", "wrong_stage")
_PROMISED = ("duplicate_callback", "invalid_number", "number_blocked")

ROUTES = (
    Route(
        "POST", "/callbacks", request_callback, STAFF, _ANSWER, bodies.CallbackRequest, codes=_PROMISED, success=201
    ),
    Route("POST", "/interactions/bulk", bulk, SUPERVISORS, BulkResults, bodies.BulkRequest),
    Route(
        "POST",
        f"{_ITSELF}/cancel",
        cancel,
        SUPERVISORS,
        _ANSWER,
        bodies.Cancel,
        codes=_OF_ALL,
        body_required=False,
    ),
    Route(
        "POST",
        f"{_ITSELF}/requeue",
        requeue,
        SUPERVISORS,
        _ANSWER,
        bodies.Requeue,
        codes=(*_OF_ALL, *_PROMISED),
        body_required=False,
    ),
    Route(
        "POST",
        f"{_ITSELF}/reassign",
        reassign,
        SUPERVISORS,
        _ANSWER,
        bodies.Reassign,
        codes=(*_OF_ALL, "agent_busy", "phone_unreachable", "number_blocked"),
        body_required=False,
    ),
    Route(
        "POST",
        f"{_ITSELF}/reschedule",
        reschedule,
        STAFF,
        _ANSWER,
        bodies.Reschedule,
        codes=(*_OF_ALL, *_PROMISED, "disposition_required"),
    ),
    Route(
        "POST",
        f"{_ITSELF}/close",
        close,
        STAFF,
        _ANSWER,
        bodies.Close,
        codes=(*_OF_ALL, *_PROMISED, "disposition_required"),
        body_required=False,
    ),
    Route("PATCH", _ITSELF, edit, STAFF, _ANSWER, bodies.Changes, codes=(*_OF_ALL, *_PROMISED)),
    Route("POST", f"{_ITSELF}/notes", add_note, STAFF, _ANSWER, bodies.Note, codes=("not_found", "not_open")),
)
