"""Who is banned for guessing SIP passwords, who is slowed, and who never."""

from ipaddress import ip_address, ip_network

from routing.core.bans import TRIES, WINDOW, Ban, Guesses, Shut, Slow, Verdict, WrongAnswer, network_of

GUESSER, OFFICE = "203.0.113.5", "198.51.100.7"


class StreamMessage:
    """A clock that is set, and guesses by it."""

    def __init__(self) -> None:
        self.guesses = Guesses()
        self.now = 1000.0

    def wrong(
        self,
        address: str = GUESSER,
        *,
        proved: bool = True,
        spared: bool = False,
        port: int = 5060,
        account: str = "1001",
    ) -> Verdict | None:
        answer = WrongAnswer(ip_address(address), "udp", port, account, proved)
        return self.guesses.judge(answer, self.now, spared=spared)


def test_five_wrong_answers_in_a_minute_are_a_ban_whatever_accounts_they_are_for() -> None:
    told = StreamMessage()
    verdicts = [told.wrong(account=str(1000 + n), port=5000 + n) for n in range(TRIES)]
    assert verdicts == [None] * 4 + [Ban(ip_network(GUESSER), "1004")]


def test_who_mistypes_now_and_then_is_not_banned() -> None:
    told = StreamMessage()
    for _ in range(50):
        assert told.wrong() is None
        told.now += WINDOW / (TRIES - 1)


def test_after_a_ban_was_lifted_the_counting_begins_anew() -> None:
    told = StreamMessage()
    for _ in range(TRIES):
        told.wrong()
    assert [told.wrong() for _ in range(TRIES - 1)] == [None] * 4


def test_without_proof_that_the_sender_is_there_nobody_is_banned_only_slowed() -> None:
    told = StreamMessage()
    verdicts = [told.wrong(OFFICE, proved=False) for _ in range(1000)]
    assert {each for each in verdicts if each} == {Slow(ip_network(OFFICE))}
    assert [told.wrong(OFFICE) for _ in range(4)] == [None] * 4


def test_where_an_agent_s_phone_is_a_forger_does_nothing_at_all() -> None:
    told = StreamMessage()
    assert not any(told.wrong(OFFICE, proved=False, spared=True) for _ in range(1000))


def test_a_guesser_beside_an_agent_s_phone_is_shut_by_port_and_the_phone_is_not() -> None:
    told = StreamMessage()
    verdicts = [told.wrong(OFFICE, spared=True, port=port) for port in (40001,) * TRIES + (40002, 40003)]
    shut = [Shut(ip_address(OFFICE), "udp", port) for port in (40001, 40002, 40003)]
    assert verdicts == [None] * 4 + shut


def test_phones_with_one_wrong_password_each_behind_one_address_are_no_guessers() -> None:
    told = StreamMessage()
    assert not any(told.wrong(OFFICE, spared=True, account=str(n)) for n in range(1000, 1100))


def test_of_ipv6_the_whole_network_of_a_site_is_meant() -> None:
    told = StreamMessage()
    verdicts = [told.wrong(f"2001:db8:1:2::{n:x}") for n in range(TRIES)]
    assert verdicts[-1] == Ban(ip_network("2001:db8:1:2::/64"), "1001")
    assert network_of(ip_address("2001:db8:1:3::1")) != ip_network("2001:db8:1:2::/64")


def test_a_million_addresses_cost_no_more_memory_than_ten_thousand() -> None:
    told = StreamMessage()
    for n in range(30_000):
        told.wrong(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(told.guesses._tries) == 10_000
