"""The address of a Postgres that has standbys."""

import asyncpg
import pytest

from routing.store import hosts
from routing.store.hosts import each_host
from routing.store.roles import service_password

SEVERAL = "postgresql://ringback_service:p%40ss@db1:5432,db2:5433/ringback?sslmode=require"


def test_an_address_with_several_hosts_is_as_many_addresses_with_the_same_rest() -> None:
    assert each_host(SEVERAL) == [
        "postgresql://ringback_service:p%40ss@db1:5432/ringback?sslmode=require",
        "postgresql://ringback_service:p%40ss@db2:5433/ringback?sslmode=require",
    ]


def test_one_host_is_left_as_it_was_written() -> None:
    for dsn in ("postgresql:///ringback?host=/run/postgresql&user=a,b", "postgresql://db1/ringback", "ringback"):
        assert each_host(dsn) == [dsn]


def test_a_password_is_not_cut_at_its_comma() -> None:
    assert len(each_host("postgresql://ringback:a,b@db1/ringback")) == 1


def test_the_service_s_password_is_found_beside_several_hosts() -> None:
    assert service_password(SEVERAL) == "p@ss"


@pytest.mark.parametrize("silent", [OSError("no route"), TimeoutError()])
async def test_a_host_that_refuses_us_does_not_hide_that_another_is_silent(
    silent: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is away may be the primary: to wait for it is right, to stop for the other's refusal is not."""
    answers = {"db1": asyncpg.InvalidPasswordError("wrong password"), "db2": silent}

    async def connect(dsn: str, **_: object) -> None:
        raise next(error for host, error in answers.items() if host in dsn)

    monkeypatch.setattr(asyncpg, "connect", connect)
    with pytest.raises(type(silent)):
        await hosts.connect(SEVERAL)
    answers["db2"] = asyncpg.InvalidPasswordError("wrong password")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await hosts.connect(SEVERAL)
