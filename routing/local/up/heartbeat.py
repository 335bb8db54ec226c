"""Asterisk's pulse, seen from `up`: its HTTP server, which answers whatever else it does. The service has its own
(health.py), and is given less time: it serves nobody while it hangs, and takes no call with it when it is ended.
"""

import asyncio

import aiohttp

from routing.local.system.credentials import Login

_EVERY = 0.5  # seconds between looks
_PATIENCE = 1.5  # seconds for an answer
_MISSES = 5  # looks in a row without one: ten seconds in all, as a busy Asterisk is slow and alive


async def until_hung(ari_url: str, login: Login, *, every: float = _EVERY, patience: float = _PATIENCE) -> None:
    """Return when what listens there has stopped answering. Any answer is one, a refusal too; who refuses the
    connection is full or dead, and the dead are seen elsewhere."""
    headers = {"Authorization": aiohttp.encode_basic_auth(login.username, login.password)}
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(total=patience)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        misses = 0
        while misses < _MISSES:
            await asyncio.sleep(every)
            misses = 0 if await _answers(session, f"{ari_url}/asterisk/ping") else misses + 1


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url):
            return True
    except TimeoutError:
        return False
    except (aiohttp.ClientError, OSError):
        return True
