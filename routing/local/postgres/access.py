"""Who may be who in a Postgres of our own: pg_hba.conf and pg_ident.conf, written anew before each start.

Nobody has a password: the kernel tells Postgres which account is at the other end of the socket. Root is every role,
as it could be anyhow; the service's account is the service's role and no other. Without root there is one account.
"""

import os
import pwd
from pathlib import Path

from routing.local.system.users import SERVICE, User
from routing.store import roles

OWNER = "ringback"
"""The cluster's first role, who owns the database; `up` alone uses it."""
_EVERY_ROLE = (OWNER, roles.SERVICE, roles.PRIVACY, roles.REPORTS)


def settings(home: Path) -> dict[str, str]:
    """Which make Postgres use the files."""
    return {"hba_file": str(home / "hba.conf"), "ident_file": str(home / "ident.conf")}


def write(home: Path, postgres: User | None) -> None:
    """`postgres`: who runs it, if that is not ourselves."""
    for path, lines in zip(
        settings(home).values(), (["local all all peer map=ringback"], _map(postgres)), strict=True
    ):
        Path(path).write_text("".join(f"{line}\n" for line in lines))
        Path(path).chmod(0o644)  # there is no secret in them


def _map(postgres: User | None) -> list[str]:
    ours = pwd.getpwuid(os.geteuid()).pw_name
    lines = [f"ringback {ours} {role}" for role in _EVERY_ROLE]
    return [*lines, f"ringback {SERVICE} {roles.SERVICE}"] if postgres else lines
