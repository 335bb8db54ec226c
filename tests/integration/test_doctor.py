"""`ringback doctor`: whatever is missing is named, with how to mend it; all else is looked at nevertheless."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_up import RINGBACK, System, new_system, until

from demo.folder import enterable_folder
from routing.local import doctor
from routing.local.install import debian
from routing.local.system import users
from routing.local.system.ports import Ports, reserved
from routing.local.system.processes import Process

LOOKED_AT = ["Python", "PostgreSQL", "Asterisk", "prompts", "openssl", "accounts", "nftables"]


@pytest.fixture
def ports() -> Iterator[Ports]:
    with reserved() as ports:
        yield ports


@pytest.fixture
def data() -> Iterator[Path]:
    with enterable_folder("doctor") as folder:
        yield folder / "data"


class Doctor:
    """Told of a machine, by data directory, ports and environment."""

    def __init__(self, data: Path, ports: Ports) -> None:
        self.command = [*RINGBACK, "doctor", "--data-dir", str(data), "--port-base", str(ports.base)]

    def says(self, **environment: str) -> dict[str, tuple[str, str]]:
        """By what was looked at: `ok` or `FAIL`, and what was told. The exit code is 1 if anything failed."""
        done = subprocess.run(
            self.command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=30, check=False
        )
        lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
        told = {what: (mark, text) for mark, rest in lines for what, _, text in [rest.partition(": ")]}
        assert done.returncode == any(mark == "FAIL" for mark, _ in told.values()), done.stderr
        assert list(told)[: len(LOOKED_AT)] == LOOKED_AT
        return told


@pytest.fixture
def doctor_(data: Path, ports: Ports) -> Doctor:
    return Doctor(data, ports)


def failed(told: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {what: text for what, (mark, text) in told.items() if mark == "FAIL"}


def test_a_machine_that_is_set_up_lacks_nothing_and_nothing_is_made(doctor_: Doctor, data: Path) -> None:
    told = doctor_.says()
    assert failed(told) == {}
    assert told["data directory"][1] == f"{data} (will be made)"
    assert not data.exists()


def test_a_folder_named_for_postgres_that_has_none_is_told(doctor_: Doctor, tmp_path: Path) -> None:
    assert failed(doctor_.says(PGBIN=str(tmp_path))) == {"PostgreSQL": f"PGBIN={tmp_path} has no initdb and postgres"}


def test_an_older_postgres_is_told(doctor_: Doctor, tmp_path: Path) -> None:
    (tmp_path / "initdb").touch()
    (tmp_path / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
    (tmp_path / "postgres").chmod(0o755)
    told = failed(doctor_.says(PGBIN=str(tmp_path)))
    assert told == {"PostgreSQL": f"PGBIN={tmp_path} is PostgreSQL 14: 15 or newer is needed"}


def test_without_asterisk_and_prompts_set_up_is_asked_for(doctor_: Doctor, tmp_path: Path) -> None:
    told = failed(doctor_.says(XDG_CACHE_HOME=str(tmp_path)))
    assert told == {
        "Asterisk": "none that is new enough: run `make setup`",
        "prompts": "not made yet: run `make setup`",
    }


def cached(cache: Path, name: str, **versions: str) -> Path:
    """An Asterisk unpacked earlier: only what it says of itself."""
    (newest,) = sorted(debian.cache_dir().glob("asterisk-*"))[-1:]
    folder = cache / "ringback" / name
    folder.mkdir(parents=True)
    packages = {**json.loads((newest / "packages.json").read_text()), **versions}
    (folder / "packages.json").write_text(json.dumps(packages))
    return folder


def test_an_old_asterisk_in_the_cache_is_named(doctor_: Doctor, tmp_path: Path) -> None:
    old = cached(tmp_path, "asterisk-22.9.0-25", asterisk="1:22.9.0~dfsg-1")
    told = failed(doctor_.says(XDG_CACHE_HOME=str(tmp_path)))["Asterisk"]
    assert told.startswith("none that is new enough: run `make setup`")
    assert f"{old} is not used: Asterisk 22.9.0 has known security holes" in told


def test_an_asterisk_in_the_cache_whose_libraries_are_older_than_locked_is_named(
    doctor_: Doctor, tmp_path: Path
) -> None:
    old = cached(tmp_path, "asterisk-22.10.1-25", libssl3t64="3.0.0-1")
    told = failed(doctor_.says(XDG_CACHE_HOME=str(tmp_path)))["Asterisk"]
    assert f"{old} is not used: its libssl3t64 3.0.0-1 is older than" in told


def test_an_asterisk_in_the_cache_that_lacks_a_package_is_named(doctor_: Doctor, tmp_path: Path) -> None:
    old = cached(tmp_path, "asterisk-22.10.1-2")
    (old / "packages.json").write_text('{"asterisk": "1:22.10.1-1"}')
    told = failed(doctor_.says(XDG_CACHE_HOME=str(tmp_path)))["Asterisk"]
    assert f"{old} is not used: it is without asterisk-core-sounds-en-wav" in told


def test_without_openssl_the_package_is_named(doctor_: Doctor, tmp_path: Path) -> None:
    for program in ("apt-get", "apt-config", "dpkg", "dpkg-deb", "setpriv", "nft"):
        (tmp_path / program).symlink_to(shutil.which(program) or f"/usr/sbin/{program}")
    assert failed(doctor_.says(PATH=str(tmp_path))) == {
        "openssl": "openssl is needed for SIP over TLS: install it (apt-get install openssl)"
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="without root nothing needs an account")
async def test_a_missing_account_is_named(data: Path, ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ASTERISK", "ringback-none")
    found = {each.what: each for each in await doctor.examine(data, ports.base)}
    assert found["accounts"].failed
    assert found["accounts"].told == "there is no account ringback-none: run `ringback setup` as root, which makes it"


@pytest.mark.skipif(os.geteuid() != 0, reason="without root nobody else has to enter it")
def test_a_data_directory_an_account_cannot_enter_is_named(doctor_: Doctor, data: Path) -> None:
    data.parent.chmod(0o700)
    told = failed(doctor_.says())["data directory"]
    assert told.startswith(f"the account {users.SERVICE} cannot enter {data.parent}: choose another --data-dir")


async def test_a_disk_with_too_little_room_is_named(
    data: Path, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_LEAST_DISK", 1 << 60)
    found = {each.what: each for each in await doctor.examine(data, ports.base)}
    assert found["disk"].failed
    assert found["disk"].told.endswith(f"MB free at {data.parent}: make room for at least 1 GB")


def test_a_port_in_use_is_named(doctor_: Doctor, ports: Ports) -> None:
    with socket.create_server(("127.0.0.1", ports.ami)):
        told = failed(doctor_.says())
    assert told == {"ports": f"port {ports.ami}/tcp (AMI) is in use: stop what uses it or choose another --port-base"}


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with new_system() as system:
        system.up()
        yield system


def test_while_it_runs_every_part_is_asked(system: System) -> None:
    told = Doctor(system.data, system.ports).says()
    assert failed(told) == {}
    assert {"Postgres", "ARI", "AMI", "service"} <= told.keys()


@pytest.mark.parametrize(
    ("part", "named"), [("postgres", "Postgres"), ("asterisk", "ARI"), ("asterisk", "AMI"), ("service", "service")]
)
def test_a_part_that_does_not_answer_is_named(system: System, part: str, named: str) -> None:
    until(system.ready, 20)
    process = Process(system.pid(part))
    process.send(signal.SIGSTOP)
    try:
        told = failed(Doctor(system.data, system.ports).says())[named]
    finally:
        process.send(signal.SIGCONT)
        process.close()
    assert told.endswith("see the log of `ringback up`, or stop it with `ringback down` and start it again")
