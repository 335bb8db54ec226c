"""The certificate of SIP over TLS: made here by openssl, kept, renewed; or given, and then checked."""

import asyncio
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from asterisk_of_tests import instance_in

from demo.folder import enterable_folder
from routing.local.system import certificates
from routing.local.system.errors import SetupError
from routing.local.system.ports import reserved


def test_what_is_made_is_good_for_every_address_and_kept_with_a_closed_key(tmp_path: Path) -> None:
    made = certificates.own(tmp_path, ["192.0.2.10", "2001:db8::1", "pbx.example.net"])
    before = made.chain.read_text()
    assert certificates.own(tmp_path, ["pbx.example.net", "192.0.2.10", "2001:db8::1"]) == made
    assert made.chain.read_text() == before
    assert made.key.stat().st_mode & 0o077 == 0 and (tmp_path / "ca.key").stat().st_mode & 0o077 == 0
    verify = ["openssl", "verify", "-CAfile", tmp_path / "ca.crt", "-purpose", "sslserver"]
    for name in (
        ["-verify_ip", "192.0.2.10"],
        ["-verify_ip", "2001:db8::1"],
        ["-verify_hostname", "pbx.example.net"],
    ):
        subprocess.run([*verify, *name, made.chain], check=True, capture_output=True)
    wrong = subprocess.run([*verify, "-verify_ip", "192.0.2.11", made.chain], capture_output=True, check=False)
    assert wrong.returncode != 0


def test_other_addresses_mean_another_certificate_of_the_same_authority(tmp_path: Path) -> None:
    first = certificates.own(tmp_path, ["192.0.2.10"]).chain.read_text()
    authority = (tmp_path / "ca.crt").read_text()
    second = certificates.own(tmp_path, ["192.0.2.11"])
    assert second.chain.read_text() != first
    assert (tmp_path / "ca.crt").read_text() == authority
    ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))


def test_an_authority_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    """The power went while openssl was at it: a key was there, and no certificate."""
    (tmp_path / "ca.key").touch()
    made = certificates.own(tmp_path, ["192.0.2.10"])
    verify = ["openssl", "verify", "-CAfile", tmp_path / "ca.crt", made.chain]
    subprocess.run(verify, check=True, capture_output=True)


def test_a_given_certificate_is_taken_with_its_key_only(tmp_path: Path) -> None:
    one, other = (certificates.own(tmp_path / name, ["192.0.2.10"]) for name in ("one", "other"))
    assert certificates.given(one.chain, one.key) == one
    with pytest.raises(SetupError, match="is not that of the certificate"):
        certificates.given(one.chain, other.key)
    with pytest.raises(SetupError, match="is not a certificate"):
        certificates.given(one.key, one.key)
    with pytest.raises(SetupError, match="is not a key without a password"):
        certificates.given(one.chain, tmp_path / "none")


def test_authorities_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"cannot read .*none"):
        certificates.trusted(tmp_path / "none", tmp_path / "own")


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that the account of Asterisk may enter."""
    with enterable_folder("cert") as made:
        yield made


async def test_asterisk_shows_the_certificate_it_was_given_and_one_of_its_own_making_otherwise(folder: Path) -> None:
    with reserved() as ports:
        given = certificates.own(folder / "given", ["127.0.0.1"])
        own = instance_in(folder, ports)
        for instance, authority in ((own, own.authority), (replace(own, certificate=given), folder / "given/ca.crt")):
            instance.write_config()
            process = await instance.start()
            try:
                assert await versions(ports.sip_tls, authority) == ["refused", "TLSv1.2", "TLSv1.3"]
            finally:
                await instance.stop(process)


async def versions(port: int, authority: Path) -> list[str]:
    """What comes of offering TLS 1.1, 1.2 and 1.3 alone."""
    told = []
    for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        trust = ssl.create_default_context(cafile=str(authority))
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            trust.set_ciphers("DEFAULT:@SECLEVEL=0")  # or we would not even offer 1.1
            trust.minimum_version = trust.maximum_version = version
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
            told.append(str(writer.get_extra_info("ssl_object").version()))
            writer.close()
        except (ssl.SSLError, ConnectionError) as error:
            assert not isinstance(error, ssl.SSLCertVerificationError)
            told.append("refused")
    return told
