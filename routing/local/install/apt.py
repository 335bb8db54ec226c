"""Debian's packages, installed by apt where we may."""

import os
import subprocess
from pathlib import Path

from routing.local.system.errors import SetupError


def possible() -> bool:
    """Whether we are root on a Debian."""
    return os.geteuid() == 0 and Path("/usr/bin/apt-get").exists()


def install(package: str) -> None:
    """Raise SetupError with apt's last words."""
    _apt_get("update")
    _apt_get("install", "--yes", "--no-install-recommends", package)


def _apt_get(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", "-q", *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise SetupError(f"`apt-get {' '.join(arguments)}` failed: {' '.join(why)}")
