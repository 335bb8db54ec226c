"""GET /openapi.json: the description of the API, made from the table of routes and the models they name."""

import inspect
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from aiohttp import web
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from routing.api.context import Call
from routing.api.http import idempotency
from routing.api.http.errors import CODE_OF, STATUS_OF, Problem
from routing.api.http.route import PUBLIC, Route, json_response

_STATUS = STATUS_OF | {code: status for status, code in CODE_OF.items()} | {"not_ready": 503}
_TEXT = {"schema": {"type": "string"}}
_SECONDS = {"required": True, "schema": {"type": "integer", "minimum": 1}}
_HEADERS: dict[int, dict[str, dict[str, Any]]] = {
    401: {"WWW-Authenticate": {"required": True, **_TEXT}},
    426: {"Upgrade": {"required": True, **_TEXT}},
    429: {"Retry-After": _SECONDS},
    503: {"Retry-After": {**_SECONDS, "required": False}},
}
"""What comes along with an error."""
_REF = "#/components/schemas/{model}"
NAMES = {
    "routing.core.queues.switches.Switches": "routing.queues.Switches",
    "routing.api.queues.bodies.Switches": "routing.api.bodies.Switches",
}
"""Of two models of one name pydantic says the modules. What clients made of those names has to go on fitting when a
module moves: module -> the one it is said to be in."""


def route(routes: Callable[[], list[tuple[str, Route]]]) -> Route:
    """The route that describes all of them, itself included."""

    @cache
    def made() -> dict[str, Any]:
        return document(routes())

    async def describe(call: Call) -> web.Response:
        """This description, as OpenAPI 3.1."""
        return json_response(made())

    return Route("GET", "/openapi.json", describe, PUBLIC, dict[str, Any])


def document(routes: Iterable[tuple[str, Route]]) -> dict[str, Any]:
    routes = list(routes)
    schemas, definitions = _schemas(routes)
    paths: dict[str, Any] = {}
    for path, each in routes:
        paths.setdefault(path, {})[each.method.lower()] = _operation(path, each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ringback", "version": "1", "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


Schemas = dict[tuple[Any, str], Any]


class _Named(GenerateJsonSchema):
    def normalize_name(self, name: str) -> str:
        return super().normalize_name(NAMES.get(name, name))


def _schemas(routes: list[tuple[str, Route]]) -> tuple[Schemas, dict[str, Any]]:
    """The schema of every model as it is sent or told, and the definitions they share."""
    asked: dict[tuple[Any, str], TypeAdapter[Any]] = {(Problem, "serialization"): TypeAdapter(Problem)}
    for _, each in routes:
        for model, mode in ((each.body, "validation"), (each.answer, "serialization")):
            if model is not None:
                asked[model, mode] = TypeAdapter(model)
    inputs = [(key, key[1], adapter) for key, adapter in asked.items()]
    found, shared = TypeAdapter.json_schemas(
        inputs,  # type: ignore[arg-type]  # keys are ours
        ref_template=_REF,
        schema_generator=_Named,
    )
    return {key: schema for (key, _), schema in found.items()}, shared.get("$defs", {})


def _operation(path: str, each: Route, schemas: Schemas) -> dict[str, Any]:
    summary, *more = _sentences(inspect.getdoc(each.handler) or "")
    operation: dict[str, Any] = {
        "operationId": each.handler.__name__,
        "tags": [_tag(path)],
        "summary": summary,
        "parameters": [*_in_path(path), *_in_query(each.query), *_in_headers(each)],
        "responses": _responses(each, schemas),
    }
    if each.roles:
        operation["security"] = [{"token": []}]
        more.append(f"Roles: {', '.join(sorted(each.roles))}.")
    if more:
        operation["description"] = " ".join(more)
    if each.body:
        content = {"application/json": {"schema": schemas[each.body, "validation"]}}
        operation["requestBody"] = {"required": each.body_required, "content": content}
    return operation


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.)\s+", " ".join(text.split()))


def _tag(path: str) -> str:
    """What it is about: the word after the version; `service` for what has none."""
    versioned = re.match(r"/api/v\d+/([^/]+)", path)
    about = versioned[1] if versioned else "service"
    return "login" if about in ("logout", "me") else about


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _in_query(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=_REF)
    return [
        {"name": name, "in": "query", "required": False, "schema": _inlined(each, schema.get("$defs", {}))}
        for name, each in schema["properties"].items()
    ]


def _in_headers(each: Route) -> list[dict[str, Any]]:
    if not each.once:
        return []
    about = "The same request under the same key is done once and answered alike, for 24 hours."
    schema = {"type": "string", "pattern": idempotency.PATTERN}
    return [{"name": idempotency.HEADER, "in": "header", "required": False, "description": about, "schema": schema}]


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Parameters are few and small: no references, and no null, which a query cannot hold."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema if each != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return definitions[schema["$ref"].rsplit("/", 1)[1]]
    return {key: _inlined(value, definitions) for key, value in schema.items() if (key, value) != ("default", None)}


def _responses(each: Route, schemas: Schemas) -> dict[str, Any]:
    replayed = {idempotency.REPLAYED: _TEXT} if each.once else {}
    responses: dict[str, Any] = {_success(each): {**_answer(each, schemas), **_headers(replayed)}}
    for status in sorted({_STATUS[code] for code in _codes(each)}):
        codes = ", ".join(code for code in _codes(each) if _STATUS[code] == status)
        content = {"application/problem+json": {"schema": schemas[Problem, "serialization"]}}
        responses[str(status)] = {"description": codes, "content": content, **_headers(_HEADERS.get(status, {}))}
    return responses


def _headers(them: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"headers": them} if them else {}


def _success(each: Route) -> str:
    if each.path == "/stream":
        return "101"
    return str(each.success) if each.answer else "204"


def _answer(each: Route, schemas: Schemas) -> dict[str, Any]:
    if each.answer is None:
        return {"description": "Switching to WebSocket" if each.path == "/stream" else "Done"}
    kind = "text/plain" if each.answer is str else "application/json"
    return {"description": "OK", "content": {kind: {"schema": schemas[each.answer, "serialization"]}}}


def _codes(each: Route) -> list[str]:
    """The errors a route can give: its own, and those that come with needing a token, a body, a query."""
    codes = list(each.codes)
    codes += ["unauthenticated", "forbidden", "rate_limited"] if each.roles else []
    codes += ["idempotency_conflict"] if each.once else []
    codes += ["invalid"] if each.body or each.query or each.once else []
    codes += ["too_large", "timeout"] if each.method != "GET" else []
    codes += ["unavailable"] if each.roles != PUBLIC or each.body else []
    return list(dict.fromkeys(codes))
