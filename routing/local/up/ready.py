"""`ringback ready`: whether the service, or its Asterisk, is ready; for health checks and units that wait for it."""

import time
import urllib.error
import urllib.request
from base64 import b64encode

from routing.runtime.settings import Settings

_POLL = 0.2
_PATIENCE = 2.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # compared, not bound


def service_is_ready(settings: Settings) -> bool:
    """Postgres, ARI, AMI and the shard are there."""
    return _says_200(f"http://{_ANY.get(settings.http_host, settings.http_host)}:{settings.http_port}/readyz", {})


def asterisk_is_ready(settings: Settings) -> bool:
    """ARI answers to our password."""
    token = b64encode(f"{settings.ari_username}:{settings.ari_password.get_secret_value()}".encode()).decode()
    return _says_200(f"{settings.ari_url.rstrip('/')}/ari/asterisk/ping", {"Authorization": f"Basic {token}"})


def gets_ready(settings: Settings, *, asterisk: bool, within: float) -> bool:
    """Look again until it is so, for that many seconds at most."""
    end = time.monotonic() + within
    while not (asterisk_is_ready if asterisk else service_is_ready)(settings):
        if time.monotonic() >= end:
            return False
        time.sleep(_POLL)
    return True


def _says_200(url: str, headers: dict[str, str]) -> bool:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  # our own settings, http only
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
