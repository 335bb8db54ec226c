"""Interactions: the Home List, one of them with its story, and what agents do with them."""

from routing.api.context import Call
from routing.api.http.page import Page, Paged
from routing.api.http.permissions import HOLDERS, Permission
from routing.api.http.route import AGENTS, ANYBODY, STAFF, Route
from routing.api.http.viewer import Viewer
from routing.api.interactions import answers, bodies, views
from routing.core.errors import Forbidden, Invalid, RingbackError
from routing.core.events import CallEnded, CallStopped, OfferAccepted, OfferRejected, PersonEvent, Redialled, WorkDone
from routing.core.interaction import Interaction
from routing.core.numbers import readings
from routing.store import interactions, queues
from routing.store.read import feed, home_list, line
from routing.store.read.home_list import Filter


async def list_interactions(call: Call) -> Page[answers.Interaction]:
    """The Home List: what is not closed, unless asked for by `status=closed`."""
    asked, viewer = call.query(bodies.HomeList), await call.viewer()
    wanted = Filter(
        status=asked.status,
        subtype=asked.subtype,
        queue=asked.queue,
        assigned_to=asked.assigned_to,
        numbers=await _meant(call, asked.number),
        q=asked.q,
        reads_numbers=viewer.reads_numbers,
        queues=viewer.queues,
        agent=viewer.identity.agent,
    )
    page = await home_list.page(call.pool, wanted, order=asked.order, limit=asked.limit, cursor=asked.cursor)
    places = await line.places(call.pool, page.items)
    items = [views.interaction(it, places.get(it.id), full=viewer.reads_number_of(it)) for it in page.items]
    return Page(items, page.next_cursor)


async def _meant(call: Call, number: str | None) -> tuple[str, ...] | None:
    """Every number somebody can look for who writes this, in any queue's region. In a query a plus that was not
    escaped arrives as a space."""
    if number is None:
        return None
    number = f"+{number[1:]}" if number.startswith(" ") else number
    regions = await queues.regions(call.pool)
    return tuple({number, *(each for region in regions for each in readings(number, region))})


async def get_interaction(call: Call) -> answers.Interaction:
    """One interaction, closed or not."""
    return await view(call, await visible(call))


async def get_feed(call: Call) -> Page[answers.FeedLine]:
    """Its story, line by line."""
    asked = call.query(Paged)
    it = await visible(call)
    full = (await call.viewer()).reads_number_of(it)
    lines = await feed.of_interaction(call.pool, it.id, after=_seq(asked.cursor), limit=asked.limit + 1)
    shown = lines[: asked.limit]
    more = str(shown[-1].seq) if len(lines) > asked.limit else None
    return Page([views.feed_line(each, full=full) for each in shown], more)


def _seq(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise Invalid("This is not a cursor of this list.", "/cursor")
    return int(cursor)


async def visible(call: Call) -> Interaction:
    """The interaction of the path. Raises NotFound, or Forbidden for one of a queue the caller does not serve."""
    it = await interactions.load(call.pool, call.interaction_id())
    if not (await call.viewer()).may_see(it):
        raise Forbidden
    return it


async def accept(call: Call) -> answers.Interaction:
    """The offered agent takes the call; a customer to be called back is dialled at once."""
    return await ask(call, OfferAccepted(call.agent))


async def reject(call: Call) -> answers.Interaction:
    """The offered agent does not take it; it keeps its place."""
    return await ask(call, OfferRejected(call.agent))


async def pick_up(call: Call) -> answers.Interaction:
    """An agent of the queue takes an open interaction from the Home List."""
    it = await visible(call)
    return await view(call, await call.engine.agents.pick_up(call.agent, it.id, it))


async def end_call(call: Call) -> answers.Interaction:
    """The agent ends the call, or the dialling of it. Supervisors end any call at any stage (`agent:release`): who
    waits is hung up, an offer is withdrawn, a promise to call back stays; without a call nothing changes."""
    if call.identity.role in HOLDERS[Permission.AGENT_RELEASE]:
        return await ask(call, CallStopped(call.actor))
    return await ask(call, CallEnded(call.agent))


async def redial(call: Call) -> answers.Interaction:
    """The agent who has just called calls again."""
    return await ask(call, Redialled(call.agent))


async def done(call: Call) -> answers.Interaction:
    """The agent's work on it is done."""
    sent = call.body(bodies.Done)
    return await ask(call, WorkDone(call.agent, sent.disposition, sent.note))


async def ask(call: Call, event: PersonEvent) -> answers.Interaction:
    """Straight to the engine, which knows whose it is: Accept must not wait for another look into Postgres."""
    return await view(call, await call.engine.ask(call.interaction_id(), event))


async def view(call: Call, it: Interaction) -> answers.Interaction:
    """The interaction as this caller may see it, with its place in line."""
    viewer = Viewer(call.identity)
    try:
        places = await line.places(call.pool, [it])
    except RingbackError:  # what was asked is done; its place can be asked for again
        places = {}
    return views.interaction(it, places.get(it.id), full=viewer.reads_number_of(it))


_ANSWER = answers.Interaction
_ITSELF = "/interactions/{id}"

ROUTES = (
    Route("GET", "/interactions", list_interactions, ANYBODY, Page[_ANSWER], query=bodies.HomeList),
    Route("GET", _ITSELF, get_interaction, ANYBODY, _ANSWER, codes=("not_found",)),
    Route(
        "GET",
        f"{_ITSELF}/feed",
        get_feed,
        ANYBODY,
        Page[answers.FeedLine],
        query=Paged,
        codes=("not_found",),
    ),
    Route(
        "POST",
        f"{_ITSELF}/accept",
        accept,
        AGENTS,
        _ANSWER,
        codes=("not_found", "not_offered", "number_blocked", "unavailable"),
    ),
    Route("POST", f"{_ITSELF}/reject", reject, AGENTS, _ANSWER, codes=("not_found", "not_offered", "unavailable")),
    Route(
        "POST",
        f"{_ITSELF}/pickup",
        pick_up,
        AGENTS,
        _ANSWER,
        codes=("not_found", "not_open", "agent_busy", "phone_unreachable", "number_blocked", "unavailable"),
    ),
    Route("POST", f"{_ITSELF}/end-call", end_call, STAFF, _ANSWER, codes=("not_found", "wrong_stage", "unavailable")),
    Route(
        "POST",
        f"{_ITSELF}/redial",
        redial,
        AGENTS,
        _ANSWER,
        codes=("not_found", "wrong_stage", "number_blocked", "unavailable"),
    ),
    Route(
        "POST",
        f"{_ITSELF}/done",
        done,
        AGENTS,
        _ANSWER,
        bodies.Done,
        codes=("not_found", "wrong_stage", "disposition_required", "invalid", "unavailable"),
        body_required=False,
    ),
)
