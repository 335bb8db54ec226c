"""The unprivileged account that runs Postgres when we are root (Postgres refuses to run as root)."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from routing.local.errors import SetupError


@dataclass(frozen=True)
class User:
    name: str
    uid: int
    gid: int


def unprivileged_user() -> User | None:
    """The account to drop to, or None when we are not root and need not drop."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise SetupError("no account to run Postgres as: create one with `adduser --system postgres`")


def require_enterable(directory: Path, user: User | None) -> None:
    """Raise SetupError unless `user` can enter `directory`, which needs the x bit on every parent."""
    if user is None:
        return
    test = subprocess.run(
        ["/usr/bin/test", "-x", str(directory)],
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    if test.returncode:
        raise SetupError(
            f"the user {user.name} (Postgres does not run as root) cannot enter {directory}: "
            f"choose another --data-dir, such as /var/lib/ringback"
        )
