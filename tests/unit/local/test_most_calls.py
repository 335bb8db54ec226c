"""How many calls Asterisk lets in is worked out from what it has."""

from routing.local.asterisk.config import most_calls


def test_the_ports_leave_a_quarter_of_the_legs_to_agents_and_callbacks() -> None:
    assert most_calls((10000, 10799), 65536) == 300
    assert most_calls((10000, 10199), 65536) == 75


def test_few_descriptors_limit_the_calls_before_the_ports_do() -> None:
    assert most_calls((10000, 10799), 1024) == 138


def test_there_is_always_room_for_one() -> None:
    assert most_calls((10000, 10001), 64) == 1
