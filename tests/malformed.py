"""What nobody should send to the API; tests/integration throw it at the API alone, tests/faults beside calls."""

import re
from collections.abc import Iterator

from routing.api.app import routes

BODIES: dict[str, bytes] = {
    "empty": b"",
    "not json": b"{",
    "not an object": b"[]",
    "null": b"null",
    "not utf-8": b'{"name": "\xff\xfe"}',
    "nul": b'{"name": "\\u0000", "note": "\\u0000", "reason": "\\u0000", "user": "\\u0000", "title": "\\u0000"}',
    "lone surrogate": b'{"name": "\\ud800", "note": "\\ud800", "user": "\\udfff", "password": "\\ud800"}',
    "surrogate key": b'{"\\ud800": 1}',
    "huge integer": b'{"wrap_up": ' + b"9" * 5000 + b"}",
    "large integer": b'{"wrap_up": ' + b"9" * 400 + b', "priority": ' + b"9" * 30 + b"}",
    "infinite": b'{"wrap_up": 1e999}',
    "nan": b'{"wrap_up": NaN}',
    "deep list": b"[" * 30_000 + b"]" * 30_000,
    "deep object": b'{"name":' * 8_000 + b"1" + b"}" * 8_000,
    "deep in a field": b'{"name": "sales", "hours": ' + b'{"mon":' * 500 + b"[]" + b"}" * 500 + b"}",
    "wrong types": b'{"name": 1, "queues": {}, "state": [], "user": {}, "password": [1], "disposition": 7.5}',
    "odd text": '{"name": "💥\u202e‮", "user": "\u0130", "password": "ß"}'.encode(),
    "twice": b'{"name": "a", "name": "b", "state": "ready", "state": 1}',
    "byte order mark": b'\xef\xbb\xbf{"name": "sales"}',
}
NAMES = [
    "%00",
    "..",
    "%2e%2e%2f",
    "a" * 5000,
    "%F0%9F%92%A5",
    "%ff",
    "%ED%A0%80",
    "'; DROP TABLE agents; --",
    "%",
    "{}",
]
QUERIES = ["limit=0", "limit=201", "limit=x", "limit=%00", "limit=" + "9" * 5000, "cursor=%00", "cursor=%ff", "x=1",
           "status=nope", "number=%00", "q=%00", "q=%ED%A0%80", "order=", "limit=1&limit=2", "&&==&",
           "q=" + "a" * 5000, "after=1e9", "queue=%00", "assigned_to=%00", "limit=%D9%A3"]  # fmt: skip


def everything(name: str) -> Iterator[tuple[str, str, str]]:
    """Each route with `name` in its path, and who may use it. Not logout: nobody would get past the door after it."""
    for path, route in routes():
        if path.endswith("/logout"):
            continue
        who = "admin" if "admin" in route.roles else "1002"
        yield route.method, re.sub(r"{\w+}", lambda _: name, path), who
