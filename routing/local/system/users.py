"""The accounts the parts run as when we are root: each has one of its own, and none can read what is another's.

Without root everything runs as ourselves.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from routing.local.system.errors import SetupError

SERVICE, ASTERISK, POSTGRES = "ringback", "ringback-asterisk", "ringback-postgres"
_ALL = (SERVICE, ASTERISK, POSTGRES)


@dataclass(frozen=True)
class User:
    name: str
    uid: int
    gid: int


def account(name: str) -> User | None:
    """Whom that part runs as; None when we are not root: as ourselves. Raise SetupError for one that is missing."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise SetupError(f"there is no account {name}: run `ringback setup` as root, which makes it") from None
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)


def make_accounts(say: Callable[[str], None]) -> None:
    """Those that are missing: system accounts nobody can log in to, with no folder of their own. Root only."""
    for name in _ALL if os.geteuid() == 0 else ():
        if not _exists(name):
            say(f"making the account {name} (useradd)")
            _make(name)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _make(name: str) -> None:
    """Debian's useradd; its adduser is not on every machine."""
    told = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command = ["useradd", *told, "--shell", "/usr/sbin/nologin", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SetupError(f"useradd is needed to make the account {name}: install it (package passwd)") from None
    if done.returncode and not _exists(name):  # another set-up may have been quicker
        raise SetupError(f"cannot make the account {name}: {done.stderr.strip() or done.returncode}")


def confined(user: User | None) -> list[str]:
    """The command that gives up root and every capability for good, and then becomes the command that follows it."""
    program = shutil.which("setpriv")
    if program is None:
        raise SetupError("setpriv is needed to run programs without root's rights: install util-linux")
    command = [program, "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all"]
    if user:
        identity = [f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups"]
        command += [*identity, "--bounding-set=-all"]
    return [*command, "--"]


def give(folder: Path, user: User) -> None:
    """What is in the folder, too, unless it is theirs already: an earlier Ringback had other accounts.

    Not each time: whoever owns a folder could have us give away what they put there.
    """
    if folder.stat().st_uid == user.uid:
        return
    for path in (*folder.rglob("*"), folder):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)


def may(user: User | None, condition: str, *paths: Path) -> bool:
    """Whether the user sees that condition of `test` (`-r`, `-x`) fulfilled for all of these paths."""
    words = [word for path in paths for word in ("-a", condition, str(path))][1:]
    return subprocess.run([*confined(user), "/usr/bin/test", *words], cwd="/", check=False).returncode == 0


def require_enterable(directory: Path, user: User | None) -> None:
    """Raise SetupError unless `user` can enter `directory`, which needs the x bit on every parent."""
    if user and not may(user, "-x", directory):
        raise SetupError(
            f"the account {user.name} cannot enter {directory}: choose another --data-dir, such as /var/lib/ringback"
        )
