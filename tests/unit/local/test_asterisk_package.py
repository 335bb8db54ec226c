"""Which Asterisk will do, where Debian's packages come from, and what the configuration is filled with."""

from pathlib import Path

import pytest

from routing.local.asterisk import config
from routing.local.install import debian, debian_mirror
from routing.local.install.asterisk_package import check_version
from routing.local.install.debian import Locked
from routing.local.system.errors import SetupError


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("Asterisk 22.10.1~dfsg+~cs6.17", (22, 10, 1)),
        ("1:22.10.1+dfsg+~cs6.17.60671434-1", (22, 10, 1)),
        ("22.11.0", (22, 11, 0)),
        ("20.20.1", (20, 20, 1)),
        ("23.4.1", (23, 4, 1)),
        ("24.0.0", (24, 0, 0)),
    ],
)
def test_an_asterisk_without_known_holes_is_taken(told: str, version: tuple[int, int, int]) -> None:
    assert check_version(told) == version


@pytest.mark.parametrize("told", ["22.10.0", "22.9.2", "20.20.0", "23.4.0", "21.12.3", "18.26.4", "16.28.0"])
def test_an_older_one_is_refused_in_one_line_that_says_what_is_needed(told: str) -> None:
    with pytest.raises(SetupError, match=r"^Asterisk [\d.]+ has known security holes: 22\.10\.1 .*needed$"):
        check_version(f"Asterisk {told}")
    check_version(told, allow_old=True)


def test_something_that_is_no_version_is_refused() -> None:
    with pytest.raises(SetupError, match="cannot tell"):
        check_version("Asterisk GIT-master")


DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm
  bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/other
Suites: bookworm
Components: main
Enabled: no
"""

ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib
deb http://security.example/debian-security bookworm-security main # why
"""


def test_both_spellings_of_apt_sources_are_read(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    assert list(debian_mirror.sources(tmp_path)) == [
        ("http://mirror.example/debian", {"bookworm"}, {"main", "contrib"}),
        ("http://security.example/debian-security", {"bookworm-security"}, {"main"}),
        ("http://mirror.example/debian", {"bookworm", "bookworm-updates"}, {"main"}),
    ]


def test_a_mirror_of_your_own_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_DEBIAN_MIRROR", "http://mine.example/debian")
    assert debian_mirror.mirror() == "http://mine.example/debian"


def test_placeholders_are_filled_and_no_value_starts_a_comment_or_a_line() -> None:
    assert (
        config.render("contact = @CARRIER@", {"CARRIER": "sip:h;transport=tcp"}) == r"contact = sip:h\;transport=tcp"
    )
    with pytest.raises(ValueError, match="control"):
        config.render("x = @CARRIER@", {"CARRIER": "a\nb"})
    with pytest.raises(KeyError):
        config.render("x = @UNKNOWN@", {})


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("sip:127.0.0.1:8091", "127.0.0.1"),
        ("sip:trunk@sip.example.com;transport=tcp", "sip.example.com"),
        ("sip:[2001:db8::1]:5060", "2001:db8::1"),
    ],
)
def test_the_carrier_is_recognised_by_its_host(uri: str, host: str) -> None:
    assert config.carrier_host(uri) == host


@pytest.mark.parametrize("uri", ["", "127.0.0.1", "tel:+49", "sip:", "sip:a b", "sip:h\nx=1", "sip:h;x y"])
def test_a_carrier_that_is_no_sip_uri_is_refused(uri: str) -> None:
    with pytest.raises(SetupError, match="SIP URI"):
        config.carrier_host(uri)


def test_every_configuration_file_says_why_it_is_there_in_its_first_line() -> None:
    for name, content in config.templates().items():
        assert content.startswith(("; Why: ", "; Every call", "; Empty: ")), name


def test_instances_differ_in_their_entity_id() -> None:
    first, second = config.entity_id(Path("/a")), config.entity_id(Path("/b"))
    assert first != second
    assert first == config.entity_id(Path("/a"))


@pytest.mark.parametrize(
    ("carrier", "contact"),
    [
        ("sip:198.51.100.7:5060", "sip:198.51.100.7:5060"),
        ("sip:trunk.example:5061;transport=tls", "sip:trunk.example:5061;transport=tls"),
        ("sips:trunk.example", "sip:trunk.example:5061;transport=tls"),
        ("sips:user@trunk.example:5071", "sip:user@trunk.example:5071;transport=tls"),
        ("sips:[2001:db8::1]", "sip:[2001:db8::1]:5061;transport=tls"),
        ("sips:[2001:db8::1]:5071;transport=tcp", "sip:[2001:db8::1]:5071;transport=tls"),
    ],
)
def test_a_carrier_is_spoken_to_over_tls_when_its_address_says_so(carrier: str, contact: str) -> None:
    assert config.carrier_contact(carrier) == contact
    assert config.is_encrypted(carrier) == ("tls" in contact)


def test_behind_an_external_address_our_own_counts_as_local() -> None:
    assert "local_net = 198.51.100.7/32" in config.external_lines("203.0.113.10", "198.51.100.7").splitlines()
    assert "local_net = 2001:db8::1/128" in config.external_lines("203.0.113.10", "2001:db8::1").splitlines()
    assert "local_net = 0.0.0.0/32" not in config.external_lines("203.0.113.10", "0.0.0.0")
    assert config.external_lines(None, "198.51.100.7") == ""


@pytest.mark.parametrize(
    ("version", "than", "is_older"),
    [
        ("1:22.10.1~dfsg-1", "1:22.10.1-1", True),
        ("1:22.10.1-1", "1:22.10.1-1", False),
        ("1:22.10.1+dfsg-2", "1:22.10.1+dfsg-10", True),
        ("3.10.0-1", "3.9.0-1", False),
        ("2:1.0", "1:9.0", False),
    ],
)
def test_which_debian_version_is_older(version: str, than: str, is_older: bool) -> None:
    assert debian.older(version, than) is is_older


def test_a_package_older_than_its_lock_is_refused_and_a_newer_one_told(tmp_path: Path) -> None:
    """Debian has signed the older one, too, when it had a hole."""
    deb = tmp_path / "libssl3t64_3.5.1-1_amd64.deb"
    deb.touch()
    told: list[str] = []
    with pytest.raises(SetupError, match=r"libssl3t64 3\.5\.1-1, which is older than 3\.5\.2-1"):
        debian._verified(deb, {"libssl3t64": Locked("3.5.2-1", "")}, told.append)
    debian._verified(deb, {"libssl3t64": Locked("3.5.0-1", "")}, told.append)
    assert told == ["  libssl3t64 3.5.1-1 (the lock file says 3.5.0-1; Debian's signature is good)"]
