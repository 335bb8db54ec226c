"""Finds the Debian mirror this machine uses already, in both spellings of apt's sources."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

from routing.local.system.errors import SetupError

_APT = Path("/etc/apt")
_ALWAYS = {"stable", "testing", "unstable", "sid"}


def mirror() -> str:
    """Its address: `RINGBACK_DEBIAN_MIRROR`, else the first Debian archive among apt's sources."""
    if named := os.environ.get("RINGBACK_DEBIAN_MIRROR"):
        return named
    ours = _ALWAYS | {_codename()}
    for uri, suites, components in sources(_APT):
        if "main" in components and ours & suites:
            return uri
    raise SetupError("no Debian mirror in /etc/apt/sources.list*: set RINGBACK_DEBIAN_MIRROR to its address")


def sources(apt: Path) -> Iterator[tuple[str, set[str], set[str]]]:
    """(address, suites, components) of every enabled source of binary packages under `apt`."""
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        if path.is_file():
            yield from _one_line(path.read_text())
    for path in sorted((apt / "sources.list.d").glob("*.sources")):
        yield from _deb822(path.read_text())


def _one_line(text: str) -> Iterator[tuple[str, set[str], set[str]]]:
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] != ["deb"]:
            continue
        rest = words[1:]
        if rest and rest[0].startswith("["):
            while rest and not rest.pop(0).endswith("]"):
                pass
        if len(rest) >= 3:
            yield rest[0], {rest[1]}, set(rest[2:])


def _deb822(text: str) -> Iterator[tuple[str, set[str], set[str]]]:
    uncommented = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in uncommented.split("\n\n"):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for uri in fields.get("uris", "").split():
            yield uri, set(fields.get("suites", "").split()), set(fields.get("components", "").split())


def _fields(stanza: str) -> dict[str, str]:
    """Keys in lower case; a line that starts with a space goes on with the field before it."""
    fields: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line[:1].isspace():
            fields[key] = f"{fields.get(key, '')} {line.strip()}"
        elif ":" in line:
            key, value = line.split(":", 1)
            key = key.strip().lower()
            fields[key] = value.strip()
    return fields


def _codename() -> str:
    """Such as `bookworm`; empty on anything but Debian itself, whose derivatives have mirrors of their own."""
    told = platform.freedesktop_os_release()
    return told.get("VERSION_CODENAME", "") if told.get("ID") == "debian" else ""
