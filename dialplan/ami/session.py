"""One AMI connection by panoramisk 1.4, with guards for what that version does (measured); used by `client`.

- It replays unanswered actions after a reconnect: a session here never reconnects, `client` opens a new one.
- No action has a deadline, a mute server is never noticed: `ask` has one, and `client` pings.
- A raising callback drops the connection: handlers are contained.
- The secret would stand in its log when a write fails: the login is by challenge.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from panoramisk import Manager

log = structlog.get_logger(__name__)
ANSWER_WITHIN = 2.0
CONNECT_WITHIN = 2.0

Fields = Mapping[str, str]
Handler = Callable[[Fields], None]


class AmiLost(Exception):
    """The connection ended, or Asterisk did not answer in time."""


class AmiRefused(Exception):
    """Asterisk said no: wrong user or secret, missing rights or module."""


class _OneConnection(Manager):  # type: ignore[misc]  # panoramisk has no types
    """Reports its end in `ended` instead of connecting again."""

    def __init__(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(host=host, port=port, loop=loop)
        self.ended: asyncio.Future[None] = loop.create_future()

    def connection_made(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled() or task.exception():
            return
        super().connection_made(task)
        self.pinger.cancel()  # its pings have no deadline

    def connection_lost(self, _reason: object) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class AmiSession:
    """Open it, `ask` it, `close` it; all in the running loop."""

    def __init__(self, host: str, port: int) -> None:
        self._manager = _OneConnection(host, port)

    async def open(self, username: str, secret: str) -> None:
        """Raises AmiLost or AmiRefused."""
        connecting = self._manager.connect()
        try:
            async with asyncio.timeout(CONNECT_WITHIN):  # wait_for may swallow a cancellation (Python 3.11)
                await connecting
        except (OSError, TimeoutError) as error:
            raise AmiLost(str(error) or "no connection in time") from error
        challenge = await self.ask("Challenge", AuthType="MD5")
        key = hashlib.md5((challenge["Challenge"] + secret).encode(), usedforsecurity=False).hexdigest()
        await self.ask("Login", AuthType="MD5", Username=username, Key=key)

    def on(self, event: str, handler: Handler) -> None:
        """Calls `handler` with the event's fields; what it raises is logged, the connection lives on."""

        def contained(_manager: object, message: Any) -> None:
            try:
                handler(dict(message))
            except Exception:
                log.exception("ami handler failed", ami_event=event)

        self._manager.register_event(event, contained)

    async def ask(self, action: str, **fields: str) -> Fields:
        """The first answer; a list's entries come as events, in the order of all others."""
        for value in fields.values():
            if "\r" in value or "\n" in value:
                raise ValueError(f"{action}: line break in a value")
        future = self._manager.send_action({"Action": action, **fields}, as_list=False)
        await asyncio.wait({future, self._manager.ended}, timeout=ANSWER_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise AmiLost("connection ended" if self.ended else f"no answer to {action}")
        answer = future.result()
        if "shutting down" in answer.message:  # it says so to whom logs in then, too
            raise AmiLost(answer.message)
        if not answer.success:
            raise AmiRefused(f"{action}: {answer.message}")
        return dict(answer)

    @property
    def ended(self) -> bool:
        return self._manager.ended.done()

    async def wait_ended(self, timeout: float) -> bool:  # noqa: ASYNC109  # asks, does not raise
        await asyncio.wait({self._manager.ended}, timeout=timeout)
        return self.ended

    async def close(self) -> None:
        """Cuts the connection; a peer that does not read cannot hold it open."""
        if self._manager.protocol is None:
            return
        self._manager.protocol.transport.abort()
        await self.wait_ended(ANSWER_WITHIN)
