"""What the generated `resources` stand on: one method, `request`, which `AriClient` supplies."""

from collections.abc import Mapping
from typing import Protocol, TypeVar
from urllib.parse import quote

T = TypeVar("T")


class Requester(Protocol):
    """Sends one ARI request and returns its answer as `returns`; raises `errors.AriError`."""

    async def request(self, method: str, path: str, fields: Mapping[str, object], returns: type[T]) -> T: ...


class Resource:
    """One ARI resource (`client.channels`, `client.bridges`, ...)."""

    def __init__(self, ari: Requester) -> None:
        self._ari = ari


def segment(value: str) -> str:
    """`value` as one segment of a path: `PJSIP/1001` does not become two."""
    return quote(value, safe="")
