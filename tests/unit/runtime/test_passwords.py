"""A password that cannot be checked is not a wrong one."""

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import HashingError, VerificationError

from routing.core.errors import Unavailable
from routing.runtime.passwords import Passwords


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As argon2 tells it."""

    def verify(*_: object) -> bool:
        raise VerificationError("Memory allocation error")

    def hash_(*_: object) -> str:
        raise HashingError("Memory allocation error")

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    monkeypatch.setattr(PasswordHasher, "hash", hash_)


async def test_without_memory_nobody_is_told_that_a_password_is_wrong(no_memory: None) -> None:
    with pytest.raises(Unavailable):
        await Passwords().verify("$argon2id$", "a-login-secret")
    with pytest.raises(Unavailable):
        await Passwords().verify(None, "of nobody")


async def test_without_memory_no_password_is_made(no_memory: None) -> None:
    with pytest.raises(Unavailable):
        await Passwords().hash("a-login-secret")


async def test_a_wrong_password_and_a_broken_hash_are_no() -> None:
    passwords = Passwords()
    hashed = await passwords.hash("a-login-secret")
    assert await passwords.verify(hashed, "a-login-secret")
    assert not await passwords.verify(hashed, "another")
    assert not await passwords.verify("nonsense", "another")
