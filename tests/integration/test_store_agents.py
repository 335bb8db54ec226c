"""Agents and tokens as rows, on a real Postgres."""

from datetime import timedelta

import pytest

from routing.core.agents import Availability
from routing.core.errors import Invalid, NotFound
from routing.core.interaction import AgentPreferences
from routing.core.queues import Queue
from routing.store import agents, queues, tokens
from routing.store.agents import Membership, Settings
from routing.store.database import Pool


@pytest.fixture(autouse=True)
async def two_queues(pool: Pool) -> None:
    for name in ("sales", "support"):
        await queues.put(pool, Queue(name=name))


async def test_settings_are_read_back_as_they_were_put(pool: Pool) -> None:
    settings = Settings("Ada", (Membership("sales", 5), Membership("support")), ("en", "de"), "auto", True, 12.5)

    await agents.put(pool, "1001", settings)

    stored = await agents.get(pool, "1001")
    assert stored.settings == settings
    assert (stored.availability, stored.work) == (Availability.LOGGED_OUT, None)
    assert await agents.desk(pool, "1001") == (AgentPreferences(True, "auto", 12.5), False)


async def test_a_second_put_replaces_settings_and_keeps_secrets_it_does_not_name(pool: Pool) -> None:
    secrets = {"password_hash": "x", "sip_ha1": "0" * 32}
    await agents.put(pool, "1001", Settings("Ada", (Membership("sales"),)), secrets)
    await agents.put(pool, "1001", Settings("Ada L.", (Membership("support"),)), {"password_hash": None})

    assert (await agents.get(pool, "1001")).settings == Settings("Ada L.", (Membership("support"),))
    assert await agents.sip_ha1(pool, "1001") == "0" * 32
    assert await agents.password_hash(pool, "1001") == (None, Availability.LOGGED_OUT)


async def test_an_unknown_queue_is_named_and_nothing_is_stored(pool: Pool) -> None:
    with pytest.raises(Invalid) as refused:
        await agents.put(pool, "1001", Settings(queues=(Membership("sales"), Membership("nowhere"))))

    assert refused.value.pointer == "/queues/1/queue"
    with pytest.raises(NotFound):
        await agents.get(pool, "1001")


async def test_a_deleted_agent_is_gone_with_secrets_and_tokens(pool: Pool) -> None:
    await agents.put(pool, "1001", Settings(), {"sip_ha1": "0" * 32})
    token = await tokens.issue(pool, "agent", "1001")
    await agents.set_availability(pool, "1001", Availability.READY, None)
    await agents.delete(pool, "1001")

    assert await agents.sip_ha1(pool, "1001") is None
    assert await tokens.lookup(pool, tokens.hash_of(token)) is None
    assert await agents.every(pool, limit=10) == []
    with pytest.raises(NotFound):
        await agents.set_availability(pool, "1001", Availability.READY, None)

    await agents.put(pool, "1001", Settings("again"))
    assert (await agents.get(pool, "1001")).availability is Availability.LOGGED_OUT


async def test_since_moves_only_when_something_changes(pool: Pool) -> None:
    await agents.put(pool, "1001", Settings())
    stamps = []
    for reason in ("lunch", "lunch", "training"):
        await agents.set_availability(pool, "1001", Availability.NOT_READY, reason)
        stamps.append((await agents.get(pool, "1001")).since)

    assert stamps[0] == stamps[1] < stamps[2]


async def test_an_agent_is_listed_with_colleagues_only(pool: Pool) -> None:
    await agents.put(pool, "1001", Settings(queues=(Membership("sales"),)))
    await agents.put(pool, "1002", Settings(queues=(Membership("sales"), Membership("support"))))
    await agents.put(pool, "1003", Settings(queues=(Membership("support"),)))
    await agents.put(pool, "1004", Settings())

    assert [each.id for each in await agents.every(pool, limit=9)] == ["1001", "1002", "1003", "1004"]
    assert [each.id for each in await agents.every(pool, limit=9, colleagues_of="1001")] == ["1001", "1002"]
    assert [each.id for each in await agents.every(pool, limit=9, colleagues_of="1004")] == ["1004"]
    assert [each.id for each in await agents.every(pool, limit=1, after="1002")] == ["1003"]


async def test_a_token_is_found_until_it_is_revoked_or_expires(pool: Pool, dsn: str) -> None:
    await agents.put(pool, "1001", Settings(), {"password_hash": "x"})
    mine = await tokens.begin_session(pool, "1001", "x", timedelta(hours=1))
    admins = await tokens.create_token(dsn, "admin")
    short = await tokens.begin_session(pool, "1001", "x", timedelta(0))
    assert mine and short

    identity = await tokens.lookup(pool, tokens.hash_of(mine))
    assert identity and (identity.role, identity.agent) == (tokens.Role.AGENT, "1001")
    assert await tokens.lookup(pool, tokens.hash_of(admins)) == tokens.Identity(tokens.Role.ADMIN)
    assert await tokens.lookup(pool, tokens.hash_of(short)) is None

    await tokens.revoke(pool, tokens.hash_of(mine))
    assert await tokens.lookup(pool, tokens.hash_of(mine)) is None


async def test_a_token_is_not_made_for_an_agent_who_is_not_there(pool: Pool, dsn: str) -> None:
    with pytest.raises(NotFound):
        await tokens.issue(pool, "agent", "1001")
    with pytest.raises(NotFound):
        await tokens.create_token(dsn, "agent", "1001")


async def test_only_the_hash_of_a_token_is_stored(pool: Pool) -> None:
    token = await tokens.issue(pool, "admin")

    stored = await pool.fetchval("SELECT hash FROM tokens")
    assert token.encode() not in stored
    assert len(stored) == 32
