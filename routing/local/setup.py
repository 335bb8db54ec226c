"""`ringback setup`: everything Ringback needs found or installed, nothing started."""

import platform
import sys
from collections.abc import Callable

from routing.local import asterisk_package, certificates, postgres_binaries, prompts


def set_up(say: Callable[[str], None]) -> None:
    """Raise SetupError with one line saying what is needed where it cannot be installed."""
    say(f"Python {platform.python_version()} ({sys.executable})")
    bin_dir = postgres_binaries.find_or_install(say)
    say(f"PostgreSQL {postgres_binaries.version(bin_dir)} ({bin_dir})")
    set_up_asterisk(say)


def set_up_asterisk(say: Callable[[str], None]) -> None:
    """Asterisk and its prompts alone. Raise SetupError likewise."""
    certificates.require_openssl()
    binary = asterisk_package.find_or_install(say)
    say(f"Asterisk {binary.version} ({binary.root})")
    say(f"prompts ({prompts.spoken(binary, say)})")
