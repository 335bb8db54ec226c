"""The demo seed: the queues of `ivr/workflows/*.toml` and agents who serve them. What exists is left alone."""

import asyncio
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Protocol

from argon2 import PasswordHasher

from routing.core.agents import ha1
from routing.core.errors import NotFound
from routing.core.queues import Queue
from routing.store import agents, queues
from routing.store.agents import Membership, Settings
from routing.store.database import Pool, connect

SUPERVISED_BY_ALL = ("1003", "1004")
"""These demo agents serve every queue, the others the first one only."""


class Passwords(Protocol):
    @property
    def password(self) -> str: ...
    @property
    def sip_password(self) -> str: ...


def demo_queues() -> list[Queue]:
    """The queues that come with Ringback."""
    folder = files("ivr") / "workflows"
    texts = sorted((each.name, each.read_text(encoding="utf-8")) for each in folder.iterdir())
    return [Queue.model_validate(tomllib.loads(text)) for name, text in texts if name.endswith(".toml")]


async def seed_demo(dsn: str, passwords: Mapping[str, Passwords]) -> None:
    """`passwords` by agent id."""
    pool = await connect(dsn, size=2)
    try:
        for queue in demo_queues():
            await _seed_queue(pool, queue)
        for agent_id, words in passwords.items():
            await _seed_agent(pool, agent_id, words)
    finally:
        await pool.close()


async def _seed_queue(pool: Pool, queue: Queue) -> None:
    try:
        await queues.get(pool, queue.name)
    except NotFound:
        await queues.put(pool, queue)


async def _seed_agent(pool: Pool, agent_id: str, words: Passwords) -> None:
    try:
        await agents.get(pool, agent_id)
        return
    except NotFound:
        pass
    serves = [queue.name for queue in demo_queues()]
    if agent_id not in SUPERVISED_BY_ALL:
        serves = [name for name in serves if name == "support"]
    settings = Settings(name=f"Agent {agent_id}", queues=tuple(Membership(name) for name in serves))
    secrets = {
        "password_hash": await asyncio.to_thread(PasswordHasher().hash, words.password),
        "sip_ha1": ha1(agent_id, words.sip_password),
    }
    await agents.put(pool, agent_id, settings, secrets)
