"""Who counts as the other side behind reverse proxies: nobody may choose it by a header."""

from ipaddress import ip_network

import pytest

from routing.api.http.client_address import ClientAddresses

BEHIND = ClientAddresses([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize("forwarded", [[], ["198.51.100.7"], ["rubbish"]])
def test_without_a_trusted_proxy_the_header_is_nothing(forwarded: list[str]) -> None:
    assert ClientAddresses().named("10.0.0.1", forwarded) == "10.0.0.1"
    assert BEHIND.named("203.0.113.9", forwarded) == "203.0.113.9"


@pytest.mark.parametrize(
    ("forwarded", "who"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        (["1.1.1.1, 198.51.100.7"], "198.51.100.7"),  # the first was chosen by who asked
        (["1.1.1.1", "198.51.100.7, 10.2.3.4"], "198.51.100.7"),  # two proxies, two lines
        (["2001:db8::1"], "2001:db8::1"),
        (["::ffff:198.51.100.7"], "198.51.100.7"),
        (["10.9.9.9"], "10.9.9.9"),  # from the inside
        (["198.51.100.7, unknown"], "10.0.0.1"),
        (["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_the_last_address_that_is_no_proxy_s_counts(forwarded: list[str], who: str) -> None:
    assert BEHIND.named("10.0.0.1", forwarded) == who


def test_a_proxy_on_an_ipv4_address_of_an_ipv6_socket_is_trusted() -> None:
    assert BEHIND.named("::ffff:10.0.0.1", ["198.51.100.7"]) == "198.51.100.7"


def test_a_connection_without_an_address_has_none() -> None:
    assert BEHIND.named("", ["198.51.100.7"]) == ""
