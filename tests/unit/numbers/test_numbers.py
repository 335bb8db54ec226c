"""Dirty numbers of the real world: what they are, and which rule refuses them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.core.numbers import E164, Rule, facts, refusal, to_e164
from routing.core.numbers.rules import PERMANENT, read
from routing.core.queues import Queue

GERMAN = Queue(name="support")
EVERYWHERE = ("+1", "+2", "+3", "+4", "+5", "+6", "+7", "+8", "+9")
OPEN = Queue(name="support", numbers_allowed=EVERYWHERE)
AMERICAN = Queue(name="support", region="US", time_zone="America/New_York")
NORTH_AMERICAN = Queue(name="support", region="US", time_zone="America/New_York", numbers_allowed=("+1",))


def verdict(raw: str | None, queue: Queue = GERMAN) -> str | None:
    """The rule that refuses it, None when it is called."""
    number = read(raw, queue)
    return number if isinstance(number, Rule) else refusal(number, queue)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("+4915112345678", "+4915112345678"),
        ("015112345678", "+4915112345678"),
        ("0049 151 12345678", "+4915112345678"),
        ("+49 (0)30 231250", "+4930231250"),
        ("030/231250", "+4930231250"),
        ("0151-123.456.78", "+4915112345678"),
    ],
)
def test_numbers_are_read_as_the_queues_region_dials_them(raw: str, number: str) -> None:
    assert read(raw, GERMAN) == number
    assert verdict(raw) is None


@pytest.mark.parametrize("raw", [None, "", "  ", "anonymous", "Anonymous", "unknown", "restricted"])
def test_who_withholds_the_number_has_none(raw: str | None) -> None:
    assert verdict(raw) == "withheld"


@pytest.mark.parametrize(
    "raw",
    [
        "abc",
        "+",
        "++4915112345678",
        "0",
        "+49",
        "+4930",
        "+0015112345678",
        "+99912345678",
        "9" * 400,
        "+" + "1" * 30,
        "+49151\x0012345678",
        "+4915112345678;ext=5",
        "+4915112345678\n",
        "sip:+4915112345678@example.org",
        "\u0660\u0661\u0665\u0661\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",  # Arabic digits
        "\uff0b4915112345678",  # a full-width plus
        "${EXTEN}",
        "'; DROP TABLE interactions; --",
        "+882137654321",
    ],
)
def test_what_is_no_number_is_invalid(raw: str) -> None:
    assert verdict(raw) == "invalid"
    assert to_e164(raw, "DE") is None


@pytest.mark.parametrize(
    ("raw", "region"),
    [("112", "DE"), ("110", "DE"), ("+49112", "DE"), ("1-1-2", "DE"), ("911", "US"), ("+1911", "US"), ("999", "GB")],
)
def test_emergency_numbers_are_never_called(raw: str, region: str) -> None:
    assert verdict(raw, Queue(name="a", region=region)) == "emergency"


@pytest.mark.parametrize("raw", ["115", "116117", "118000", "22833"])
def test_short_numbers_are_never_called(raw: str) -> None:
    assert verdict(raw) == "short"


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("+499001123456", "premium_rate"),  # Germany 0900
        ("+33899123456", "premium_rate"),  # France 0899
        ("+449012345678", "premium_rate"),  # United Kingdom 090
        ("+19005551234", "premium_rate"),  # North America 900
        ("+43900123456", "premium_rate"),  # Austria 0900
        ("+41900123456", "premium_rate"),  # Switzerland 0900
        ("+979123456789", "premium_rate"),  # international premium rate
        ("+491801234567", "shared_cost"),  # Germany 0180
        ("+80812345678", "shared_cost"),  # international shared cost
        ("+447600123456", "pager"),
        ("+491681234567", "pager"),
        ("+447012345678", "personal_number"),  # the United Kingdom's 070, known for call-back fraud
        ("+4970012345678", "personal_number"),
        ("+881612345678", "satellite"),  # Iridium and others
        ("+870773111632", "satellite"),  # Inmarsat
        ("+88299123456", "satellite"),
        ("+883510012345", "satellite"),
    ],
)
@pytest.mark.parametrize("queue", [GERMAN, OPEN], ids=["default", "everything allowed"])
def test_costly_kinds_are_refused_whatever_a_queue_allows(number: str, rule: str, queue: Queue) -> None:
    assert verdict(number, queue) == rule


def test_uan_and_voicemail_access_are_refused_too() -> None:
    assert facts("+443012345678").kind == "uan"
    assert verdict("+443012345678", OPEN) == "uan"
    assert verdict("+491651234567890", OPEN) in ("voicemail", "invalid")


def test_by_default_the_numbers_of_the_queues_country_are_called_and_no_others() -> None:
    assert verdict("+4915112345678") is None
    assert verdict("+498001234567") is None
    for foreign in ("+436601234567", "+442071838750", "+16505551234", "+80012345678", "+37120000000"):
        assert verdict(foreign) == "country", foreign


@pytest.mark.parametrize("number", ["+441534123456", "+447624123456"])  # Jersey, Isle of Man
def test_islands_that_share_a_country_code_are_another_country(number: str) -> None:
    assert verdict(number, Queue(name="a", region="GB", time_zone="Europe/London")) == "country"


CARIBBEAN = {
    "+12642351234": "AI",
    "+12684641234": "AG",
    "+12423456789": "BS",
    "+12462501234": "BB",
    "+14413701234": "BM",
    "+12843001234": "VG",
    "+13453231234": "KY",
    "+17672251234": "DM",
    "+18092345678": "DO",
    "+14734031234": "GD",
    "+18762101234": "JM",
    "+16644923456": "MS",
    "+18697652917": "KN",
    "+17582845678": "LC",
    "+17844301234": "VC",
    "+18682911234": "TT",
    "+16492311234": "TC",
    "+16713001234": "GU",
    "+17872345678": "PR",
}


@pytest.mark.parametrize(("number", "region"), CARIBBEAN.items(), ids=CARIBBEAN.values())
def test_plus_one_of_the_islands_is_refused_unless_a_longer_prefix_allows_it(number: str, region: str) -> None:
    assert facts(number).region == region
    allowed = Queue(name="a", region="US", numbers_allowed=("+1", number[:5]))
    at_home = Queue(name="a", region=region)
    assert (verdict(number, NORTH_AMERICAN), verdict(number, AMERICAN)) == ("overseas", "overseas")
    assert (verdict(number, allowed), verdict(number, at_home)) == (None, None)


def test_less_than_an_area_code_does_not_mean_the_islands() -> None:
    queue = Queue(name="a", region="US", numbers_allowed=("+12",))
    assert verdict("+12462501234", queue) == "overseas" and verdict("+12025550123", queue) is None


def test_plus_one_means_the_us_and_canada_and_the_us_alone_where_nothing_is_said() -> None:
    assert verdict("+16505551234", NORTH_AMERICAN) is None and verdict("+14165551234", NORTH_AMERICAN) is None
    assert verdict("+16505551234", AMERICAN) is None and verdict("+14165551234", AMERICAN) is not None


@pytest.mark.parametrize(
    ("allowed", "denied", "rule"),
    [
        (("+49",), (), None),
        (("+4",), (), None),
        (("+43",), (), "country"),
        ((), ("+49151",), "denied"),
        ((), ("+4",), "denied"),
        (("+49",), ("+49",), "denied"),
        (("+49",), ("+49151",), "denied"),
        (("+49151",), ("+49",), None),
        (("+49151", "+4915112"), ("+491511",), None),
        (("+4915112345678",), ("+4915112345678",), "denied"),
    ],
)
def test_the_longest_prefix_decides_and_denied_wins_a_draw(
    allowed: tuple[str, ...], denied: tuple[str, ...], rule: str | None
) -> None:
    assert verdict("+4915112345678", Queue(name="a", numbers_allowed=allowed, numbers_denied=denied)) == rule


def test_a_typed_number_has_to_be_of_the_queues_country() -> None:
    queue = Queue(name="a", numbers_allowed=("+49", "+43"))
    assert refusal("+436601234567", queue) is None
    assert refusal("+436601234567", queue, typed=True) is Rule.FOREIGN
    assert refusal("+4915112345678", queue, typed=True) is None


def test_every_rule_has_a_word_and_a_sentence() -> None:
    for rule in Rule:
        assert str(rule) == rule.value and rule.explanation.endswith(".")
    assert Rule("do_not_call") is Rule.DO_NOT_CALL and Rule.WINDOW not in PERMANENT


@settings(max_examples=50)
@given(st.one_of(st.text(max_size=60), st.from_regex(r"\+?[0-9 ()./-]{0,40}", fullmatch=True)))
def test_whatever_comes_in_is_refused_or_an_e164_number(raw: str) -> None:
    for queue in (GERMAN, AMERICAN):
        read_as = read(raw, queue)
        assert isinstance(read_as, Rule) or E164.fullmatch(read_as)
        if (number := to_e164(raw, queue.region)) is not None:
            assert E164.fullmatch(number) and to_e164(number, queue.region) == number


@given(st.from_regex(E164, fullmatch=True))
def test_of_any_number_there_are_facts_and_a_verdict(number: str) -> None:
    assert facts(number).e164 == number
    assert refusal(number, GERMAN) in {None, *Rule}


@given(
    st.sampled_from(["+4915112345678", "+16505551234", "+12462501234", "+442071838750"]),
    st.lists(st.integers(1, 12), max_size=3),
    st.lists(st.integers(1, 12), max_size=3),
)
def test_to_deny_more_never_allows_more(number: str, allowed: list[int], denied: list[int]) -> None:
    allows = tuple(number[: each + 1] for each in allowed)
    queue = Queue(name="a", numbers_allowed=allows)
    stricter = Queue(name="a", numbers_allowed=allows, numbers_denied=tuple(number[: each + 1] for each in denied))
    assert refusal(number, stricter) or not refusal(number, queue)
