"""Hands callers back to the dialplan while the service is gone: there they hear music and it is asked again."""

import asyncio
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import aiohttp
import structlog

from dialplan.words import ENTRY
from routing.local.system.credentials import Login
from routing.local.up.health import Health

log = structlog.get_logger(__name__)

PATIENCE = 30.0  # seconds without the service, after which its callers are handed back
_INTERVAL = 5.0


class Watchdog:
    """Runs beside the service, for the case that no restart helps."""

    def __init__(self, ari_url: str, login: Login, shard: str, health: Health) -> None:
        self._url = ari_url.rstrip("/") + "/ari"
        token = b64encode(f"{login.username}:{login.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}
        self._shard = shard
        self._health = health

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(max(PATIENCE - self._health.gone_for(), _INTERVAL))
            if self._health.gone_for() >= PATIENCE:
                await self.hand_back()

    async def hand_back(self) -> None:
        """Once; a failure is logged, the next round tries again."""
        try:
            async with aiohttp.ClientSession(
                headers=self._headers, timeout=aiohttp.ClientTimeout(total=10)
            ) as session:
                channels = await self._get(session, "/channels")
                for channel in waiting_callers(channels, await self._get(session, "/bridges"), self._shard):
                    async with session.post(f"{self._url}/channels/{channel}/continue") as response:
                        log.warning("caller_handed_back", channel=channel, status=response.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.error("callers_not_handed_back", error=str(error))

    async def _get(self, session: aiohttp.ClientSession, path: str) -> Any:
        async with session.get(self._url + path) as response:
            response.raise_for_status()
            return await response.json()


def waiting_callers(channels: Iterable[Any], bridges: Iterable[Any], shard: str) -> list[str]:
    """Ids of the channels that the dialplan gave to this shard's app and that talk to nobody."""
    talking = {channel for bridge in bridges if len(bridge["channels"]) > 1 for channel in bridge["channels"]}
    return [
        channel["id"]
        for channel in channels
        if channel["dialplan"].get("app_name") == "Stasis"
        and channel["dialplan"].get("app_data", "").startswith(f"{shard},{ENTRY},")
        and channel["id"] not in talking
    ]
