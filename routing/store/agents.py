"""Agents as rows: settings, what they chose to be, the queues they serve, and their secrets (hashes only)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from routing.core.agents import Availability, Work
from routing.core.errors import AgentBusy, Invalid, NotFound
from routing.core.interaction import AgentPreferences
from routing.store.database import Pool, connection, transaction


@dataclass(frozen=True, slots=True)
class Membership:
    """A queue an agent serves; agents of lower penalty are asked first."""

    queue: str
    penalty: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator decides about an agent. None: the queue's own setting applies."""

    name: str = ""
    queues: tuple[Membership, ...] = ()
    skills: tuple[str, ...] = ()
    accept_mode: str | None = None
    auto_answer: bool = False
    wrap_up: float | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent with what they do now. `since`: of the work if there is some, else of the availability."""

    id: str
    settings: Settings
    availability: Availability
    reason: str | None
    since: datetime
    work: Work | None = None
    interaction: UUID | None = None

    @property
    def queues(self) -> frozenset[str]:
        return frozenset(each.queue for each in self.settings.queues)


AGENT = """
SELECT a.id, a.name, a.skills, a.accept_mode, a.auto_answer, a.wrap_up, a.availability, a.reason,
       coalesce(w.wrap_up_at, w.busy_at, w.started_at, a.since) AS since, w.state AS work, w.interaction,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('queue', q.queue, 'penalty', q.penalty) ORDER BY q.queue), '[]')
          FROM agent_queues q WHERE q.agent = a.id) AS queues
  FROM agents a LEFT JOIN assignments w ON w.agent = a.id AND w.ended_at IS NULL
 WHERE a.deleted_at IS NULL
"""

# A deleted agent of that id comes back logged out; of one who works only the settings change.
_PUT = """
INSERT INTO agents AS a (id, name, skills, accept_mode, auto_answer, wrap_up, password_hash, sip_ha1)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb ->> 'password_hash', $7::jsonb ->> 'sip_ha1')
ON CONFLICT (id) DO UPDATE SET
       name = excluded.name, skills = excluded.skills, accept_mode = excluded.accept_mode,
       auto_answer = excluded.auto_answer, wrap_up = excluded.wrap_up, deleted_at = NULL,
       password_hash = CASE WHEN $7::jsonb ? 'password_hash' THEN excluded.password_hash ELSE a.password_hash END,
       sip_ha1       = CASE WHEN $7::jsonb ? 'sip_ha1' THEN excluded.sip_ha1 ELSE a.sip_ha1 END
