"""Which numbers are called: the question whether one would be, and the do-not-call list."""

from routing.api.context import Call
from routing.api.http.page import Page, Paged
from routing.api.http.route import STAFF, SUPERVISORS, Route
from routing.api.numbers import answers, bodies
from routing.core.errors import Forbidden, Invalid, InvalidNumber, NotFound
from routing.core.numbers import E164, facts, listed
from routing.engine.listed import call_no_more
from routing.store import number_rules


async def check_number(call: Call) -> answers.NumberCheck:
    """Would this number be promised a call and be called, and if not, which rule says so. Nothing is stored and
    nobody is called. `dial.cps` is not asked: it lets a call wait for a moment. Agents are not told what depends on
    what was asked for and dialled before (`requests_per_number`, `requests_per_prefix`, `dials_per_number`)."""
    sent, viewer = call.body(bodies.NumberCheck), await call.viewer()
    if not viewer.may_see_queue(sent.queue):
        raise Forbidden
    try:
        verdict = await call.engine.number_rules.explain(sent.queue, sent.number, history=viewer.reads_numbers)
    except NotFound as error:
        raise Invalid(str(error), "/queue") from None
    known = facts(verdict.e164) if verdict.e164 else None
    return answers.NumberCheck(
        number=sent.number,
        e164=verdict.e164,
        allowed=verdict.rule is None,
        rule=verdict.rule,
        explanation=verdict.explanation,
        type=known.kind if known else None,
        region=known.region if known else None,
        time_zones=list(verdict.time_zones),
        callable_from=verdict.callable_from,
    )


async def list_do_not_call(call: Call) -> Page[answers.DoNotCall]:
    """The numbers that are never called, by number."""
    asked = call.query(Paged)
    found = await number_rules.list_do_not_call(call.pool, limit=asked.limit + 1, after=asked.cursor or "")
    shown = [_shown(each) for each in found[: asked.limit]]
    return Page(shown, shown[-1].number if len(found) > asked.limit else None)


async def put_do_not_call(call: Call) -> answers.DoNotCall:
    """This number is not called any more, from now on; callbacks of it that wait are closed as `blocked`."""
    sent, number = call.body(bodies.DoNotCall), _number(call)
    entry = await number_rules.do_not_call(call.pool, number, call.actor, sent.reason)
    await call_no_more(call.engine.tell, call.pool, [number])
    return _shown(entry)


async def delete_do_not_call(call: Call) -> None:
    """This number may be called again. Who put it on the list and who took it off stays on record."""
    if not await number_rules.may_call_again(call.pool, _number(call), call.actor):
        raise NotFound("This number is not on the list.")


def _number(call: Call) -> str:
    """In E.164, valid or not: a number nobody can have may be listed as well. Raises InvalidNumber."""
    raw = call.path("number")
    if not E164.fullmatch(raw):
        raise InvalidNumber("Write it as E.164 with a plus, such as +4915112345678.")
    return listed(raw)


def _shown(entry: number_rules.Entry) -> answers.DoNotCall:
    return answers.DoNotCall(entry.number, entry.reason, entry.added_by, entry.added_at)


_LISTED = "/do-not-call/{number}"

ROUTES = (
    Route("POST", "/numbers/check", check_number, STAFF, answers.NumberCheck, bodies.NumberCheck),
    Route("GET", "/do-not-call", list_do_not_call, SUPERVISORS, Page[answers.DoNotCall], query=Paged),
    Route(
        "PUT",
        _LISTED,
        put_do_not_call,
        SUPERVISORS,
        answers.DoNotCall,
        bodies.DoNotCall,
        codes=("invalid_number",),
        body_required=False,
    ),
    Route("DELETE", _LISTED, delete_do_not_call, SUPERVISORS, codes=("not_found", "invalid_number")),
)
