"""Runs a coroutine until it ends or a signal asks it to: SIGINT, SIGTERM and SIGHUP cancel it, once."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

import uvloop

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_signal(main: Coroutine[Any, Any, None]) -> None:
    """Being asked to end is a normal end; the coroutine cleans up when it is cancelled."""
    uvloop.run(_until_signal(main))


async def _until_signal(main: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main)
    asked = False

    def ask() -> None:
        nonlocal asked
        if not asked:  # a second Ctrl-C must not cut the cleaning up short
            asked = True
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, ask)
    with contextlib.suppress(asyncio.CancelledError):
        await task
