"""Errors become HTTP here, once: RFC 9457 problem documents with the fixed codes of `routing.core.errors`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

import msgspec
import structlog
from aiohttp import web

from routing.core.errors import DuplicateCallback, Invalid, NumberBlocked, RateLimited, RingbackError, Unavailable
from routing.runtime import metrics

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATUS_OF = {
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "not_open": 409,
    "not_offered": 409,
    "agent_busy": 409,
    "phone_unreachable": 409,
    "duplicate_callback": 409,
    "disposition_required": 409,
    "wrong_stage": 409,
    "idempotency_conflict": 409,
    "invalid": 422,
    "invalid_number": 422,
    "number_blocked": 422,
    "too_large": 413,
    "rate_limited": 429,
    "unavailable": 503,
}
CODE_OF = {404: "not_found", 405: "method_not_allowed", 408: "timeout", 413: "too_large", 426: "upgrade_required"}
RETRY_AFTER = 1


class TooLarge(RingbackError):
    """The body is larger than 64 KiB."""

    code = "too_large"


class InvalidFields(Invalid):
    """Some fields are not valid."""

    def __init__(self, errors: "list[FieldError]") -> None:
        super().__init__()
        self.errors = errors


@dataclass(frozen=True, slots=True)
class FieldError:
    """`pointer` is a JSON pointer into the body; for a query `/` and the parameter's name."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """An RFC 9457 problem document. `rule`: which rule refuses a number; `interaction`: the callback there is
    already, for who may see its number."""

    code: str
    status: int
    title: str
    detail: str
    type: str = "about:blank"
    errors: list[FieldError] = field(default_factory=list)
    rule: str | None = None
    interaction: UUID | None = None


def problem_of(error: RingbackError) -> Problem:
    errors = error.errors if isinstance(error, InvalidFields) else []
    if isinstance(error, Invalid) and error.pointer:
        errors = [FieldError(error.pointer, str(error))]
    return Problem(
        code=error.code,
        status=STATUS_OF.get(error.code, 500),
        title=_title(type(error)),
        detail=str(error),
        type=f"urn:ringback:problem:{error.code}",
        errors=errors,
        rule=error.rule if isinstance(error, NumberBlocked) else None,
        interaction=error.existing if isinstance(error, DuplicateCallback) else None,
    )


def _title(kind: type[RingbackError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def respond(problem: Problem, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(problem),
        status=problem.status,
        content_type="application/problem+json",
        headers=headers,
    )


@web.middleware
async def errors_as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The one place where an error becomes an answer; also where requests are timed."""
    started = monotonic()
    status = 500
    try:
        response = await _answer(request, handler)
        status = response.status
        return response
    finally:
        route = request.match_info.route.resource
        metrics.HTTP_REQUESTS.labels(
            method=request.method if route else "-", route=route.canonical if route else "-", status=status
        ).observe(monotonic() - started)


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RingbackError as error:
        if error.code not in STATUS_OF:
            log.exception("request failed", method=request.method, path=request.path)
            return _internal()
        return refusal(error)
    except web.HTTPException as error:
        return _of_http(error)
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        return _internal()


def refusal(error: RingbackError) -> web.Response:
    """The answer a refusal is."""
    return respond(problem_of(error), _headers(error))


def _headers(error: RingbackError) -> dict[str, str]:
    match error:
        case RateLimited():
            return {"Retry-After": str(error.retry_after)}
        case Unavailable():
            return {"Retry-After": str(RETRY_AFTER)}
        case RingbackError(code="unauthenticated"):
            return {"WWW-Authenticate": "Bearer"}
        case _:
            return {}


def _of_http(error: web.HTTPException) -> web.StreamResponse:
    """What aiohttp itself refuses: unknown path, wrong method, too large a body."""
    if error.status < 400:
        return error
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return respond(problem_of(TooLarge()))
    code = CODE_OF.get(error.status, "invalid" if error.status < 500 else "internal_error")
    kept = {name: error.headers[name] for name in ("Allow", "Upgrade") if name in error.headers}
    problem = Problem(code, error.status, error.reason, error.reason, f"urn:ringback:problem:{code}")
    return respond(problem, kept)


def _internal() -> web.Response:
    title = "Something went wrong inside Ringback."
    return respond(Problem("internal_error", 500, title, title, "urn:ringback:problem:internal_error"))
