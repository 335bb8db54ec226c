"""The database's roles and what each may do: grants.sql says it, `migrate` carries it out, the service looks at it.

The owner's role is whoever migrates. The three others are made here where they are missing.
"""

from importlib.resources import files
from urllib.parse import unquote, urlsplit

import asyncpg

from routing.core.errors import RingbackError
from routing.store.database import Pool, connection

SERVICE, PRIVACY, REPORTS = "ringback_service", "ringback_privacy", "ringback_reports"
_ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"

_WRONG = """
SELECT name FROM unnest($1::text[]) AS name LEFT JOIN pg_roles ON rolname = name
 WHERE rolname IS NULL OR NOT rolcanlogin
    OR rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
"""

_DATABASE = """
SELECT format('REVOKE ALL ON DATABASE %1$I FROM PUBLIC; GRANT CONNECT ON DATABASE %1$I TO %2$s',
              current_database(), array_to_string($1::text[], ', '))
"""

# What the service cannot do without, in the order it needs it: one right of each table's that it writes.
_MISSING = """
SELECT privilege || ' on ' || name FROM unnest($1::text[], $2::text[]) AS wanted(name, privilege)
 WHERE to_regclass(name) IS NULL OR NOT has_any_column_privilege(to_regclass(name), privilege)
"""
_NEEDED = {
    "shards": "UPDATE",
    "interactions": "UPDATE",
    "legs": "INSERT",
    "attempts": "INSERT",
    "assignments": "INSERT",
    "agent_states": "INSERT",
    "feed": "INSERT",
    "agents": "UPDATE",
    "schema_migrations": "SELECT",
}

_TOO_MUCH = """
SELECT rolsuper OR pg_has_role(rolname, (SELECT relowner FROM pg_class WHERE oid = to_regclass('feed')), 'MEMBER')
  FROM pg_roles WHERE rolname = current_user
"""


class RolesNotMade(RingbackError):
    """The role that migrates may not make the database's other roles, and nobody has."""

    code = "roles_not_made"


class MayTooLittle(RingbackError):
    """The role the service has in the database lacks a right."""

    code = "may_too_little"


async def secure(c: "asyncpg.Connection[asyncpg.Record]", service_password: str | None) -> None:
    """Inside migrate's transaction: the roles, their rights, and the service's password where one is told."""
    roles = [SERVICE, PRIVACY, REPORTS]
    for row in await c.fetch(_WRONG, roles):
        await _put_right(c, row["name"])
    if service_password is not None:
        quoted = await c.fetchval("SELECT quote_literal($1)", service_password)
        await c.execute(f"ALTER ROLE {SERVICE} PASSWORD {quoted}")
    await c.execute(await c.fetchval(_DATABASE, roles))
    await c.execute(files("routing.store").joinpath("grants.sql").read_text(encoding="utf-8"))


async def _put_right(c: "asyncpg.Connection[asyncpg.Record]", role: str) -> None:
    there = await c.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    command = f"{'ALTER' if there else 'CREATE'} ROLE {role} {_ATTRIBUTES}"
    try:
        async with c.transaction():
            await c.execute(command)
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        pass  # roles are the whole cluster's: the migration of another database was quicker
    except asyncpg.InsufficientPrivilegeError:
        owner = await c.fetchval("SELECT current_user")
        raise RolesNotMade(
            f"The database's owner {owner} may not make its role {role}: "
            f"as an administrator of Postgres, {command}; then again"
        ) from None


def service_password(dsn: str) -> str | None:
    """The one in the service's own Postgres address, if that is for its role and has one."""
    address = urlsplit(dsn)
    return unquote(address.password) if address.username == SERVICE and address.password else None


async def require_enough(pool: Pool) -> bool:
    """Raises MayTooLittle. Returns whether our role may more than the service ought to: owner, superuser."""
    async with connection(pool) as c:
        missing = await c.fetch(_MISSING, list(_NEEDED), list(_NEEDED.values()))
        role = await c.fetchval("SELECT current_user")
        if missing:
            raise MayTooLittle(
                f"The database role {role} may not {missing[0][0]}: run `ringback migrate` as the database's owner."
            )
        return bool(await c.fetchval(_TOO_MUCH))
