"""An address of Postgres with several hosts (`postgresql://h1:5432,h2:5432/ringback`): a primary and its standbys.

All are asked at once. asyncpg itself asks one after the other: a host that says nothing, as its machine has no power,
would cost all the time there is, and one that resets the connection before it has greeted ends the search.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

_REFUSED = frozenset({"28", "3D"})
"""Classes of SQLSTATE: a wrong password or account, no such database. Time does not mend them."""


async def connect(dsn: str | None = None, **options: Any) -> Any:
    """As asyncpg.connect; of several hosts with the first that answers and is no standby."""
    hosts = each_host(dsn or "")
    if len(hosts) < 2:
        return await asyncpg.connect(dsn, **options)
    wanted = options | {"target_session_attrs": "primary"}
    return await _first([asyncio.ensure_future(asyncpg.connect(each, **wanted)) for each in hosts])


def each_host(dsn: str) -> list[str]:
    """The address once for each of its hosts."""
    address = urlsplit(dsn)
    who, at, hosts = address.netloc.rpartition("@")
    if "," not in hosts:
        return [dsn]
    return [urlunsplit(address._replace(netloc=f"{who}{at}{host}")) for host in hosts.split(",")]


async def _first(tries: list[asyncio.Future[Any]]) -> Any:
    """The first that succeeds; the others are given up. Raises what tells most."""
    waiting, won = set(tries), None
    try:
        while waiting and won is None:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            won = next((each for each in done if each.exception() is None), None)
    finally:
        for each in tries:
            if each is not won:
                each.cancel()
                each.add_done_callback(_let_go)
    if won is None:
        raise _most_telling([each.exception() for each in tries])
    return won.result()


def _let_go(each: asyncio.Future[Any]) -> None:
    """Of a connection that was made all the same."""
    if not each.cancelled() and each.exception() is None:
        each.result().terminate()


def _most_telling(errors: list[BaseException | None]) -> BaseException:
    """That of a host that may be the primary and come back, before a refusal; what a standby says counts least."""
    return min((each for each in errors if each), key=_weight)


def _weight(error: BaseException) -> int:
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return 2
    return int(str(getattr(error, "sqlstate", None))[:2] in _REFUSED)
