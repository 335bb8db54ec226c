"""One keep-alive HTTP connection that knows when a request left: no client library's time is measured."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

WITHIN = 10.0


@dataclass(frozen=True)
class Answer:
    """`sent` is time.monotonic() just before the request was written to the socket."""

    sent: float
    status: int
    content: Any


class Wire:
    """Requests one after the other. Use `await Wire.open(...)`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"Host: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"

    @classmethod
    async def open(cls, port: int, token: str = "") -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", port), token)

    async def post(self, path: str, body: object = None) -> Answer:
        """Raises AssertionError for anything but success."""
        content = json.dumps({} if body is None else body)
        request = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(content)}\r\n\r\n{content}".encode()
        sent = time.monotonic()
        self._writer.write(request)
        async with asyncio.timeout(WITHIN):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            raw = await self._reader.readexactly(_length(head))
        status = int(head.split()[1])
        assert status < 300, f"POST {path}: {status} {raw.decode()}"
        return Answer(sent, status, json.loads(raw) if raw else None)

    def close(self) -> None:
        self._writer.close()


def _length(head: str) -> int:
    lines = (line.partition(":") for line in head.split("\r\n"))
    return next((int(value) for name, _, value in lines if name == "content-length"), 0)
