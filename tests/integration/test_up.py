"""`ringback up` as a person runs it: everything starts, whatever dies comes back, and all of it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.folder import enterable_folder
from routing.local.system.logs import MOST
from routing.local.system.ports import Ports, reserved
from routing.local.system.processes import Process, read_pid

RINGBACK = [sys.executable, "-m", "routing"]
PARTS = ("service", "asterisk", "postgres")


class System:
    """One data directory and the `up` on it, a child of ours."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.data = folder / "data"
        self.ports = ports
        self._log = folder / "up.log"
        self._up: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        with self._log.open("ab") as log:
            command = [*RINGBACK, "up", *self.where, "--port-base", str(self.ports.base)]
            self._up = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait_ready()

    @property
    def where(self) -> list[str]:
        return ["--data-dir", str(self.data)]

    def pid(self, part: str) -> int:
        return read_pid(self.data / f"run/{part}.pid") or 0

    def kill(self, part: str) -> int:
        """SIGKILL it, be sure that it is dead, and return its pid."""
        process = Process(pid := self.pid(part))
        process.send(signal.SIGKILL)
        until(lambda: not process.alive, 2)
        process.close()
        return pid

    def wait_ready(self, patience: float = 30) -> None:
        until(lambda: self.ready() or not self.alive(), patience)
        assert self.alive(), self._log.read_text()

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports.http}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def alive(self) -> bool:
        return self._up is not None and self._up.poll() is None

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal `up` and wait for it. Its exit code."""
        assert self._up
        self._up.send_signal(number)
        return self._up.wait(15)


def until(true: Callable[[], bool], patience: float) -> None:
    """There is no signal to wait for: what is asked is another process's state."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, f"not so after {patience} s"
        time.sleep(0.01)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RINGBACK, *arguments], capture_output=True, text=True, timeout=30, check=False)


@contextlib.contextmanager
def new_system() -> Iterator[System]:
    with enterable_folder("up") as folder, reserved() as ports:
        system = System(folder, ports)
        try:
            yield system
        finally:
            run("down", *system.where)
            if system.alive():
                system.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def shared() -> Iterator[System]:
    with new_system() as system:
        yield system


@pytest.fixture
def system(shared: System) -> System:
    """Up and ready, whatever the test before did to it."""
    if not shared.alive():
        shared.up()
    shared.wait_ready()
    return shared


def test_when_ready_it_has_told_the_pids_and_kept_the_secrets(system: System) -> None:
    for part in ("up", *PARTS):
        os.kill(system.pid(part), 0)
    for secret in ("admin.token", "credentials.json", "run/ari_password", "run/ami_password"):
        assert (system.data / secret).stat().st_mode & 0o077 == 0
    credentials = json.loads((system.data / "credentials.json").read_text())
    assert sorted(credentials["agents"]) == ["1001", "1002", "1003", "1004"]
    assert set(credentials["ari"]) == {"username", "password"} == set(credentials["ami"])


def test_no_secret_is_in_a_command_line_or_in_the_service_s_environment(system: System) -> None:
    credentials = json.loads((system.data / "credentials.json").read_text())
    secret = credentials["ari"]["password"].encode()
    for part in ("up", *PARTS):
        assert secret not in Path(f"/proc/{system.pid(part)}/cmdline").read_bytes()
        assert secret not in Path(f"/proc/{system.pid(part)}/environ").read_bytes()


def test_a_second_up_on_the_same_data_directory_is_refused_in_one_line(system: System) -> None:
    second = run("up", *system.where)
    assert second.returncode == 2
    assert second.stderr == f"ringback: `ringback up` already runs on {system.data} (pid {system.pid('up')})\n"


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_comes_back_while_the_others_go_on(system: System, part: str) -> None:
    others = {other: system.pid(other) for other in PARTS if other != part}
    killed = system.kill(part)
    until(lambda: system.pid(part) not in (0, killed), 10)
    system.wait_ready(10)
    assert {other: system.pid(other) for other in others} == others


