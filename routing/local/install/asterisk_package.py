"""Finds Asterisk and flite, or unpacks Debian's packages of them into the cache; asterisk/instance.py
runs what it finds.

Nothing is installed into the host: see debian.py.
"""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from routing.local.install import debian
from routing.local.install.debian import Locked
from routing.local.system.errors import SetupError

Version = tuple[int, int, int]
# Older ones have published holes, unauthenticated crashes among them (GHSA-8jw3-ccr9-xrmf, GHSA-vrfp-mg3q-3959):
OLDEST: Mapping[int, Version] = {20: (20, 20, 1), 22: (22, 10, 1), 23: (23, 4, 1)}
_OLDEST_WORDS = "22.10.1 (or 20.20.1, or 23.4.1)"
_VOICE = "en_US_f_Allison"
_LOCK = Path(__file__).with_name("asterisk.lock.toml")


@dataclass(frozen=True)
class AsteriskBinary:
    """An Asterisk to run. `argv` starts it (its own loader first, where it was unpacked)."""

    argv: tuple[str, ...]
    version: str
    root: Path
    modules: Path
    data: Path  # holds documentation/ and rest-api/
    sounds: Path  # the core sounds in English, 8 kHz wav


@dataclass(frozen=True)
class Flite:
    """The speech synthesiser; `argv` starts it."""

    argv: tuple[str, ...]


def check_version(told: str, *, allow_old: bool = False) -> Version:
    """The version in what Asterisk says of itself, such as `Asterisk 22.10.1~dfsg+~cs6`. Raise SetupError if old."""
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", told)
    if match is None:
        raise SetupError(f"cannot tell the version of Asterisk from {told[:60]!r}")
    version = (int(match[1]), int(match[2]), int(match[3]))
    if not allow_old and not _new_enough(version):
        raise SetupError(f"Asterisk {_dotted(version)} has known security holes: {_OLDEST_WORDS} or newer is needed")
    return version


def find_or_install(say: Callable[[str], None]) -> AsteriskBinary:
    """The Asterisk on PATH if it is new and whole, else the one in the cache, unpacked there if need be."""
    found = find(say)
    if found is None:
        with debian.locked(debian.cache_dir()):
            found = _in_cache(_nothing) or _unpack_asterisk(say)
    return found


def find(say: Callable[[str], None]) -> AsteriskBinary | None:
    """The one that would be used; why another is not, is said."""
    return _on_path(say) or _in_cache(say)


def find_or_install_flite(say: Callable[[str], None]) -> Flite:
    """flite on PATH, else from the cache, unpacked there if need be."""
    if on_path := shutil.which("flite"):
        return Flite((on_path,))
    target = debian.cache_dir() / "flite"
    if not debian.manifest(target):
        with debian.locked(debian.cache_dir()):
            if not debian.manifest(target):
                debian.unpack(_lock("flite"), target, say)
    return Flite((*_loader(target), str(target / "usr/bin/flite")))


