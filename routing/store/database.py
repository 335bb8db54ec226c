"""The connection to Postgres: a pool that speaks our JSON, and database errors as domain errors, once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from routing.errors import AgentBusy, Conflict, DuplicateCallback, Invalid, RingbackError, Unavailable

Pool = asyncpg.Pool
Connection = asyncpg.pool.PoolConnectionProxy

ACQUIRE_TIMEOUT = 1.0
STATEMENT_TIMEOUT = 5.0

_BY_CONSTRAINT: dict[str, type[Exception]] = {
    "one_pending_callback": DuplicateCallback,
    "one_interaction_per_agent": AgentBusy,
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


async def connect(dsn: str, *, size: int = 10) -> Pool:
    """A pool of at most `size` connections. Raises Unavailable when Postgres does not answer."""
    with database_errors():
        return await asyncpg.create_pool(
            dsn,
            min_size=2,
            max_size=size,
            command_timeout=STATEMENT_TIMEOUT,
            init=_prepare,
            reset=_leave_as_is,
            max_inactive_connection_lifetime=0,
        )


async def _leave_as_is(_: Any) -> None:
    """We set no session state, so none is reset: that would be a second round trip after every statement."""


async def _prepare(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, encoder=_encode, decoder=msgspec.json.decode, schema="pg_catalog", format="text"
        )


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


class database_errors:  # lower case as it reads as a statement: `with database_errors():`
    """Turns what asyncpg raises into our errors. A class, as a generator would cost on the hot path."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or isinstance(error, RingbackError):
            return
        if isinstance(error, asyncpg.UniqueViolationError):
            raise _BY_CONSTRAINT.get(str(error.constraint_name), Conflict)() from error
        if isinstance(error, asyncpg.DataError | asyncpg.CharacterNotInRepertoireError):
            raise Invalid("A value cannot be stored.") from error
        if isinstance(error, _GONE) or _passing(error):
            raise Unavailable("Postgres does not answer.") from error


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
            except asyncpg.InternalClientError:
                acquired.terminate()  # the pool would hand out its broken state again
                raise


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Any]:
    """A connection inside one transaction."""
    async with connection(pool) as acquired, acquired.transaction():
        yield acquired