"""


async def put(pool: Pool, agent_id: str, settings: Settings, secrets: Mapping[str, str | None] | None = None) -> None:
    """Create or change an agent. `secrets` may name `password_hash` and `sip_ha1`; what it does not name is kept.

    A changed password ends the agent's sessions. Raises Invalid for an unknown queue.
    """
    async with transaction(pool) as c:
        await put_in(c, agent_id, settings, secrets or {})


async def put_in(c: Any, agent_id: str, settings: Settings, secrets: Mapping[str, str | None]) -> None:
    """The same, within a transaction."""
    await _find_queues(c, settings.queues)
    await c.execute(
        _PUT,
        agent_id,
        settings.name,
        list(settings.skills),
        settings.accept_mode,
        settings.auto_answer,
        settings.wrap_up,
        dict(secrets),
    )
    await _set_queues(c, agent_id, settings.queues)
    if "password_hash" in secrets:
        await c.execute("DELETE FROM tokens WHERE agent = $1 AND expires_at IS NOT NULL", agent_id)


async def set_sip_ha1(pool: Pool, agent_id: str, ha1: str) -> None:
    """Raises NotFound."""
    async with connection(pool) as c:
        done = await c.execute("UPDATE agents SET sip_ha1 = $2 WHERE id = $1 AND deleted_at IS NULL", agent_id, ha1)
    if done != "UPDATE 1":
        raise NotFound("There is no such agent.")


async def _find_queues(c: Any, queues: tuple[Membership, ...]) -> None:
    """They are there, and none is deleted before the commit. Asked first: `apply` has queues before agents too."""
    names = [each.queue for each in queues]
    known = await c.fetch(
        "SELECT name FROM queues WHERE name = ANY($1) AND deleted_at IS NULL ORDER BY name FOR KEY SHARE", names
    )
    unknown = set(names) - {row["name"] for row in known}
    for i, name in enumerate(names):
        if name in unknown:
            raise Invalid(f"There is no queue {name}.", f"/queues/{i}/queue")


async def _set_queues(c: Any, agent_id: str, queues: tuple[Membership, ...]) -> None:
    names = [each.queue for each in queues]
    await c.execute("DELETE FROM agent_queues WHERE agent = $1 AND queue <> ALL($2)", agent_id, names)
    await c.execute(
        "INSERT INTO agent_queues (agent, queue, penalty) SELECT $1, * FROM unnest($2::text[], $3::int[])"
        " ON CONFLICT (agent, queue) DO UPDATE SET penalty = excluded.penalty",
        agent_id,
        names,
        [each.penalty for each in queues],
    )


async def get(pool: Pool, agent_id: str) -> Agent:
    """Raises NotFound."""
    async with connection(pool) as c:
        row = await c.fetchrow(f"{AGENT} AND a.id = $1", agent_id)
    if row is None:
        raise NotFound("There is no such agent.")
    return _agent(row)


async def some(pool: Pool, ids: Iterable[str]) -> list[Agent]:
    """Those of these agents there are."""
    async with connection(pool) as c:
        return [_agent(row) for row in await c.fetch(f"{AGENT} AND a.id = ANY($1)", list(ids))]


async def every(pool: Pool, *, limit: int, after: str = "", colleagues_of: str | None = None) -> list[Agent]:
    """Up to `limit` agents by id, those after `after`; only the agent and those who share a queue with them."""
    async with connection(pool) as c:
        rows = await c.fetch(
            f"{AGENT} AND a.id > $1 AND ($2::text IS NULL OR a.id = $2 OR EXISTS ("
            "SELECT FROM agent_queues theirs JOIN agent_queues mine USING (queue)"
            " WHERE theirs.agent = a.id AND mine.agent = $2)) ORDER BY a.id LIMIT $3",
            after,
            colleagues_of,
            limit,
        )
    return [_agent(row) for row in rows]


async def queues_of(pool: Pool, agent_id: str) -> frozenset[str]:
    """The queues an agent serves."""
    async with connection(pool) as c:
        rows = await c.fetch("SELECT queue FROM agent_queues WHERE agent = $1", agent_id)
    return frozenset(row["queue"] for row in rows)


async def delete(pool: Pool, agent_id: str) -> None:
    """Gone, with secrets, queues and tokens; the story keeps the id. Raises NotFound, AgentBusy."""
    async with transaction(pool) as c:
        if not await c.fetchval("SELECT id FROM agents WHERE id = $1 AND deleted_at IS NULL FOR UPDATE", agent_id):
            raise NotFound("There is no such agent.")
        if await c.fetchval("SELECT agent FROM assignments WHERE agent = $1 AND ended_at IS NULL", agent_id):
            raise AgentBusy
        await c.execute("DELETE FROM agent_queues WHERE agent = $1", agent_id)
        await c.execute("DELETE FROM tokens WHERE agent = $1", agent_id)
        await c.execute(
            "UPDATE agents SET deleted_at = now(), password_hash = NULL, sip_ha1 = NULL,"
            " since = CASE WHEN availability <> 'logged_out' OR reason IS NOT NULL THEN now() ELSE since END,"
            " availability = 'logged_out', reason = NULL WHERE id = $1",
            agent_id,
        )


# `idle_since` starts when an agent becomes ready: who was away has not been waiting for work.
_SET_AVAILABILITY = """
UPDATE agents SET
       idle_since   = CASE WHEN $2 = 'ready' AND availability <> 'ready' THEN now() ELSE idle_since END,
       since        = CASE WHEN (availability, reason) IS DISTINCT FROM ($2, $3) THEN now() ELSE since END,
       availability = $2,
       reason       = $3
 WHERE id = $1 AND deleted_at IS NULL
