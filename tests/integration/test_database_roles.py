"""What each role may do in the database, and what it may not: every forbidden thing is tried."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from routing.local.postgres.server import Postgres
from routing.main import serve
from routing.runtime.settings import Settings
from routing.store import roles
from routing.store.database import StatementRefused, connect, connection
from routing.store.migrate import SchemaBehind, bring_up_to_date, migrate, require_current
from routing.store.roles import PRIVACY, REPORTS, SERVICE, MayTooLittle
from routing.store.seed import seed_demo

Connection = Any
CALLBACK = """
INSERT INTO interactions (id, shard, version, status, subtype, queue, queue_version, number, name, note,
    dialled_number, desk, priority, front, entered_at, queued_at, case_data, waiting, deadlines, excluded, legs_asked,
    lines, requested_at, closed_at, outcome)
VALUES ('00000000-0000-4000-8000-000000000001', 'test', 1, 'closed', 'callback', 'support', 1, '+4915112345678',
    'Eva', 'a note', '600', '{}', 0, false, now(), now(), '{"a": 1}', '[]', '{}', '[]', 1, 1, now(), now(), 'handled')
"""
ID = "'00000000-0000-4000-8000-000000000001'"
ATTEMPT = "repeat('a', 32)"


@asynccontextmanager
async def as_role(dsn: str, role: str) -> AsyncIterator[Connection]:
    c = await asyncpg.connect(of_role(dsn, role))
    try:
        yield c
    finally:
        await c.close()


def of_role(dsn: str, role: str) -> str:
    return re.sub(r"user=\w+", f"user={role}", dsn)


@pytest.fixture
async def site(dsn: str) -> str:
    """A database with a queue, an agent, and one closed callback with its story."""
    await migrate(dsn)  # the rights on a database itself are not copied with it
    await seed_demo(of_role(dsn, SERVICE), {})
    async with as_role(dsn, SERVICE) as c:
        await c.execute("INSERT INTO shards (name) VALUES ('test')")
        await c.execute("INSERT INTO agents (id, name, sip_ha1) VALUES ('1001', 'Adam', repeat('0', 32))")
        await c.execute(CALLBACK)
        await c.execute(
            f"INSERT INTO legs (id, interaction, role, party, state) VALUES ('l', {ID}, 'caller', 'x', 'up')"
        )
        await c.execute(
            "INSERT INTO attempts (id, interaction, n, agent, started_at, ended_at, outcome)"
            f" VALUES ({ATTEMPT}, {ID}, 1, '1001', now(), now(), 'answered')"
        )
        await c.execute(
            "INSERT INTO feed (interaction, seq, at, event, actor, status, data)"
            f" VALUES ({ID}, 1, now(), 'closed', 'engine', 'closed', '{{}}')"
        )
        await c.execute("INSERT INTO tokens (hash, role) VALUES ('x', 'admin')")
        await c.execute("INSERT INTO do_not_call (number, added_by) VALUES ('+4930123456', 'x')")
        await c.execute("INSERT INTO idempotency_keys (who, key, request, epoch) VALUES ('x', 'k', 'r', 1)")
        await c.execute("INSERT INTO applied (queues, agents, numbers) VALUES ('{}', '{}', '{}')")
    return dsn


def tables() -> list[str]:
    """Of the schema as it is now."""
    scripts = [each.read_text() for each in (files("routing.store") / "migrations").iterdir()]
    made = {name for sql in scripts for name in re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", sql, re.M)}
    dropped = {name for sql in scripts for name in re.findall(r"^DROP TABLE (?:IF EXISTS )?(\w+)", sql, re.M)}
    return sorted((made | {"schema_migrations"}) - dropped)


TABLES = tables()
SCHEMA = (
    "CREATE TABLE mine (x int)",
    "CREATE TEMPORARY TABLE mine (x int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE feed ADD COLUMN mine int",
    "ALTER TABLE feed DISABLE TRIGGER ALL",
    "DROP TABLE feed",
    "CREATE INDEX mine ON interactions (id)",
    "DROP INDEX one_pending_callback",
    "CREATE TRIGGER mine BEFORE INSERT ON feed EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "ALTER TABLE feed OWNER TO CURRENT_USER",
    "SET ROLE ringback",
    "SET session_replication_role = replica",
    "CREATE ROLE mine",
    "ALTER ROLE ringback_reports SUPERUSER",
    "CREATE DATABASE mine",
    "COPY agents TO '/tmp/mine'",
    "COPY agents FROM PROGRAM 'true'",
    "SELECT pg_read_file('PG_VERSION')",
    "ALTER SYSTEM SET fsync = off",
    "SELECT * FROM pg_authid",
)
HISTORY = (
    "UPDATE feed SET data = '{}'",
    "UPDATE feed SET at = now()",
    "DELETE FROM feed",
    "INSERT INTO feed (cursor, interaction, seq, at, event, actor, status, data) OVERRIDING SYSTEM VALUE"
    f" VALUES (7, {ID}, 7, now(), 'x', 'x', 'x', '{{}}')",
    "DELETE FROM interactions",
    "UPDATE attempts SET agent = '1001'",
    "UPDATE attempts SET started_at = now()",
    "DELETE FROM attempts",
    "UPDATE legs SET party = 'y'",
    "DELETE FROM legs",
    "UPDATE queue_versions SET config = '{}'",
    "DELETE FROM queue_versions",
    "DELETE FROM queues",
    "UPDATE do_not_call SET number = '+4930999999'",
    "UPDATE do_not_call SET added_by = 'somebody else'",
    "DELETE FROM do_not_call",
    "UPDATE applied SET at = now()",
    "DELETE FROM applied",
    "INSERT INTO applied (at, queues, agents, numbers) VALUES ('epoch', '{}', '{}', '{}')",
    "DELETE FROM agents",
    "UPDATE tokens SET role = 'admin'",
    "UPDATE schema_migrations SET checksum = 'x'",
    "INSERT INTO schema_migrations (name, checksum) VALUES ('x', 'x')",
    *(f"TRUNCATE {table} CASCADE" for table in TABLES),
)
PERSONAL = (
    "SELECT number FROM interactions",
    "SELECT name FROM interactions",
    "SELECT note FROM interactions",
    "SELECT case_data FROM interactions",
    "SELECT * FROM interactions",
    "SELECT party FROM legs",
    "SELECT data FROM feed",
    "SELECT sip_ha1 FROM agents",
    "SELECT password_hash FROM agents",
    "SELECT FROM tokens",
    "SELECT FROM idempotency_keys",
    "SELECT FROM do_not_call",
    "SELECT FROM applied",
)
WRITES = (
    "UPDATE interactions SET status = 'open'",
    "UPDATE interactions SET outcome = 'abandoned'",
    "UPDATE agents SET name = 'x'",
    "UPDATE shards SET until = now()",
    "UPDATE legs SET state = 'up'",
    "UPDATE feed SET data = '{}'",
    *(f"INSERT INTO {table} DEFAULT VALUES" for table in TABLES),
    *(f"DELETE FROM {table}" for table in TABLES if table != "idempotency_keys"),
    *(f"TRUNCATE {table} CASCADE" for table in TABLES),
)
FORBIDDEN = {
    SERVICE: (*SCHEMA, *HISTORY),
    PRIVACY: (
        *SCHEMA,
        *WRITES,
        "SELECT FROM feed",
        "SELECT FROM tokens",
        "SELECT FROM agents",
        "UPDATE legs SET id = 'y'",
    ),
    REPORTS: (*SCHEMA, *WRITES, *PERSONAL, "UPDATE interactions SET name = NULL", "DELETE FROM idempotency_keys"),
}


@pytest.mark.parametrize("role", FORBIDDEN)
async def test_what_is_forbidden_to_a_role_is_refused_each_thing_tried(site: str, role: str) -> None:
    let = []
    async with as_role(site, role) as c:
        for statement in FORBIDDEN[role]:
            try:
                await c.execute(statement)
                let.append(statement)
            except asyncpg.InsufficientPrivilegeError:
                pass
            except asyncpg.PostgresError as error:
                let.append(f"{statement}: {error}")
    assert let == []


@pytest.mark.parametrize("role", [SERVICE, PRIVACY, REPORTS])
async def test_no_role_can_become_more_than_it_is(site: str, role: str) -> None:
    async with as_role(site, role) as c:
        row = await c.fetchrow(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"
            " WHERE rolname = current_user"
        )
        assert not any(row.values())
        assert await c.fetchval("SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole") == 0
        assert await c.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole") == 0


async def test_nobody_else_may_even_connect(site: str, postgres: Postgres) -> None:
    async with as_role(site, "ringback") as c:
        connects = await c.fetchval("SELECT has_database_privilege('pg_monitor', current_database(), 'CONNECT')")
        assert connects is False


async def test_privacy_erases_what_is_personal_and_leaves_the_story(site: str) -> None:
    async with as_role(site, PRIVACY) as c:
        await c.execute(
            "UPDATE interactions SET name = NULL, note = NULL, instructions = NULL, case_data = '{}'"
            " WHERE closed_at < now()"
        )
        await c.execute(
            "UPDATE legs SET party = '' FROM interactions i WHERE i.id = interaction AND i.number IS NOT NULL"
        )
        await c.execute("DELETE FROM idempotency_keys WHERE created_at < now()")
    async with as_role(site, SERVICE) as c:
        row = await c.fetchrow("SELECT status, outcome, name, note, case_data FROM interactions")
        assert tuple(row) == ("closed", "handled", None, None, "{}")
        assert await c.fetchval("SELECT count(*) FROM feed") == 1


async def test_reports_count_calls_by_queue_outcome_and_agent(site: str) -> None:
    async with as_role(site, REPORTS) as c:
        row = await c.fetchrow(
            "SELECT i.queue, i.outcome, a.name, t.outcome AS of_the_attempt"
            "  FROM interactions i JOIN feed f ON f.interaction = i.id JOIN attempts t ON t.interaction = i.id"
            "  JOIN agents a ON a.id = t.agent"
        )
    assert tuple(row) == ("support", "handled", "Adam", "answered")


def test_every_table_is_named_among_the_rights() -> None:
    """Who adds a table says in routing/store/grants.sql what the service and the others may do with it."""
    rights = re.sub(r"--.*", "", (files("routing.store") / "grants.sql").read_text())
    assert len(TABLES) >= 17
    assert [name for name in TABLES if not re.search(rf"\b{name}\b", rights)] == []


async def test_to_migrate_again_changes_nothing_and_mends_what_somebody_changed(site: str) -> None:
    async with as_role(site, "ringback") as c:
        before = await rights(c)
        await c.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {REPORTS}")
        await c.execute(f"REVOKE ALL ON feed FROM {SERVICE}")
        await c.execute(f"ALTER ROLE {SERVICE} CREATEDB")
        assert await rights(c) != before
        assert await migrate(site) == []
        assert await rights(c) == before
        assert not await c.fetchval("SELECT rolcreatedb FROM pg_roles WHERE rolname = $1", SERVICE)


async def rights(c: Connection) -> list[tuple[Any, ...]]:
    rows = await c.fetch(
        "SELECT relname, attname, acl::text FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid,"
        " LATERAL unnest(attacl || relacl) AS acl"
        " WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND acl::text NOT LIKE 'ringback=%'"
        " ORDER BY 1, 2, 3"
    )
    return [tuple(row) for row in rows]


@asynccontextmanager
async def owned_by_somebody(postgres: Postgres, rights: str) -> AsyncIterator[str]:
    """A database, empty, whose owner is no superuser, in a cluster that knows no roles of ours yet. Its name."""
    ours = (SERVICE, PRIVACY, REPORTS)
    async with as_role(postgres.dsn_of("postgres"), "ringback") as c:
        await c.execute(f"CREATE ROLE plain LOGIN {rights}")
        await c.execute("CREATE DATABASE theirs OWNER plain")
        for role in ours:
            await c.execute(f"ALTER ROLE {role} RENAME TO hidden_{role}")
        try:
            yield "theirs"
        finally:
            await c.execute("DROP DATABASE theirs WITH (FORCE)")
            for role in ours:
                await c.execute(f"DROP ROLE IF EXISTS {role}")
                await c.execute(f"ALTER ROLE hidden_{role} RENAME TO {role}")
            await c.execute("DROP ROLE plain")


@asynccontextmanager
async def owner(postgres: Postgres, database: str) -> AsyncIterator[Connection]:
    """As Postgres lets nobody log in as `plain` here."""
    async with as_role(postgres.dsn_of(database), "ringback") as c:
        await c.execute("SET SESSION AUTHORIZATION plain")
        yield c


async def test_an_owner_who_may_make_roles_needs_not_be_a_superuser(postgres: Postgres) -> None:
    """As docs/deploy.md makes it for systemd."""
    async with owned_by_somebody(postgres, "CREATEROLE") as name:
        async with owner(postgres, name) as c:
            assert "0001_first.sql" in await bring_up_to_date(c, "a secret")
            assert await bring_up_to_date(c, "a'nother \\secret") == []
        pool = await connect(postgres.dsn_of(name, SERVICE), size=1)
        assert await roles.require_enough(pool) is False
        await require_current(pool)
        await pool.close()
        async with as_role(postgres.dsn_of(name), "ringback") as c:
            kept = await c.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", SERVICE)
        assert kept.startswith("SCRAM-SHA-256$")


async def test_an_owner_who_may_not_is_told_what_an_administrator_has_to_do(postgres: Postgres) -> None:
    """As it is where Postgres is somebody else's."""
    async with owned_by_somebody(postgres, "") as name:
        with pytest.raises(roles.RolesNotMade) as raised:
            async with owner(postgres, name) as c:
                await bring_up_to_date(c, None)
        told = re.search(r"CREATE ROLE (\w+) LOGIN [A-Z ]+;", str(raised.value))
        assert told
        async with as_role(postgres.dsn_of("postgres"), "ringback") as c:
            for role in (SERVICE, PRIVACY, REPORTS):
                await c.execute(told[0].replace(told[1], role))
        async with owner(postgres, name) as c:
            await bring_up_to_date(c, None)


