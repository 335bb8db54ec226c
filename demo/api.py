"""A small client of the HTTP API for the demo, the acceptance tests and the bench."""

import asyncio
from typing import Any, Self

import aiohttp

TOO_MANY, SOON = 429, "1"


class Refused(AssertionError):
    """The API said no: `status` and the fixed `code` of the problem document, and when to come back."""

    def __init__(self, method: str, path: str, status: int, problem: Any, retry_after: str | None = None) -> None:
        super().__init__(f"{method} {path}: {status} {problem}")
        self.status = status
        self.retry_after = retry_after
        self.code = problem.get("code") if isinstance(problem, dict) else None


class Api:
    """`url` is the service's root. Every answer is its JSON; every refusal raises Refused."""

    def __init__(self, url: str, token: str) -> None:
        self.headers = {"Authorization": f"Bearer {token}"}
        self._session = aiohttp.ClientSession(
            f"{url}/api/v1/",
            headers=self.headers,
            timeout=aiohttp.ClientTimeout(total=30),
            connector=aiohttp.TCPConnector(limit=200),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str) -> Any:
        return await self._send("GET", path, params=query)

    async def post(self, path: str, body: object = None) -> Any:
        return await self._send("POST", path, json={} if body is None else body)

    async def put(self, path: str, body: object) -> Any:
        return await self._send("PUT", path, json=body)

    async def delete(self, path: str) -> Any:
        return await self._send("DELETE", path)

    def stream(self) -> Any:
        """The live stream, as a context manager of a websocket."""
        return self._session.ws_connect("stream", max_msg_size=0)

    async def _send(self, method: str, path: str, **options: Any) -> Any:
        """Dozens watch through one token here: who made one request too many in a second asks again."""
        while True:
            async with self._session.request(method, path, **options) as response:
                answer = await response.json(content_type=None) if response.content_length != 0 else None
                if response.status < 400:
                    return answer
                later = response.headers.get("Retry-After")
                if response.status != TOO_MANY or later != SOON or path == "login":
                    raise Refused(method, path, response.status, answer, later)
            await asyncio.sleep(0.05)
