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


REFUSAL = asyncpg.InvalidAuthorizationSpecificationError("no pg_hba.conf entry")
STANDBY = asyncpg.TargetServerAttributeNotMatched("not a primary")
AWAY = (OSError("no route"), TimeoutError(), asyncpg.CannotConnectNowError(), asyncpg.ConnectionDoesNotExistError())


async def told(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> Exception:
    """Of two hosts that answer so."""

    async def connect(dsn: str, **_: object) -> None:
        raise errors["db2" in dsn]

    monkeypatch.setattr(asyncpg, "connect", connect)
    with pytest.raises(Exception) as error:
        await hosts.connect(SEVERAL)
    return error.value


@pytest.mark.parametrize("away", AWAY)
async def test_a_host_that_refuses_us_does_not_hide_that_another_one_is_away(
    away: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is away may be the primary: to wait for it is right, to stop for the other's refusal is not."""
    assert await told(monkeypatch, REFUSAL, away) is away and await told(monkeypatch, away, REFUSAL) is away


async def test_a_primary_that_refuses_us_is_told_though_its_standby_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        await told(monkeypatch, REFUSAL, STANDBY) is REFUSAL and await told(monkeypatch, STANDBY, REFUSAL) is REFUSAL
    )


async def test_where_nobody_is_the_primary_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await told(monkeypatch, STANDBY, STANDBY) is STANDBY
