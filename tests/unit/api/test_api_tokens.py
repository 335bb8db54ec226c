"""Remembered tokens and slowed-down guessers, on a clock that is set."""

import asyncio

import pytest

from routing.api.http import auth, login_throttle
from routing.api.http.errors import STATUS_OF, problem_of
from routing.api.http.rates import Rates
from routing.core.errors import Invalid, RateLimited, RingbackError, Unauthenticated
from routing.store import tokens
from routing.store.tokens import Identity, Role


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def valid(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, Identity]:
    """The tokens Postgres would know; every look at it is noted under b"looks"."""
    known: dict[bytes, Identity] = {}

    async def lookup(_: object, token_hash: bytes) -> Identity | None:
        LOOKS.append(token_hash)
        return known.get(token_hash)

    async def revoke(_: object, token_hash: bytes) -> None:
        known.pop(token_hash, None)

    LOOKS.clear()
    monkeypatch.setattr(tokens, "lookup", lookup)
    monkeypatch.setattr(tokens, "revoke", revoke)
    return known


LOOKS: list[bytes] = []
ADA = Identity(Role.AGENT, "1001")


async def test_a_token_is_looked_up_once_in_a_while(valid: dict[bytes, Identity], clock: Clock) -> None:
    known = auth.Tokens(None, clock)  # type: ignore[arg-type]
    valid[b"t"] = ADA

    assert [await known.identity(b"t") for _ in range(3)] == [ADA] * 3
    assert len(LOOKS) == 1
    clock.now += auth.REMEMBERED
    del valid[b"t"]
    assert await known.identity(b"t") is None


async def test_a_revoked_token_is_forgotten_at_once(valid: dict[bytes, Identity], clock: Clock) -> None:
    known = auth.Tokens(None, clock)  # type: ignore[arg-type]
    valid[b"t"] = ADA
    await known.identity(b"t")

    await known.revoke(b"t")

    assert await known.identity(b"t") is None


async def test_guessed_tokens_are_not_remembered(valid: dict[bytes, Identity], clock: Clock) -> None:
    known = auth.Tokens(None, clock)  # type: ignore[arg-type]

    for _ in range(3):
        assert await known.identity(b"guess") is None

    assert len(LOOKS) == 3
    assert known._known == {}


async def fail(slow: login_throttle.LoginThrottle, user: str = "ada", peer: str = "10.0.0.1") -> None:
    with pytest.raises(Unauthenticated):
        async with slow.attempt(user, peer):
            raise Unauthenticated


async def test_after_five_failures_a_guesser_waits_out_the_minute(clock: Clock) -> None:
    slow = login_throttle.LoginThrottle(clock)
    for _ in range(login_throttle.FAILURES):
        await fail(slow)
        clock.now += 1

    with pytest.raises(RateLimited) as refused:
        async with slow.attempt("ada", "10.0.0.1"):
            pass

    assert refused.value.retry_after == login_throttle.WINDOW - login_throttle.FAILURES
    await fail(slow, peer="10.0.0.2")
    await fail(slow, user="bob")
    clock.now += refused.value.retry_after + 1
    async with slow.attempt("ada", "10.0.0.1"):
        pass


async def test_a_success_forgives_the_failures_before_it(clock: Clock) -> None:
    slow = login_throttle.LoginThrottle(clock)
    for _ in range(3):
        for _ in range(login_throttle.FAILURES - 1):
            await fail(slow)
        async with slow.attempt("ada", "10.0.0.1"):
            pass


async def test_a_user_is_guessed_at_from_a_thousand_places_no_faster_than_twenty_times_a_minute(clock: Clock) -> None:
    slow = login_throttle.LoginThrottle(clock)
    for n in range(login_throttle.USER_FAILURES):
        await fail(slow, peer=f"10.0.0.{n}")

    with pytest.raises(RateLimited) as refused:
        async with slow.attempt("ada", "10.0.1.1"):
            pass

    assert refused.value.retry_after == login_throttle.WINDOW
    clock.now += login_throttle.WINDOW + 1
    async with slow.attempt("ada", "10.0.1.1"):
        pass


