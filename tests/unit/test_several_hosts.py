"""The address of a Postgres that has standbys."""

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
