"""The connection to Postgres: a pool that speaks our JSON, and database errors as domain errors, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from routing.core.errors import AgentBusy, Conflict, DuplicateCallback, Invalid, RingbackError, Unavailable
from routing.store import hosts

Pool = asyncpg.Pool
Connection = asyncpg.pool.PoolConnectionProxy

ACQUIRE_TIMEOUT = 1.0
CONNECT_TIMEOUT = 5.0
GOOD_BYE = 1.0
STATEMENT_TIMEOUT = 5.0
"""Seconds. Postgres gives up a little later by itself, when nobody is there any more to tell it to."""

_BY_CONSTRAINT: dict[str, type[Exception]] = {
    "one_pending_callback": DuplicateCallback,
    "one_assignment_per_agent": AgentBusy,
    "one_owner": Conflict,
    "one_live_attempt": Conflict,
    "one_live_leg_per_role": Conflict,
    "legs_pkey": Conflict,
    "interactions_pkey": Conflict,
}

_TROUBLE = frozenset({"08", "25", "40", "53", "57", "58", "XX"})
"""Classes of SQLSTATE (PostgreSQL documentation, appendix A)."""

_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that Postgres ended at the wrong moment
    asyncpg.QueryCanceledError,
    asyncpg.TooManyConnectionsError,
    TimeoutError,
    OSError,
)


async def connect(dsn: str, *, size: int = 10, statement_timeout: float = STATEMENT_TIMEOUT) -> Pool:
    """A pool of `size` connections, all open from the start. Raises Unavailable when Postgres does not answer."""
    with database_errors():
        return await asyncpg.create_pool(
            dsn,
            min_size=size,  # to open one takes several round trips, which a caller would wait for
            max_size=size,
            timeout=CONNECT_TIMEOUT,
            command_timeout=statement_timeout,
            server_settings={"statement_timeout": f"{statement_timeout + 1:.0f}s"},
            init=_prepare,
            reset=_leave_as_is,
            max_inactive_connection_lifetime=0,
            max_cached_statement_lifetime=0,  # else a rare one is parsed and planned again, while somebody waits
            connect=hosts.connect,
        )


async def close(pool: Pool) -> None:
    """Politely, unless Postgres does not answer."""
    try:
        async with asyncio.timeout(GOOD_BYE):
            await pool.close()
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


async def _leave_as_is(_: Any) -> None:
    """We set no session state, so none is reset: that would be a second round trip after every statement."""


async def _prepare(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, encoder=_encode, decoder=msgspec.json.decode, schema="pg_catalog", format="text"
        )


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


class StatementRefused(Exception):
    """Postgres refused a statement of ours: a bug. Tells which rule, never the row, as Postgres' own texts do."""

    def __init__(self, error: asyncpg.PostgresError) -> None:
        names = (getattr(error, "table_name", None), getattr(error, "constraint_name", None))
        what = ".".join(str(name) for name in names if name)
        super().__init__(f"{type(error).__name__} {error.sqlstate} {what}".rstrip())


class database_errors:  # lower case as it reads as a statement: `with database_errors():`
    """Turns what asyncpg raises into our errors, and leaves its texts behind: they quote rows, numbers included.

    A class, as a generator would cost on the hot path.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or isinstance(error, RingbackError):
            return
        if (task := asyncio.current_task()) and task.cancelling():
            raise asyncio.CancelledError from None  # to let go of a connection may fail, and would hide this
        if isinstance(error, asyncpg.UniqueViolationError):
            raise _BY_CONSTRAINT.get(str(error.constraint_name), Conflict)() from None
        if isinstance(error, asyncpg.DataError | asyncpg.CharacterNotInRepertoireError):
            raise Invalid("A value cannot be stored.") from None
        if isinstance(error, _GONE) or _passing(error):
            raise Unavailable("Postgres does not answer.") from None
        if isinstance(error, asyncpg.PostgresError):
            raise StatementRefused(error) from None


def _passing(error: BaseException) -> bool:
    """Whether it is Postgres' trouble and not our statement: failover, deadlock, disk or memory full, shutdown."""
    return isinstance(error, asyncpg.PostgresError) and str(error.sqlstate)[:2] in _TROUBLE


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[Any]:
    """A connection for some statements; domain errors come out of it."""
    with database_errors():
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT) as acquired:
            try:
                yield acquired
            except (asyncpg.InternalClientError, asyncio.CancelledError):
                acquired.terminate()  # the pool would hand out its broken state again, or wait for Postgres
                raise


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Any]:
    """A connection inside one transaction."""
    async with connection(pool) as acquired, acquired.transaction():
        try:
            yield acquired
        except asyncio.CancelledError:
            acquired.terminate()  # a ROLLBACK would wait for Postgres
            raise
