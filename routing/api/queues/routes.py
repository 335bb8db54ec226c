"""Queues: everybody reads those they may see, administrators change them."""

from routing.api.context import Call
from routing.api.http.page import Page, Paged
from routing.api.http.route import ADMINS, ANYBODY, SUPERVISORS, Route
from routing.api.queues import answers, bodies, views
from routing.core.errors import Forbidden, Invalid
from routing.core.events import OfferWithdrawn
from routing.core.queues import Queue, Switches
from routing.store import queues
from routing.store.read import line


async def list_queues(call: Call) -> Page[answers.ShownQueue]:
    """Queues by name; an agent sees those they serve."""
    asked, viewer = call.query(Paged), await call.viewer()
    found = await queues.every(call.pool, limit=asked.limit + 1, after=asked.cursor or "", only=viewer.queues)
    shown = [views.queue(each) for each in found[: asked.limit]]
    return Page(shown, shown[-1].name if len(found) > asked.limit else None)


async def get_queue(call: Call) -> answers.ShownQueue:
    """One queue's settings, and its switches."""
    found = await queues.get(call.pool, call.path("name"))
    if not (await call.viewer()).may_see_queue(found.queue.name):
        raise Forbidden
    return views.queue(found)


async def put_queue(call: Call) -> answers.ShownQueue:
    """Create or change a queue; callers who wait keep the settings they came in under. `switches` may be sent back as
    they were read, and are passed over: no old copy of the settings turns a switch."""
    sent = _settings(call.body(answers.ShownQueue))
    if sent.name != call.path("name"):
        raise Invalid("The name is not the one in the path.", "/name")
    stored = await queues.put(call.pool, sent)
    call.engine.queues_changed(sent.name)
    return views.queue(stored)


async def switch(call: Call) -> Switches:
    """Stop taking callbacks (`register`), or offering and dialling them (`process`); callers who wait are served."""
    sent, name = call.body(bodies.Switches), call.path("name")
    switches = await queues.switch(call.pool, name, register=sent.takes, process=sent.process)
    call.engine.queues_changed(name)
    for interaction_id, agent in await line.offered_callbacks(call.pool, name) if not switches.process else ():
        call.engine.tell(interaction_id, OfferWithdrawn(agent, "switched_off"))
    return switches


async def delete_queue(call: Call) -> None:
    """The queue answers no more calls. Refused while interactions of it are not closed."""
    name = call.path("name")
    await queues.delete(call.pool, name)
    call.engine.queues_changed(name)


def _settings(sent: answers.ShownQueue) -> Queue:
    return Queue.model_construct(**{name: getattr(sent, name) for name in Queue.model_fields})


_SHOWN = answers.ShownQueue

ROUTES = (
    Route("GET", "/queues", list_queues, ANYBODY, Page[_SHOWN], query=Paged),
    Route("GET", "/queues/{name}", get_queue, ANYBODY, _SHOWN, codes=("not_found",)),
    Route("PUT", "/queues/{name}", put_queue, ADMINS, _SHOWN, _SHOWN),
    Route(
        "PUT",
        "/queues/{name}/switches",
        switch,
        SUPERVISORS,
        Switches,
        bodies.Switches,
        codes=("not_found",),
    ),
    Route("DELETE", "/queues/{name}", delete_queue, ADMINS, codes=("not_found", "invalid")),
)