RETURNING id
"""


async def set_availability(pool: Pool, agent_id: str, availability: Availability, reason: str | None) -> None:
    """What the agent is willing to do from now on. Raises NotFound."""
    async with connection(pool) as c:
        if await c.fetchval(_SET_AVAILABILITY, agent_id, availability, reason) is None:
            raise NotFound("There is no such agent.")


async def desk(pool: Pool, agent_id: str) -> tuple[AgentPreferences, bool]:
    """The settings an interaction takes along, and whether the agent has work already. Raises NotFound."""
    async with connection(pool) as c:
        row = await c.fetchrow(
            "SELECT auto_answer, accept_mode, wrap_up,"
            "       EXISTS (SELECT FROM assignments w WHERE w.agent = a.id AND w.ended_at IS NULL) AS busy"
            "  FROM agents a WHERE id = $1 AND deleted_at IS NULL",
            agent_id,
        )
    if row is None:
        raise NotFound("There is no such agent.")
    return AgentPreferences(row["auto_answer"], row["accept_mode"], row["wrap_up"]), row["busy"]


async def offered_interaction(pool: Pool, agent_id: str) -> UUID | None:
    """What the agent is being offered."""
    async with connection(pool) as c:
        found: UUID | None = await c.fetchval(
            "SELECT interaction FROM assignments WHERE agent = $1 AND ended_at IS NULL AND state = 'offered'",
            agent_id,
        )
    return found and UUID(str(found))


async def password_hash(pool: Pool, agent_id: str) -> tuple[str | None, Availability | None]:
    """For a login: the hash to verify and what the agent is now. Both None when there is no such agent."""
    async with connection(pool) as c:
        row = await c.fetchrow(
            "SELECT password_hash, availability FROM agents WHERE id = $1 AND deleted_at IS NULL", agent_id
        )
    return (row["password_hash"], Availability(row["availability"])) if row else (None, None)


async def sip_ha1(pool: Pool, agent_id: str) -> str | None:
    """The digest secret of the agent's phone; None without one."""
    async with connection(pool) as c:
        found: str | None = await c.fetchval(
            "SELECT sip_ha1 FROM agents WHERE id = $1 AND deleted_at IS NULL", agent_id
        )
    return found


async def sip_accounts(pool: Pool, live: Iterable[str]) -> list[str]:
    """Every agent with a phone, and of those in `live` who have none any more; first those who are logged in."""
    async with connection(pool) as c:
        rows = await c.fetch(
            "SELECT id FROM agents WHERE (sip_ha1 IS NOT NULL AND deleted_at IS NULL) OR id = ANY($1)"
            " ORDER BY availability = 'logged_out', id",
            list(live),
        )
    return [row["id"] for row in rows]


def settings_of(row: Any) -> Settings:
    """Of a row of AGENT."""
    return Settings(
        name=row["name"],
        queues=tuple(Membership(**each) for each in row["queues"]),
        skills=tuple(row["skills"]),
        accept_mode=row["accept_mode"],
        auto_answer=row["auto_answer"],
        wrap_up=row["wrap_up"],
    )


def _agent(row: Any) -> Agent:
    return Agent(
        id=row["id"],
        settings=settings_of(row),
        availability=Availability(row["availability"]),
        reason=row["reason"],
        since=row["since"],
        work=Work(row["work"]) if row["work"] else None,
        interaction=UUID(str(row["interaction"])) if row["interaction"] else None,
    )
