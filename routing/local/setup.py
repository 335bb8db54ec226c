"""`ringback setup`: everything Ringback needs found or installed, nothing started."""

import platform
import sys
from collections.abc import Callable

from routing.local.asterisk import prompts
from routing.local.firewall import table
from routing.local.install import apt, asterisk_package, postgres_binaries
from routing.local.system import certificates
from routing.local.system.users import make_accounts


def set_up(say: Callable[[str], None]) -> None:
    """Raise SetupError with one line saying what is needed where it cannot be installed."""
    say(f"Python {platform.python_version()} ({sys.executable})")
    bin_dir = postgres_binaries.find_or_install(say)
    say(f"PostgreSQL {postgres_binaries.version(bin_dir)} ({bin_dir})")
    set_up_asterisk(say)


def set_up_asterisk(say: Callable[[str], None]) -> None:
    """Asterisk, its prompts and the accounts alone. Raise SetupError likewise."""
    make_accounts(say)
    certificates.require_openssl()
    _set_up_firewall(say)
    binary = asterisk_package.find_or_install(say)
    say(f"Asterisk {binary.version} ({binary.root})")
    say(f"prompts ({prompts.spoken(binary, say)})")


def _set_up_firewall(say: Callable[[str], None]) -> None:
    """Whoever is not root cannot use it, and does without."""
    if table.find() is None and apt.possible():
        say("installing nftables (apt-get install nftables)")
        apt.install("nftables")
    say(f"nftables ({table.find() or 'not there: nobody is shut out who guesses SIP passwords'})")
