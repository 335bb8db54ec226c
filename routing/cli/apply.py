"""`ringback apply`: makes Postgres say what the files say, in one transaction, and shows every change before.

What the files do not name stays as it is. A running service follows within a second (routing/engine/apply_watch.py).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from routing.api.agents import bodies
from routing.api.agents.routes import settings_of
from routing.cli.site_files import Site, read
from routing.core.agents import ha1
from routing.core.errors import Invalid
from routing.core.queues import Queue
from routing.runtime.passwords import Passwords
from routing.store import agents, applied, queues
from routing.store.database import Pool, close, connect

Say = Callable[[str], None]


class _DryRun(Exception):
    """Rolls back what was only tried."""


async def apply(dsn: str, path: Path, say: Say, *, dry_run: bool) -> None:
    """Raises WrongFile with file and key; then nothing is changed."""
    site = read(path)
    pool = await connect(dsn, size=2)
    try:
        hashes = await _new_hashes(pool, site)
        try:
            async with applied.applying(pool) as c:
                await _apply(c, site, hashes, say)
                if dry_run:
                    raise _DryRun
        except _DryRun:
            say("nothing was changed: this was a dry run")
    finally:
        await close(pool)


async def _apply(c: Any, site: Site, hashes: Mapping[str, str], say: Say) -> None:
    """Queues first, as agents name them. What Postgres refuses is told with its place in the files."""
    changed_queues = await _queues(c, site, say)
    changed_agents = await _agents(c, site, hashes, say)
    numbers = {number: entry.value.reason for number, entry in site.do_not_call.items()}
    added = await applied.do_not_call(c, numbers, "apply")
    if numbers:
        say(f"do_not_call: {len(added)} created, {len(numbers) - len(added)} unchanged")
    if changed_queues or changed_agents or added:
        await applied.note(c, changed_queues, changed_agents, added)


async def _queues(c: Any, site: Site, say: Say) -> list[str]:
    before = await applied.queues_now(c, site.queues)
    changes = {name: _difference(before.get(name), entry.value) for name, entry in site.queues.items()}
    changed = [name for name, lines in changes.items() if name not in before or lines]
    for name, lines in changes.items():
        _tell(say, f"queue {name}", name in before, lines)
    await applied.release_numbers(c, changed)
    for name in changed:
        try:
            await queues.put_in(c, site.queues[name].value)
        except Invalid as error:
            raise site.queues[name].refused(error) from None
    return changed


async def _agents(c: Any, site: Site, hashes: Mapping[str, str], say: Say) -> list[str]:
    before = await applied.agents_now(c, site.agents)
    changed = []
    for agent, entry in site.agents.items():
        try:
            settings = settings_of(entry.value)
            secrets, lines = _secrets(agent, entry.value, hashes, before.get(agent, ({}, None))[1])
            if agent in before:
                lines = [*differences(before[agent][0], applied.as_table(settings)), *lines]
            _tell(say, f"agent {agent}", agent in before, lines)
            if agent not in before or lines:
                await agents.put_in(c, agent, settings, secrets)
                changed.append(agent)
        except Invalid as error:
            raise entry.refused(error) from None
    return changed


def _secrets(
    agent: str, sent: bodies.Agent, hashes: Mapping[str, str], ha1_now: str | None
) -> tuple[dict[str, str | None], list[str]]:
    """What to store, and lines that name what changes without telling it."""
    secrets: dict[str, str | None] = {}
    if agent in hashes:
        secrets["password_hash"] = hashes[agent]
    if sent.sip_password is not None and (new := ha1(agent, sent.sip_password)) != ha1_now:
        secrets["sip_ha1"] = new
    shown = {"password_hash": "password", "sip_ha1": "sip_password"}
    return secrets, [f"{shown[name]}: (secret) -> (another)" for name in secrets]


async def _new_hashes(pool: Pool, site: Site) -> dict[str, str]:
    """Of the agents whose password is not the one they have. Before the transaction: each takes some 50 ms."""
    passwords, new = Passwords(), {}
    for agent, entry in site.agents.items():
        if (password := entry.value.password) is None:
            continue
        hashed, _ = await agents.password_hash(pool, agent)
        if hashed is None or not await passwords.verify(hashed, password):
            new[agent] = await passwords.hash(password)
    return new


def _tell(say: Say, what: str, there: bool, lines: list[str]) -> None:
    say(f"{what}: {('changed' if lines else 'unchanged') if there else 'created'}")
    for line in lines if there else ():
        say(f"  {line}")


def _difference(before: Queue | None, after: Queue) -> list[str]:
    return list(differences(before.model_dump(mode="json"), after.model_dump(mode="json"))) if before else []


def differences(before: Mapping[str, Any], after: Mapping[str, Any], key: str = "") -> Iterator[str]:
    """`key: old -> new` for every key that differs, tables by their parts."""
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{key}{name}.")
        elif old != new:
            yield f"{key}{name}: {json.dumps(old, ensure_ascii=False)} -> {json.dumps(new, ensure_ascii=False)}"
