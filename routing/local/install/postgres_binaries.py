"""Finds the programs of a Postgres server, or has Debian install them; postgres/server.py runs them."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from routing.local.install import apt
from routing.local.system.errors import SetupError

OLDEST = 15
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/ringback.conf")


def find_or_install(say: Callable[[str], None]) -> Path:
    """The folder with `initdb` and `postgres`, installed by apt if we are root and there is none."""
    found = find()
    if found is None:
        say("installing PostgreSQL (apt-get install postgresql)")
        _install()
        found = find()
    if found is None:
        raise SetupError(f"apt installed no PostgreSQL {OLDEST} or newer: set PGBIN to a folder that has one")
    return found


def find() -> Path | None:
    """`$PGBIN`, else the newest Debian version of at least 15; None if there is neither."""
    if named := os.environ.get("PGBIN"):
        return _named(Path(named))
    versions = [(int(b.parent.name), b) for b in Path("/usr/lib/postgresql").glob("[0-9]*/bin") if _whole(b)]
    number, folder = max(versions, default=(0, None))
    return folder if number >= OLDEST else None


def version(bin_dir: Path) -> int:
    """The major version the server program tells of itself."""
    told = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True)
    match = re.search(r"\) (\d+)", told.stdout)
    return int(match[1]) if match else 0


def _named(bin_dir: Path) -> Path:
    if not _whole(bin_dir):
        raise SetupError(f"PGBIN={bin_dir} has no initdb and postgres")
    if version(bin_dir) < OLDEST:
        raise SetupError(f"PGBIN={bin_dir} is PostgreSQL {version(bin_dir)}: {OLDEST} or newer is needed")
    return bin_dir


def _whole(bin_dir: Path) -> bool:
    return all((bin_dir / name).exists() for name in ("initdb", "postgres"))


def _install() -> None:
    """Debian's package, without the cluster it would create and start of its own."""
    if not apt.possible():
        raise SetupError(
            f"PostgreSQL {OLDEST} or newer is needed: run `apt-get install postgresql` as root, or set PGBIN"
        )
    _NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    _NO_CLUSTER.write_text("create_main_cluster = false\n")
    try:
        apt.install("postgresql")
    finally:
        _NO_CLUSTER.unlink()
