"""Waiting for signals: conditions that others make true, and deadlines that explain themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from demo.sip.errors import SipError, SipTimeout

T = TypeVar("T")


class Changes:
    """Whoever changes state calls `notify`; whoever waits says what for."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[Any], Callable[[], Any]] = {}

    async def until(self, value: Callable[[], T | None]) -> T:
        """The first value that is not None. A SipError that `value` raises ends the wait too."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        _check(future, value)
        self._waiting[future] = value
        try:
            return await future
        finally:
            del self._waiting[future]

    def notify(self) -> None:
        for future, value in list(self._waiting.items()):
            if not future.done():
                _check(future, value)


def _check(future: asyncio.Future[T], value: Callable[[], T | None]) -> None:
    try:
        result = value()
    except SipError as error:
        future.set_exception(error)
    else:
        if result is not None:
            future.set_result(result)


@asynccontextmanager
async def deadline(seconds: float, explain: Callable[[], str]) -> AsyncIterator[None]:
    """Raises SipTimeout with the explanation, written only when it is needed."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise SipTimeout(f"not within {seconds:g} s: {explain()}") from None
