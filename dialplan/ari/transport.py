"""One pool of keep-alive connections to Asterisk's HTTP server; the counterpart is Asterisk's http.conf."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from dialplan.ari.errors import AriUnavailable, refusal

POOL_SIZE = 32
KEEP_ALIVE = 10.0  # below Asterisk's session_keep_alive (15 s), or it would close what we are about to use
HEARTBEAT = 2.0  # a PONG must follow within half of it: a dead peer is known after 3 s
CONNECT_TIMEOUT = 2.0

Socket = aiohttp.ClientWebSocketResponse[bool]


class HttpTransport:
    """Create it inside the running loop and close it there."""

    def __init__(self, url: str, username: str, password: str, timeout: float) -> None:
        token = b64encode(f"{username}:{password}".encode()).decode()
        self._base = url.rstrip("/")
        self._headers = {"Authorization": f"Basic {token}"}
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session = self._open()
        self._retired: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=POOL_SIZE, keepalive_timeout=KEEP_ALIVE),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
        )

    async def renew(self) -> None:
        """New requests open new connections: the network may have failed and the idle ones with it, which
        only shows when each runs into its deadline. Requests under way may end on the old ones."""
        if self._session.closed:
            return
        older, self._retired, self._session = self._retired, self._session, self._open()
        if older:
            await older.close()

    async def close(self) -> None:
        await self._session.close()
        if self._retired:
            await self._retired.close()

    async def send(self, method: str, path: str, query: Mapping[str, str], body: bytes | None) -> bytes:
        """The answer's body. A stale keep-alive connection is tried again once, by aiohttp, and only for
        GET, PUT and DELETE: a POST may have been obeyed."""
        url = URL(self._base + path, encoded=True).extend_query(query)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        request = f"{method} {path}"
        try:
            async with self._session.request(method, url, data=body, headers=headers) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(error, request) from error
        if response.status >= 400:
            raise refusal(response.status, _message(answer), request)
        return answer

    @asynccontextmanager
    async def events(self, app: str) -> AsyncIterator[Socket]:
        """The events websocket, registering `app`; `AriUnavailable` or `AriError` when refused."""
        query = {"app": app, "subscribeAll": "false"}
        url = URL(self._base + "/events", encoded=True).extend_query(query)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                socket = await self._session.ws_connect(
                    url,
                    heartbeat=HEARTBEAT,
                    autoping=False,  # so that PONGs come to the reader, who notes when the last one came
                    decode_text=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                )
        except aiohttp.WSServerHandshakeError as error:
            raise refusal(error.status, error.message, "GET /events") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(error, "GET /events") from error
        try:
            yield socket
        finally:
            await socket.close()


def _unavailable(error: Exception, request: str) -> AriUnavailable:
    never_sent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
    text = str(error) or type(error).__name__
    return AriUnavailable(text, request, sent=not isinstance(error, never_sent))


def _message(answer: bytes) -> str:
    try:
        decoded: Any = msgspec.json.decode(answer)
        return str(decoded.get("message") or decoded["error"])
    except (msgspec.DecodeError, KeyError, AttributeError):
        return answer[:200].decode(errors="replace")
