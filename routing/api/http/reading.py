"""Reads bodies and queries into pydantic models. Whatever is wrong with them is `invalid`, never a crash."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, get_origin

from aiohttp import web
from pydantic import BaseModel, ValidationError

from routing.api.http.errors import FieldError, InvalidFields, TooLarge
from routing.core.errors import Invalid

MOST_BYTES = 64 * 1024
BODY_TIMEOUT = 10.0
_MOST_ERRORS = 50
_EXACT = 2**53  # beyond it a float is no longer one certain integer

M = TypeVar("M", bound=BaseModel)


async def read_body(request: web.Request) -> bytes:
    """The whole body. Raises TooLarge; one that trickles in for more than 10 s is given up."""
    if (request.content_length or 0) > MOST_BYTES:
        raise TooLarge
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except web.HTTPRequestEntityTooLarge:
        raise TooLarge from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise Invalid("The body could not be read.") from error


def parse_body(model: type[M], raw: bytes) -> M:
    """Strictly: no "5" for 5. But 7.0 is an integer, as JSON Schema has it. Raises Invalid."""
    value = parse_json(raw)
    try:
        return model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise _refused(error, value) from None
    except RecursionError:
        raise Invalid("The body is nested too deeply.") from None


def parse_json(raw: bytes) -> Any:
    """Raises Invalid. Python's own parser, as it lets us say what a number is."""
    try:
        return json.loads(raw.decode(), parse_float=_number, parse_constant=_no_constant)
    except RecursionError:
        raise Invalid("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Invalid("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Invalid(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError:  # an integer of thousands of digits
        raise Invalid("The body contains a number that cannot be read.") from None


def _number(text: str) -> int | float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def _no_constant(_: str) -> Any:
    raise ValueError


def parse_query(model: type[M], pairs: Iterable[tuple[str, str]]) -> M:
    """A parameter that may be repeated is a tuple in the model. Raises Invalid, also for unknown parameters."""
    repeated = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is tuple}
    values: dict[str, Any] = {}
    for name, value in pairs:
        values[name] = (*values.get(name, ()), value) if name in repeated else value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _refused(error, values) from None


def _refused(error: ValidationError, value: Any) -> Invalid:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return InvalidFields(
        [
            FieldError(pointer(each["loc"], value, missing=each["type"] == "missing"), each["msg"])
            for each in found[:_MOST_ERRORS]
        ]
    )


def pointer(loc: Sequence[int | str], value: Any, *, missing: bool = True) -> str:
    """A JSON pointer out of pydantic's location, which also names the branches of unions: those are left out.
    `missing`: its last part is a key that should be there."""
    parts: list[str] = []
    for i, part in enumerate(loc):
        if _holds(value, part):
            value = value[part]
        elif i < len(loc) - 1 or not missing or not isinstance(value, Mapping):
            continue
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)


def _holds(value: Any, part: int | str) -> bool:
    if isinstance(value, Mapping):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)
