"""Our own Postgres: made, started, found again, stopped; as an unprivileged user when we are root."""

import os
import pwd
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from demo.folder import enterable_folder
from routing.local.install import postgres_binaries
from routing.local.postgres import access
from routing.local.postgres.access import OWNER
from routing.local.postgres.server import Postgres
from routing.local.system.errors import SetupError
from routing.local.system.processes import Process
from routing.local.system.users import ASTERISK, POSTGRES, SERVICE, User, account, confined, require_enterable
from routing.store import roles


@pytest.fixture
def home() -> Iterator[Path]:
    """In a folder the Postgres user can enter; pytest's own are closed to others."""
    with enterable_folder("runner") as folder:
        yield folder / "postgres"


@pytest.fixture
def cluster(home: Path) -> Postgres:
    made = Postgres(home, postgres_binaries.find_or_install(print))
    made.prepare()
    return made


@pytest.fixture
async def server(cluster: Postgres) -> AsyncIterator[Process]:
    process = await cluster.start()
    yield process
    await cluster.stop(process)


async def _one(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_new_one_is_durable_and_speaks_utf8(cluster: Postgres, server: Process) -> None:
    settings = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
    assert [await _one(cluster.dsn, f"SHOW {name}") for name in settings] == ["on"] * 4
    assert await _one(cluster.dsn, "SHOW server_encoding") == "UTF8"
    assert await _one(cluster.dsn, "SHOW listen_addresses") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop to another user")
async def test_it_does_not_run_as_root(cluster: Postgres, server: Process) -> None:
    user = account(POSTGRES)
    assert user
    assert os.stat(f"/proc/{server.pid}").st_uid == user.uid  # noqa: PTH116  # /proc does not block


def _asked_by(account_: str, role: str, cluster: Postgres) -> str:
    """What a client hears that runs as this account and wants to be this role."""
    user = pwd.getpwnam(account_)
    words = [
        cluster.bin_dir / "psql",
        "-h",
        cluster.socket_dir,
        "-U",
        role,
        "-Atc",
        "SELECT current_user",
        "postgres",
    ]
    who = confined(User(account_, user.pw_uid, user.pw_gid)) if user.pw_uid else []  # root is what it is
    command = [*who, *map(str, words)]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="without root there is one account")
async def test_root_is_every_role_the_service_s_account_only_its_own_and_no_other_account_gets_in(
    cluster: Postgres, server: Process
) -> None:
    await _one(cluster.dsn, f"CREATE ROLE {roles.SERVICE} LOGIN")
    assert _asked_by("root", OWNER, cluster) == OWNER
    assert _asked_by(SERVICE, roles.SERVICE, cluster) == roles.SERVICE
    assert "Peer authentication failed" in _asked_by(SERVICE, OWNER, cluster)
    assert "Peer authentication failed" in _asked_by(POSTGRES, OWNER, cluster)
    for other in (ASTERISK, "nobody", "daemon"):
        assert "Permission denied" in _asked_by(other, roles.SERVICE, cluster)


async def test_one_that_an_earlier_ringback_made_for_another_account_is_taken_over(cluster: Postgres) -> None:
    process = await cluster.start()
    await _one(cluster.dsn, "CREATE TABLE promise AS SELECT 1 AS kept")
    await cluster.stop(process)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (cluster.data, *cluster.data.rglob("*"), cluster.socket_dir):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        cluster.socket_dir.chmod(0o700)
    cluster.prepare()
    process = await cluster.start()
    assert await _one(cluster.dsn, "SELECT kept FROM promise") == 1
    await cluster.stop(process)


async def test_a_running_one_that_lets_others_in_is_not_adopted_as_it_is(
    cluster: Postgres, server: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier Ringback's has other settings."""
    now = cluster.adopt_as_now()
    assert now
    now.close()
    monkeypatch.setattr(access, "settings", lambda home: {"hba_file": str(home / "other.conf")})
    assert cluster.adopt_as_now() is None
    found = cluster.adopt()
    assert found
    found.close()


async def test_a_running_one_is_found_again_and_a_stopped_one_is_not(cluster: Postgres) -> None:
    process = await cluster.start()
    found = cluster.adopt()
    assert found
    assert found.pid == process.pid
    found.close()
    await cluster.stop(process)
    assert cluster.adopt() is None


async def test_what_was_committed_survives_a_kill(cluster: Postgres) -> None:
    process = await cluster.start()
    await _one(cluster.dsn, "CREATE TABLE promise AS SELECT 1 AS kept")
    process.send(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    again = await cluster.start()
    assert await _one(cluster.dsn, "SELECT kept FROM promise") == 1
    await cluster.stop(again)


async def test_a_pid_file_left_behind_does_not_stop_the_next_start(cluster: Postgres) -> None:
    (cluster.data / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster.data}\n")
    process = await cluster.start()
    await cluster.stop(process)


async def test_a_long_path_gets_a_short_socket(home: Path) -> None:
    deep = Postgres(home / ("x" * 100), postgres_binaries.find_or_install(print))
    deep.prepare()
    process = await deep.start()
    assert await _one(deep.dsn, "SELECT 1") == 1
    await deep.stop(process)
    assert not deep.socket_dir.exists()


async def test_two_run_side_by_side(cluster: Postgres, server: Process, home: Path) -> None:
    other = Postgres(home.parent / "other", cluster.bin_dir)
    other.prepare()
    process = await other.start()
    await _one(other.dsn, "CREATE TABLE only_here (x int)")
    assert await _one(cluster.dsn, "SELECT to_regclass('only_here')") is None
    await other.stop(process)


async def test_why_it_did_not_start_is_told_in_one_line(cluster: Postgres) -> None:
    (cluster.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(SetupError) as raised:
        await cluster.start()
    assert "contains errors" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_interrupted_initdb_is_begun_anew(home: Path) -> None:
    (home / "data.new").mkdir(parents=True)
    (home / "data.new/PG_VERSION").write_text("half")
    Postgres(home, postgres_binaries.find_or_install(print)).prepare()
    assert (home / "data/base").exists()


def test_a_socket_folder_of_somebody_else_is_refused(cluster: Postgres) -> None:
    cluster.socket_dir.mkdir()
    cluster.socket_dir.chmod(0o777)
    with pytest.raises(SetupError, match="is not a private folder"):
        cluster.make_socket_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop to another user")
def test_a_folder_the_postgres_user_cannot_enter_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "in").mkdir(mode=0o755, parents=True)
    closed.chmod(0o700)
    with pytest.raises(SetupError, match=r"cannot enter .*closed"):
        require_enterable(closed / "in", account(POSTGRES))


def test_a_pgbin_without_postgres_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGBIN", str(tmp_path))
    with pytest.raises(SetupError, match="has no initdb"):
        postgres_binaries.find()


def test_no_reused_pid_is_taken_for_ours(cluster: Postgres) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (cluster.data / "postmaster.pid").write_text(f"{stranger.pid}\n")
        assert cluster.adopt() is None
        stranger.kill()
