"""The certificate SIP over TLS is served with: one given, or one of our own making. asterisk/instance.py
hands it over.

Made by `openssl`, which comes with Debian's PostgreSQL: an authority of this Ringback (`ca.crt`, for the phones to
trust) and a certificate for its addresses, made anew when those change or it is about to expire.
"""

import json
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from routing.local.system.errors import SetupError
from routing.local.system.home import write_secret

_AUTHORITY_DAYS, _DAYS = 3650, 800
_SOON = 30 * 86400  # seconds before its end at which a certificate is replaced
_SYSTEMS = Path("/etc/ssl/certs/ca-certificates.crt")
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """PEM files: the certificate with whatever chain it needs, and its key without a password."""

    chain: Path
    key: Path


def given(chain: Path, key: Path) -> Certificate:
    """Raise SetupError unless both can be read and belong together."""
    public = [
        _openssl("x509", "-in", str(chain), "-noout", "-pubkey", what=f"{chain} is not a certificate"),
        _openssl(
            "pkey", "-in", str(key), "-pubout", "-passin", "pass:", what=f"{key} is not a key without a password"
        ),
    ]
    if public[0] != public[1]:
        raise SetupError(f"the key in {key} is not that of the certificate in {chain}")
    return Certificate(chain, key)


def own(folder: Path, names: Sequence[str]) -> Certificate:
    """The one in `folder` for these addresses and host names, made now unless it is there and good."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    made = Certificate(folder / "server.crt", folder / "server.key")
    wanted = sorted({*names, "localhost", socket.gethostname()})
    if not _is_good(made, folder, wanted):
        if not (folder / "ca.crt").exists():
            _make_authority(folder)
        _make(made, folder, wanted)
        (folder / "names.json").write_text(json.dumps(wanted))
    return made


def trusted(authorities: Path | None, ours: Path) -> str:
    """What the trunk's certificate is checked against: `authorities`, else the system's, else our own only."""
    for path in (authorities, _SYSTEMS, ours):
        try:
            if path and (text := path.read_text()):
                return text
        except (OSError, UnicodeDecodeError) as error:
            if path is authorities:
                raise SetupError(f"cannot read {path}: {getattr(error, 'strerror', 'not text')}") from None
    return ""


def _is_good(made: Certificate, folder: Path, wanted: list[str]) -> bool:
    names = folder / "names.json"
    if not (made.key.exists() and names.exists() and names.read_text() == json.dumps(wanted)):
        return False
    check = ["openssl", "x509", "-in", str(made.chain), "-noout", "-checkend", str(_SOON)]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def _make_authority(folder: Path) -> None:
    subject = f"/CN=Ringback on {socket.gethostname()}"[:64]
    extensions = _extensions("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
    _request(folder / "ca.key", folder / "ca.crt", subject, _AUTHORITY_DAYS, *extensions)


def _make(made: Certificate, folder: Path, names: list[str]) -> None:
    alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
    extensions = _extensions(
        "basicConstraints=critical,CA:FALSE",
        "extendedKeyUsage=serverAuth,clientAuth",
        f"subjectAltName={alternatives}",
    )
    signed = ("-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"))
    _request(made.key, made.chain, "/CN=Ringback", _DAYS, *extensions, *signed)


def _request(key: Path, certificate: Path, subject: str, days: int, *more: str) -> None:
    """The key never lies in a file that others can read, not for a moment. A certificate that is there is whole, and
    so is its key."""
    write_secret(key, "")
    draft = certificate.with_name(f".{certificate.name}.new")
    output = ("-keyout", str(key), "-out", str(draft), "-days", str(days), "-subj", subject)
    _openssl("req", "-x509", "-sha256", *_NEW_KEY, *output, *more, what="no certificate could be made")
    draft.replace(certificate)


def _extensions(*them: str) -> list[str]:
    return [word for each in them for word in ("-addext", each)]


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def require_openssl() -> None:
    """Raise SetupError where it is missing."""
    if shutil.which("openssl") is None:
        raise SetupError("openssl is needed for SIP over TLS: install it (apt-get install openssl)")


def _openssl(*arguments: str, what: str) -> str:
    require_openssl()
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"{what}: {(done.stderr.strip().splitlines() or ['openssl said nothing'])[0]}")
    return done.stdout
