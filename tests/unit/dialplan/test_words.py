"""The words in dialplan/words.py are those in extensions.conf and in Asterisk's configuration."""

import re
from pathlib import Path

import pytest

from dialplan import words
from dialplan.accounts import account_objects, body, ha1
from ivr.prompts import load

ROOT = Path(__file__).parents[3]
DIALPLAN = (ROOT / "dialplan/extensions.conf").read_text()
MODULE_OF = {
    "Answer": None,  # None: in Asterisk's core
    "Goto": None,
    "GotoIf": None,
    "Hangup": None,
    "Set": None,
    "Wait": None,
    "MusicOnHold": "res_musiconhold",
    "Playback": "app_playback",
    "Stasis": "app_stasis",
    "CALLERID": "func_callerid",
    "FILTER": "func_strings",
    "IF": "func_logic",
    "URIENCODE": "func_uri",
    "PJSIP_HEADER": "res_pjsip_header_funcs",
}


def contexts() -> dict[str, list[str]]:
    """Name -> its lines without comments."""
    found: dict[str, list[str]] = {}
    for line in DIALPLAN.splitlines():
        if heading := re.fullmatch(r"\[([\w-]+)\]", line):
            found[heading[1]] = []
        elif line and not line.startswith(";"):
            found[list(found)[-1]].append(line)
    return found


TOLD = ("${EXTEN}", "CALLERID(num)", "CALLERID(num-pres)", "Privacy")  # as parse_arrival expects them


def arguments(text: str) -> list[str]:
    """Split at the commas outside of braces."""
    parts, depth = [""], 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def config(name: str) -> str:
    return (ROOT / "asterisk-config" / name).read_text()


def test_the_dialplan_has_the_contexts_that_the_accounts_and_the_trunk_name() -> None:
    assert set(contexts()) == {"globals", words.FROM_CARRIER, words.AGENTS}
    assert f"context = {words.FROM_CARRIER}" in config("pjsip.conf")


def test_a_call_is_handed_over_with_the_arguments_that_parse_arrival_takes() -> None:
    (stasis,) = re.findall(r"Stasis\((.*)\)$", DIALPLAN, re.MULTILINE)
    app, entry, *args = arguments(stasis)
    assert (app, entry) == (words.APP, words.ENTRY)
    assert [name in arg for name, arg in zip(TOLD, args, strict=True)] == [True] * len(TOLD)


def test_whatever_a_caller_may_write_is_filtered_or_encoded() -> None:
    for written in ("${EXTEN}", "${CALLERID(num)}", "${PJSIP_HEADER(read,Privacy)}"):
        tamed = r"\$\{(?:FILTER\([a-z-]+,|URIENCODE\((?:tel:)?)" + re.escape(written)
        assert DIALPLAN.count(written) == len(re.findall(tamed, DIALPLAN))
    assert "CALLERID(name)" not in DIALPLAN


def test_every_application_and_function_of_the_dialplan_is_loaded() -> None:
    code = "\n".join(line for lines in contexts().values() for line in lines)
    used = set(re.findall(r"(?:^exten => [^,]+,1(?:\(\w+\))?|^ same => n(?:\(\w+\))?),(\w+)\(", code, re.MULTILINE))
    used |= set(re.findall(r"\$\{([A-Z_]+)\(", code))
    assert used == set(MODULE_OF)
    loaded = set(re.findall(r"^(?:load|require) = (\w+)\.so$", config("modules.conf"), re.MULTILINE))
    assert {module for module in MODULE_OF.values() if module} <= loaded


def test_every_label_that_is_jumped_to_exists() -> None:
    for lines in contexts().values():
        code = "\n".join(lines)
        labels = set(re.findall(r"(?:,1|=> n)\((\w+)\)", code))
        assert set(re.findall(r"Goto\((\w+)\)|\?(\w+)\)", code)) <= {
            *((label, "") for label in labels),
            *(("", label) for label in labels),
        }


def test_the_dialplan_plays_prompts_of_the_catalogue() -> None:
    played = set(re.findall(r"Playback\(ringback/en/([\w-]+)\)", DIALPLAN))
    assert played == {"service-down", "agents-no-dial"}
    assert played <= set(load()["en"])