async def test_a_place_tries_passwords_on_all_users_no_faster_than_fifty_times_a_minute(clock: Clock) -> None:
    slow = login_throttle.LoginThrottle(clock)
    for n in range(login_throttle.PEER_FAILURES):
        await fail(slow, user=f"user{n}")

    with pytest.raises(RateLimited):
        async with slow.attempt("ada", "10.0.0.1"):
            pass
    async with slow.attempt("ada", "10.0.0.2"):
        pass


async def test_nobody_is_kept_out_by_others_where_they_have_been_in(clock: Clock) -> None:
    slow = login_throttle.LoginThrottle(clock)
    async with slow.attempt("ada", "10.0.0.1"):
        pass
    for n in range(login_throttle.USER_FAILURES):
        await fail(slow, peer=f"10.0.1.{n}")
    for n in range(login_throttle.PEER_FAILURES):
        await fail(slow, user=f"user{n}")

    async with slow.attempt("ada", "10.0.0.1"):
        pass


async def test_a_place_that_is_kept_out_keeps_nobody_else_out(clock: Clock) -> None:
    slow = login_throttle.LoginThrottle(clock)
    for n in range(login_throttle.PEER_FAILURES):
        await fail(slow, user=f"user{n}")

    for _ in range(login_throttle.USER_FAILURES):
        with pytest.raises(RateLimited):
            async with slow.attempt("ada", "10.0.0.1"):
                pass

    async with slow.attempt("ada", "10.0.0.2"):
        pass


async def test_logins_that_succeed_use_nothing_up(clock: Clock) -> None:
    slow = login_throttle.LoginThrottle(clock)

    for n in range(3 * login_throttle.PEER_FAILURES):
        async with slow.attempt(f"user{n}", "10.0.0.1"):
            pass


async def test_guessers_under_ever_new_names_do_not_fill_the_memory(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_throttle, "_MOST", 10)
    slow = login_throttle.LoginThrottle(clock)

    for n in range(100):
        await fail(slow, user=str(n), peer=f"10.0.0.{n}")

    assert len(slow._tries) == len(slow._users) == len(slow._peers) == 10


def test_a_token_makes_a_hundred_requests_a_second_and_as_many_at_once(clock: Clock) -> None:
    rates = Rates(100, clock)
    for _ in range(100):
        rates.take(b"t")

    with pytest.raises(RateLimited) as refused:
        rates.take(b"t")
    assert refused.value.retry_after == 1
    rates.take(b"another token")
    for _ in range(50):
        clock.now += 0.01
        rates.take(b"t")
    with pytest.raises(RateLimited):
        rates.take(b"t")


async def test_a_token_revoked_elsewhere_is_found_out_and_its_streams_end(
    valid: dict[bytes, Identity], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def still(_: object, hashes: set[bytes]) -> set[bytes]:
        return hashes & valid.keys()

    monkeypatch.setattr(tokens, "valid", still)
    monkeypatch.setattr(auth, "WATCH", 0)
    known = auth.Tokens(None, clock)  # type: ignore[arg-type]
    valid.update({b"t": ADA, b"kept": ADA, b"streaming": ADA})
    for token in (b"t", b"kept"):
        await known.identity(token)
    gone: asyncio.Queue[bytes] = asyncio.Queue()
    watching = asyncio.create_task(known.watch(lambda: [b"streaming"], gone.put_nowait))

    del valid[b"t"], valid[b"streaming"]

    assert {await gone.get(), await gone.get()} == {b"t", b"streaming"}
    watching.cancel()
    assert await known.identity(b"t") is None
    assert set(known._known) == {b"kept"}


def test_every_error_of_the_domain_has_a_status() -> None:
    def kinds(of: type[RingbackError]) -> list[type[RingbackError]]:
        return [each for kind in of.__subclasses__() for each in (kind, *kinds(kind))]

    codes = {
        kind.code
        for kind in kinds(RingbackError)
        if kind.__module__ in ("routing.core.errors", "routing.api.http.errors")
    }
    assert codes == set(STATUS_OF)


def test_a_problem_says_what_is_wrong_and_where() -> None:
    problem = problem_of(Invalid("There is no queue x.", "/queues/0/queue"))

    assert (problem.code, problem.status, problem.type) == ("invalid", 422, "urn:ringback:problem:invalid")
    assert problem.title == "The input is not valid."
    assert [(each.pointer, each.detail) for each in problem.errors] == [("/queues/0/queue", "There is no queue x.")]
