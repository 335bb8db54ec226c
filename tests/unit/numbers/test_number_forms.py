"""Every way to write a number, for every kind of number of every country: never another number than the right one."""

from collections.abc import Iterator
from urllib.parse import quote

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from dialplan import words
from routing.core.events import NumberFormat
from routing.core.numbers import readings, to_e164, typed
from routing.core.numbers.rules import Rule, explanation, read
from routing.core.queues import Queue

# A region for each way of dialling abroad and within the country, as far as they differ in kind.
REGIONS = ("DE", "GB", "FR", "IT", "US", "RU", "HU", "AU", "BR", "CO", "FI", "HK", "KR", "CL")


def _examples() -> Iterator[str]:
    kinds = [code for code in vars(PhoneNumberType).values() if isinstance(code, int)]
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        yield from (_plus(phonenumbers.example_number_for_type(region, kind)) for kind in kinds)
    for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        yield _plus(phonenumbers.example_number_for_non_geo_entity(code))


def _plus(number: phonenumbers.PhoneNumber | None) -> str:
    valid = number is not None and phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if valid else ""


EXAMPLES = sorted({number for number in _examples() if len(number) > 7})


def of_region(number: str, region: str) -> bool:
    return bool(phonenumbers.is_valid_number_for_region(phonenumbers.parse(number), region))


def national(number: str, separated: bool = True) -> str:
    text: str = phonenumbers.format_number(phonenumbers.parse(number), PhoneNumberFormat.NATIONAL)
    return text if separated else "".join(each for each in text if each.isdigit())


def prefix_abroad(region: str) -> str:
    """One that is dialled there."""
    known = PhoneMetadata.metadata_for_region(region)
    plain = known.preferred_international_prefix or known.international_prefix
    return {"BR": "0015", "CL": "110", "CO": "009", "HK": "001", "KR": "002", "FI": "990", "RU": "810"}.get(
        region, plain
    )


def test_there_are_a_thousand_examples_of_all_countries_and_kinds() -> None:
    countries = {phonenumbers.parse(number).country_code for number in EXAMPLES}
    kinds = {phonenumbers.number_type(phonenumbers.parse(number)) for number in EXAMPLES}
    assert len(EXAMPLES) >= 1000 and len(countries) >= 210 and len(kinds) >= 10


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_somebody_wrote_is_never_read_as_another(region: str) -> None:
    """A trunk or a client of the API that writes numbers in whatever form."""
    read_right = 0
    for number in EXAMPLES:
        forms = [number[1:], f"00{number[1:]}", prefix_abroad(region) + number[1:]]
        forms += [national(number), national(number, separated=False)] if of_region(number, region) else []
        assert to_e164(number, region) == number
        for form in forms:
            found = to_e164(form, region)
            assert found in (number, None), (form, number)
            read_right += found == number
    assert read_right > 2000, "most of them can only mean one number"


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_somebody_keyed_in_is_never_taken_for_another(region: str) -> None:
    """As one dials in that country: what is keyed in there without a prefix, but needs one, is no number."""
    abroad = 0
    for number in EXAMPLES:
        for form in (f"00{number[1:]}", prefix_abroad(region) + number[1:]):
            found = typed(form, region)
            assert found in (number, None), (form, number)
            abroad += found == number
        found = typed(number[1:], region)
        if found not in (number, None):  # Russia's 8 begins Vietnam's numbers, and there 8 is what one dials first
            assert national(found, separated=False) == number[1:] and number[1:].startswith("8")
    assert abroad > 1000


@pytest.mark.parametrize("region", REGIONS)
def test_the_numbers_of_a_country_are_read_as_they_are_dialled_there(region: str) -> None:
    ours = [number for number in EXAMPLES if of_region(number, region)]
    forms = [national(number, separated=False) for number in ours]
    as_dialled = [to_e164(form, region, NumberFormat.NATIONAL) for form in forms]
    keyed_in = [typed(form, region) for form in forms]
    assert len(ours) >= 3
    assert sum(found == number for found, number in zip(as_dialled, ours, strict=True)) >= len(ours) - 1
    assert sum(found == number for found, number in zip(keyed_in, ours, strict=True)) >= len(ours) - 1
    assert {*as_dialled, *keyed_in} <= {None, *ours}