@pytest.mark.parametrize("log", ["asterisk/asterisk.log", "postgres/postgres.log"])
def test_a_log_that_has_grown_is_begun_anew_under_who_writes_it(system: System, log: str) -> None:
    path = system.data / log
    with path.open("ab") as file:
        file.write(b"noise\n" * (MOST // 6 + 1))
    until(lambda: path.stat().st_size < MOST, 10)
    assert path.with_name(f"{path.name}.1").stat().st_size <= MOST
    assert path.stat().st_mode & 0o007 == path.with_name(f"{path.name}.1").stat().st_mode & 0o007 == 0


def test_the_service_is_ready_again_within_five_seconds_however_often_it_is_killed(system: System) -> None:
    for _ in range(4):
        killed = system.kill("service")
        until(lambda killed=killed: system.pid("service") not in (0, killed) and system.ready(), 5)  # type: ignore[misc]


def test_after_up_is_killed_the_service_is_gone_and_the_next_up_finds_the_others(system: System) -> None:
    before = {part: system.pid(part) for part in PARTS}
    service = Process(before["service"])
    assert system.end(signal.SIGKILL) == -signal.SIGKILL
    until(lambda: not service.alive, 2)
    service.close()
    system.up()
    assert system.pid("asterisk") == before["asterisk"]
    assert system.pid("postgres") == before["postgres"]


def test_running_parts_are_not_adopted_on_other_ports(system: System) -> None:
    before = {part: system.pid(part) for part in PARTS}
    system.end(signal.SIGKILL)
    with reserved() as others:
        refused = run("up", *system.where, "--port-base", str(others.base))
    assert refused.returncode == 2
    assert "still runs on other ports" in refused.stderr
    assert system.pid("asterisk") == before["asterisk"]
    os.kill(before["asterisk"], 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_ends_everything_within_ten_seconds(system: System, number: signal.Signals) -> None:
    parts = [Process(system.pid(part)) for part in PARTS]
    began = time.monotonic()
    assert system.end(number) == 0
    assert time.monotonic() - began < 10
    assert not any(part.alive for part in parts)
    assert not any((system.data / f"run/{part}.pid").exists() for part in PARTS)
    for part in parts:
        part.close()


def test_down_ends_a_running_up(system: System) -> None:
    assert run("down", *system.where).stderr == "stopped: up\n"
    until(lambda: not system.alive(), 2)


def test_down_ends_what_a_killed_up_left_running(system: System) -> None:
    system.end(signal.SIGKILL)
    left = [Process(system.pid(part)) for part in ("asterisk", "postgres")]
    assert run("down", *system.where).stderr == "stopped: asterisk, postgres\n"
    assert not any(part.alive for part in left)
    for part in left:
        part.close()
    assert f"ringback_{system.ports.sip}" not in rules()


def test_as_root_it_has_rules_for_its_sip_ports_while_it_runs(system: System) -> None:
    table = f"ringback_{system.ports.sip}"
    until(lambda: table in rules() or os.geteuid() != 0, 10)
    assert system.end() == 0
    assert table not in rules()


def rules() -> str:
    """Whoever is not root cannot see any, and has none."""
    nft = subprocess.run(["/usr/sbin/nft", "list", "tables"], capture_output=True, text=True, check=False)
    return nft.stdout


def test_down_leaves_a_stranger_alone_whose_pid_stands_in_a_pid_file(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        for part in PARTS:
            (tmp_path / f"run/{part}.pid").write_text(f"{stranger.pid}\n")
        assert run("down", "--data-dir", str(tmp_path)).stderr == "nothing runs there\n"
        assert stranger.poll() is None
        stranger.kill()


def test_two_systems_live_side_by_side(system: System) -> None:
    with new_system() as other:
        other.up()
        assert system.ready()
        assert {system.pid(part) for part in PARTS}.isdisjoint(other.pid(part) for part in PARTS)
        assert other.end() == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port-base", "99999"], "'--port-base'"),
        (["--rtp", "9000"], "'--rtp'"),
        (["--bind", "nowhere"], "'nowhere' is not an IP address"),
        (["--carrier", "tel:1"], "'tel:1' is not a SIP address"),
        (["--seed", "none", "--data-dir", "/dev/null/x"], "cannot make the data directory"),
        (["--tls-key", "/none"], "--tls-certificate and --tls-key go together"),
        (["--tls-certificate", "/none", "--tls-key", "/none"], "/none is not a certificate"),
        (["--such"], "No such option"),
    ],
)
def test_a_wrong_flag_is_one_line_and_nothing_starts(flags: list[str], message: str, tmp_path: Path) -> None:
    refused = run("up", "--data-dir", str(tmp_path / "data"), *flags)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()
