"""Runs a command as an account without any rights, with a home of its own. For `unshare --mount`, as root.

What it has to read, this checkout and the interpreter, may lie below folders that are closed to it (/root): there it
is shown by itself. What set-up made is lent to it: to have it fetch all of it again would show nothing.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from routing.local.install.debian import cache_dir
from tests.odd_times.oddity import ROOT

NOBODY = 65534


def main(command: list[str]) -> None:
    cache = cache_dir()
    show([ROOT, Path(sys.base_prefix), cache])
    if not Path("/tmp").stat().st_mode & 0o002:
        mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp")
    home = make_home(cache)
    os.chdir(ROOT)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    others = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    os.execvpe(command[0], command, others | {"HOME": str(home)})


def make_home(cache: Path) -> Path:
    home = Path(tempfile.mkdtemp(prefix="rb-home-", dir="/tmp"))
    lent = home / ".cache/ringback"
    lent.mkdir(parents=True)
    for each in filter(Path.is_dir, cache.iterdir()):
        (lent / each.name).symlink_to(each)
    for path in (home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return home


def show(paths: Iterable[Path]) -> None:
    """Each of them, where a folder above is closed to others; instead of everything else that is in that folder."""
    aside = {}
    for path in paths:
        if closed := next((each for each in reversed(path.parents) if not each.stat().st_mode & 0o001), None):
            aside[path] = closed, Path(tempfile.mkdtemp())
            mount("--bind", str(path), str(aside[path][1]))
    for closed in {closed for closed, _ in aside.values()}:
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(closed))
    for path, (_, kept) in aside.items():
        path.mkdir(parents=True)
        mount("--move", str(kept), str(path))


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