@pytest.mark.parametrize("region", ["DE", "US", "RU"])
def test_a_trunk_that_is_known_to_leave_out_the_plus_is_read_so(region: str) -> None:
    for number in EXAMPLES:
        assert to_e164(number[1:], region, NumberFormat.E164_NO_PLUS) == number
        assert to_e164(number[1:], region, NumberFormat.E164) is None
        assert to_e164(number, region, NumberFormat.NATIONAL) == number


def test_however_a_sip_address_writes_a_number_it_is_the_same_one() -> None:
    for number in EXAMPLES:
        parsed = phonenumbers.parse(number)
        forms = [number, phonenumbers.format_number(parsed, PhoneNumberFormat.RFC3966).partition(";")[0]]
        forms += [phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL), f"tel:{number}"]
        for form in [
            each + more for each in forms for more in ("", ";npdi;rn=+4912345", ";rn=12345;npdi", ";user=phone")
        ]:
            for encoded in (quote(form, safe=""), quote(form, safe=";=:+")):
                assert to_e164(words.number_in(encoded), "DE") == number, form


def test_a_thousand_mobiles_without_a_plus_reach_nobody_else() -> None:
    """German ones in a German queue, British ones in a British and in a German one."""
    for n in range(1000):
        for number, region in (
            (f"+49177{3330000 + n}", "DE"),
            (f"+447400{123000 + n}", "GB"),
            (f"+447400{123000 + n}", "DE"),
        ):
            assert to_e164(number[1:], region) in (None, number)
            assert to_e164(number[1:], region, NumberFormat.E164_NO_PLUS) == number


@pytest.mark.parametrize(
    ("raw", "region", "found"),
    [
        ("491773333333", "DE", ("+491773333333", "+49491773333333")),
        ("33612345678", "DE", ("+33612345678", "+4933612345678")),
        ("84951234567", "RU", ("+74951234567", "+84951234567")),
        ("994501234567", "FI", ("+994501234567",)),
        ("01773333333", "DE", ("+491773333333",)),
        ("0612345678", "IT", ("+390612345678",)),
        ("390612345678", "IT", ("+390612345678",)),
        ("12125550123", "US", ("+12125550123",)),
        ("2125550123", "US", ("+12125550123",)),
        ("6592345678", "US", ("+16592345678", "+6592345678")),
        ("0093234567890", "HK", ("+3234567890", "+93234567890")),
        ("4930555100", "AT", ("+4930555100",)),
        ("600", "DE", ()),
    ],
)
def test_all_that_can_be_meant(raw: str, region: str, found: tuple[str, ...]) -> None:
    assert readings(raw, region) == found
    assert to_e164(raw, region) == (found[0] if len(found) == 1 else None)


@pytest.mark.parametrize(
    ("keys", "region", "number"),
    [
        ("01773333333", "DE", "+491773333333"),
        ("00491773333333", "DE", "+491773333333"),
        ("1773333333", "DE", None),
        ("491773333333", "DE", None),
        ("+491773333333", "DE", None),
        ("2125550123", "US", "+12125550123"),
        ("12125550123", "US", "+12125550123"),
        ("011442071838750", "US", "+442071838750"),
        ("6592345678", "US", None),
        ("16592345678", "US", "+16592345678"),
        ("84951234567", "RU", "+74951234567"),
        ("4951234567", "RU", None),
        ("0612345678", "IT", "+390612345678"),
        ("612345678", "ES", "+34612345678"),
        ("0" * 30, "DE", None),
    ],
)
def test_what_is_keyed_in_is_a_number_as_one_dials_it_there(keys: str, region: str, number: str | None) -> None:
    assert typed(keys, region) == number


def test_who_writes_a_number_that_can_be_two_is_told_both() -> None:
    queue = Queue(name="support")
    assert read("33612345678", queue) is Rule.AMBIGUOUS
    told = explanation(Rule.AMBIGUOUS, "33612345678", queue)
    assert "+33612345678" in told and "+4933612345678" in told and "plus" in told