def _on_path(say: Callable[[str], None]) -> AsteriskBinary | None:
    """None, with the reason said, if there is one that will not do."""
    program = shutil.which("asterisk") or shutil.which("asterisk", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    try:
        return _host_asterisk(program)
    except SetupError as error:
        say(f"{program} is not used: {error}")
        return None


def _host_asterisk(program: str) -> AsteriskBinary:
    told = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stdout
    version = check_version(told)
    modules = _first("modules", *Path("/usr/lib").glob("*/asterisk/modules"), Path("/usr/lib/asterisk/modules"))
    data = _first("rest-api files", *(p for p in _HOST_DATA if (p / "rest-api").is_dir()))
    sounds = _first("core sounds", *(p / "sounds" / _VOICE for p in _HOST_DATA))
    return AsteriskBinary((program,), _dotted(version), Path("/"), modules, data, sounds)


_HOST_DATA = (Path("/usr/share/asterisk"), Path("/var/lib/asterisk"))


def _first(what: str, *candidates: Path) -> Path:
    for path in candidates:
        if path.is_dir():
            return path
    raise SetupError(f"it has no {what} where Debian keeps them")


def _nothing(_: str) -> None:
    """It was said before."""


def _in_cache(say: Callable[[str], None]) -> AsteriskBinary | None:
    """The newest good one; it needs no network. Others are named, to be removed."""
    try:
        folders = list(debian.cache_dir().glob("asterisk-*"))
    except OSError:  # closed to us: `locked` will say so
        return None
    found = []
    for folder in folders:
        try:
            found.append(_unpacked(folder))
        except SetupError as error:
            say(f"{folder} is not used: {error}")
    return max(found, key=lambda binary: check_version(binary.version), default=None)


def _unpack_asterisk(say: Callable[[str], None]) -> AsteriskBinary:
    draft = debian.cache_dir() / "asterisk.new"
    versions = debian.unpack(_lock("asterisk"), draft, say)
    try:
        version = check_version(versions["asterisk"])
    except SetupError as error:
        shutil.rmtree(draft)
        raise SetupError(f"{error}; the mirror has no newer one: set RINGBACK_DEBIAN_MIRROR to another") from None
    _require_libraries(draft)
    target = debian.cache_dir() / f"asterisk-{_dotted(version)}-{len(_lock('asterisk'))}"
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    binary = _unpacked(target)
    say(f"Asterisk {binary.version} is in {target}")
    return binary


def _unpacked(folder: Path) -> AsteriskBinary:
    """What an earlier Ringback unpacked there may lack a package that we need, or be old: raise SetupError."""
    versions, locks = debian.manifest(folder), _lock("asterisk")
    if missing := locks.keys() - versions.keys():
        raise SetupError(f"it is without {min(missing)}")
    version = check_version(versions["asterisk"])
    for name, lock in locks.items():
        if lock and debian.older(versions[name], lock.version):
            raise SetupError(f"its {name} {versions[name]} is older than {lock.version}, what we know to be good")
    share = folder / "usr/share/asterisk"
    return AsteriskBinary(
        argv=(*_loader(folder), str(folder / "usr/sbin/asterisk")),
        version=_dotted(version),
        root=folder,
        modules=_library_dir(folder) / "asterisk/modules",
        data=share,
        sounds=share / "sounds" / _VOICE,
    )


def _require_libraries(folder: Path) -> None:
    """Ask the loader whether all libraries are there: a newer Debian package may need one more."""
    for part in (folder / "usr/sbin/asterisk", _library_dir(folder) / "asterisk/modules/res_srtp.so"):
        command = [*_loader(folder), "--list", str(part)]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        missing = [line.split()[0] for line in told.stdout.splitlines() if "not found" in line]
        if missing or told.returncode:
            what = ", ".join(missing) or told.stderr.strip()
            raise SetupError(f"Debian's asterisk now needs libraries that are not in {_LOCK.name}: {what}")


def _loader(folder: Path) -> tuple[str, ...]:
    """The unpacked C library's own program loader: the host's may be older than what the programs need."""
    library = _library_dir(folder)
    loader = next(library.glob("ld-linux*.so.*"))
    return (str(loader), "--library-path", str(library))


def _library_dir(folder: Path) -> Path:
    return next(folder.glob("usr/lib/*-linux-gnu"))


def _lock(name: str) -> Mapping[str, Locked | None]:
    """Package -> lock for this architecture; None where only the name is known."""
    content = tomllib.loads(_LOCK.read_text())
    locks = content.get("locked", {}).get(debian.architecture(), {})
    return {package: Locked(**locks[package]) if package in locks else None for package in content["packages"][name]}


def _new_enough(version: Version) -> bool:
    oldest = OLDEST.get(version[0])
    return version >= oldest if oldest else version[0] > max(OLDEST)


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
