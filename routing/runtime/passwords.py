"""Passwords for the page and the API: argon2id, in a thread, as it takes tens of milliseconds on purpose."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError

from routing.core.errors import Unavailable

_HASHER = PasswordHasher()
# Verified when there is no such user, so that the answer takes as long; of no password anyone could type.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$dx8FLnS1UWqhqmD+vyvF0Q$KbeJZdBS8bP1Bc5npGQlXxs6CKGftY8u5JxSeR82adY"
_AT_ONCE = 2  # each takes 64 MiB and a core


class Passwords:
    """Hashes and verifies, few at a time. Raises Unavailable where there is no memory for it."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        async with self._room:
            return await asyncio.to_thread(_hash, password)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password. `hashed` None takes as long and is False."""
        async with self._room:
            right = await asyncio.to_thread(_verify, hashed or _NOBODY, password)
        return right and hashed is not None


def _hash(password: str) -> str:
    try:
        return _HASHER.hash(password)
    except HashingError as error:
        raise Unavailable(f"The password could not be hashed: {error}.") from None


def _verify(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    except VerificationError as error:  # nobody's fault, and not to be counted as a wrong password
        raise Unavailable(f"The password could not be checked: {error}.") from None