SETTINGS = {"ari_password": "x", "ami_password": "x"}


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("REVOKE INSERT ON feed FROM ringback_service", "ringback_service may not INSERT on feed"),
        ("REVOKE ALL ON shards FROM ringback_service", "ringback_service may not UPDATE on shards"),
        ("ALTER TABLE legs RENAME TO gone", "ringback_service may not INSERT on legs"),
    ],
)
async def test_a_service_whose_role_may_too_little_says_what_and_how_to_mend_it(
    site: str, harm: str, message: str
) -> None:
    async with as_role(site, "ringback") as c:
        await c.execute(harm)
    with pytest.raises(MayTooLittle, match=f"{message}: run `ringback migrate`"):
        await serve(Settings(database_url=of_role(site, SERVICE), **SETTINGS))


async def test_a_service_on_an_older_schema_says_so(site: str) -> None:
    async with as_role(site, "ringback") as c:
        await c.execute("DELETE FROM schema_migrations")
    with pytest.raises(SchemaBehind, match=r"lacks 0001_first\.sql: run `ringback migrate`"):
        await serve(Settings(database_url=of_role(site, SERVICE), **SETTINGS))


async def test_a_role_that_may_more_than_the_service_ought_to_is_known(site: str) -> None:
    for role, too_much in (("ringback", True), (SERVICE, False)):
        pool = await connect(of_role(site, role), size=1)
        assert await roles.require_enough(pool) is too_much
        await require_current(pool)
        await pool.close()


async def test_a_backup_that_is_restored_has_the_rights_in_it(site: str, postgres: Postgres, tmp_path: Path) -> None:
    name = site.partition("///")[2].partition("?")[0]
    where = ["-h", postgres.socket_dir, "-U", "ringback", "-d", name]
    async with as_role(site, "ringback") as c:
        before = await rights(c)
    await run(postgres, "pg_dump", "--format=custom", f"--file={tmp_path / 'dump'}", *where)
    restore = ["--clean", "--if-exists", "--no-owner", "--single-transaction"]
    await run(postgres, "pg_restore", *restore, *where, tmp_path / "dump")
    async with as_role(site, "ringback") as c:
        assert await rights(c) == before


async def run(postgres: Postgres, program: str, *words: str | Path) -> None:
    process = await asyncio.create_subprocess_exec(postgres.bin_dir / program, *words)
    assert await process.wait() == 0


async def test_a_statement_the_role_may_not_send_is_refused_without_quoting_it(site: str) -> None:
    pool = await connect(of_role(site, REPORTS), size=1)
    with pytest.raises(StatementRefused, match="42501"):
        async with connection(pool) as c:
            await c.execute("DELETE FROM feed")
    await pool.close()