def test_who_may_hear_of_rtcp_is_told_so() -> None:
    assert f"{words.TELLS_OF_RTCP} = {words.YES}" in contexts()["globals"]
    assert "eventfilter(action(include),name(RTCPReceived)) =\n" in config("manager.conf")


def test_channel_snapshots_carry_the_interaction_and_every_realm_is_ours() -> None:
    assert f"channelvars = {words.INTERACTION_ID}\n" in config("ari.conf")
    assert f"default_realm = {words.SIP_REALM}\n" in config("pjsip.conf")


@pytest.mark.parametrize(
    ("args", "arrival"),
    [
        (["call", "600", "+4930123", "allowed_not_screened", ""], words.Arrival("600", "+4930123", False)),
        (["call", "600", "+4930123", "allowed", "none"], words.Arrival("600", "+4930123", False)),
        (["call", "600", "+4930123", "prohib_passed_screen", "id"], words.Arrival("600", None, True)),
        (["call", "600", "+4930123", "allowed_not_screened", "userid"], words.Arrival("600", None, True)),
        (["call", "600", "", "allowed_not_screened", ""], words.Arrival("600", None, False)),
        (["call", "600", "", "unavailable", ""], words.Arrival("600", None, True)),
        (
            ["call", "%2B4930555100", "tel%3A%2B4930123", "allowed", ""],
            words.Arrival("+4930555100", "+4930123", False),
        ),
        (["call", "600", "tel%3A", "allowed", ""], words.Arrival("600", None, False)),
        (["call", "600", "tel:+4930123x9", "allowed", ""], words.Arrival("600", None, False)),
    ],
)
def test_an_arrival_says_who_calls_unless_they_withhold_it(args: list[str], arrival: words.Arrival) -> None:
    assert words.parse_arrival(args) == arrival


@pytest.mark.parametrize(
    ("user", "number"),
    [
        ("%2B4930555100", "+4930555100"),
        ("030%20555-100", "030555100"),
        ("%2B49%20(30)%2F55.51.00", "+4930555100"),
        ("tel%3A%2B49-30-555100", "+4930555100"),
        ("TEL:%2B4930555100", "+4930555100"),
        ("tel:tel:%2B4930555100", "+4930555100"),
        ("%2B4930555100;npdi;rn=%2B4912345", "+4930555100"),
        ("%2B4930555100%3Bnpdi%3Brn%3D12345", "+4930555100"),
        ("%2B4930555100;cic=%2B1234;user=phone", "+4930555100"),
        ("30555100;phone-context=%2B49", "+4930555100"),
        ("555100;Phone-Context=%2B49-30", "+4930555100"),
        ("%2B4930555100;phone-context=%2B33", "+4930555100"),
        ("030555100;phone-context=ims.example", "030555100"),
        ("", ""),
        ("tel:", ""),
        ("600abc", "600abc"),
        ("49%2B30", "49+30"),
        ("600%2C%22%27)$%7Bx%7D", "600,\"')${x}"),
        ("%C0%80", "\ufffd\ufffd"),
    ],
)
def test_the_number_in_a_sip_address_is_what_stands_before_its_parameters(user: str, number: str) -> None:
    assert words.number_in(user) == number


@pytest.mark.parametrize("args", [[], ["agent"], ["call", "600"], ["leg", "600", "", "allowed", ""]])
def test_other_stasis_arguments_are_no_call(args: list[str]) -> None:
    with pytest.raises(words.NotACall):
        words.parse_arrival(args)


@pytest.mark.parametrize("number", ["", "+", "+49x", "+49@evil", "49,1", "+49 1", "++49", "٤٩"])
def test_only_digits_are_dialled(number: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        words.dial_string(number)


def test_a_number_is_dialled_through_the_carrier() -> None:
    assert words.dial_string("+4915112345678") == "PJSIP/+4915112345678@carrier"


def test_an_account_is_pushed_secret_first_and_reaches_only_the_agents_context() -> None:
    objects = account_objects("1001", ha1("1001", "open sesame"))
    assert [(kind, name) for kind, name, _ in objects] == [("auth", "1001"), ("aor", "1001"), ("endpoint", "1001")]
    assert objects[2][2]["context"] == words.AGENTS
    assert "open sesame" not in str(objects)
    assert body({"max_contacts": "1"}) == {"fields": [{"attribute": "max_contacts", "value": "1"}]}
