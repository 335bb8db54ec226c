"""Queues: everybody reads those they may see, administrators change them."""

from routing.api import answers, bodies
from routing.api.route import ADMINS, ANYBODY, Call, Route
from routing.errors import Forbidden, Invalid
from routing.queues import Queue
from routing.store import queues


async def list_queues(call: Call) -> answers.Page[Queue]:
    """Queues by name; an agent sees those they serve."""
    asked, viewer = call.query(bodies.Paged), await call.viewer()
    found = await queues.every(call.pool, limit=asked.limit + 1, after=asked.cursor or "", only=viewer.queues)
    shown = [each.queue for each in found[: asked.limit]]
    return answers.Page(shown, shown[-1].name if len(found) > asked.limit else None)


async def get_queue(call: Call) -> Queue:
    """One queue's settings."""
    found = await queues.get(call.pool, call.path("name"))
    if not (await call.viewer()).may_see_queue(found.queue.name):
        raise Forbidden
    return found.queue


async def put_queue(call: Call) -> Queue:
    """Create or change a queue; callers who wait keep the settings they came in under."""
    sent = call.body(Queue)
    if sent.name != call.path("name"):
        raise Invalid("The name is not the one in the path.", "/name")
    stored = await queues.put(call.pool, sent)
    call.engine.queues_changed(sent.name)
    return stored.queue


async def delete_queue(call: Call) -> None:
    """The queue answers no more calls. Refused while interactions of it are not closed."""
    name = call.path("name")
    await queues.delete(call.pool, name)
    call.engine.queues_changed(name)


ROUTES = (
    Route("GET", "/queues", list_queues, ANYBODY, answers.Page[Queue], query=bodies.Paged),
    Route("GET", "/queues/{name}", get_queue, ANYBODY, Queue, codes=("not_found",)),
    Route("PUT", "/queues/{name}", put_queue, ADMINS, Queue, Queue),
    Route("DELETE", "/queues/{name}", delete_queue, ADMINS, codes=("not_found", "invalid")),
)
