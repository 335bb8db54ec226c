"""Which number is meant by what was written: E.164, and none where two could be meant. Pure.

A guess dials a stranger: `33612345678` is a number of France, and one of Germany without its 0. Prefixes, and what is
valid, are libphonenumber's. Counterpart: reading.py, which tells what kind of number it is.
"""

import re
from collections.abc import Collection
from functools import lru_cache

import phonenumbers
from phonenumbers import CountryCodeSource, PhoneMetadata, PhoneNumber, PhoneNumberFormat

from routing.core.events import NumberFormat

E164 = re.compile(r"^\+[1-9][0-9]{6,14}$")
_RAW = re.compile(r"\+?[0-9 ()./-]{3,30}")  # ASCII digits only: what is dialled must be what was read
NOWHERE = "001"
"""The region of numbers that belong to no country: satellites, international services."""
_LONGEST_PREFIX = 8  # Australia's 1411 0011

phonenumbers.enable_pattern_cache()  # its patterns are more than `re` keeps: it would compile most of them anew


def to_e164(raw: str | None, region: str, written: NumberFormat = NumberFormat.AUTO) -> str | None:
    """The one number `raw` means, with `+`; None when it means none (short codes, names, withheld), or may mean more
    than one."""
    return _only(readings(raw, region, written))


def listed(number: str) -> str:
    """An E.164 number as it is compared: `+49030…` is `+4930…`. One that nobody can have stays as it is."""
    return to_e164(number, NOWHERE) or number


@lru_cache(maxsize=10_000)
def readings(raw: str | None, region: str, written: NumberFormat = NumberFormat.AUTO) -> tuple[str, ...]:
    """Every valid number that may be meant, with `+`. When it is written with one they are one at most, whatever the
    region."""
    if not raw or not _RAW.fullmatch(raw):
        return ()
    digits = _digits(raw)
    found = {_with_plus(digits)} if raw.startswith("+") else _without_plus(digits, region, written)
    return tuple(sorted(each for each in found if each))


def typed(digits: str, region: str) -> str | None:
    """The number somebody keyed in, as one dials in the region: behind the international prefix, or the national one
    where that is needed."""
    if not (digits.isascii() and digits.isdigit()):
        return None
    found, plainly = _behind_prefixes(digits, region), False
    if national := _national(digits, region):
        as_written = digits == _digits(phonenumbers.format_number(national, PhoneNumberFormat.NATIONAL))
        prefixed = digits.startswith(_prefix(region) or "+")
        found |= {_e164(national)} if as_written or prefixed else set()
        plainly = as_written and prefixed
    number = _only(found - {None})
    return number if plainly or _with_plus(digits) in (None, number) else None


def _only(found: Collection[str | None]) -> str | None:
    number = next(iter(found), None)
    return number if len(found) == 1 and number and E164.fullmatch(number) else None


def _without_plus(digits: str, region: str, written: NumberFormat) -> set[str | None]:
    match written:
        case NumberFormat.E164:
            return set()
        case NumberFormat.E164_NO_PLUS:
            return {_with_plus(digits)}
        case NumberFormat.NATIONAL:
            return {*_behind_prefixes(digits, region), _e164(_national(digits, region))}
        case NumberFormat.AUTO:
            return {_with_plus(digits), *_behind_prefixes(digits, region), _e164(_national(digits, region))}


def _behind_prefixes(digits: str, region: str) -> set[str | None]:
    """What may stand behind an international prefix of the region, or 00, which carriers write anywhere. Prefixes can
    be of several lengths: in Hong Kong a carrier's digit may follow 00, and may as well be the number's first."""
    known = PhoneMetadata.metadata_for_region(region)
    pattern = re.compile(f"00|{known.international_prefix}" if known else "00")
    ends = (end for end in range(1, _LONGEST_PREFIX + 1) if pattern.fullmatch(digits, 0, end))
    return {_with_plus(digits[end:]) for end in ends}


def _national(digits: str, region: str) -> PhoneNumber | None:
    """Not as libphonenumber's own guess, a number behind the region's country code; but in North America that is the
    national prefix, too."""
    parsed = _parsed(digits, region)
    if parsed and parsed.country_code_source == CountryCodeSource.FROM_NUMBER_WITHOUT_PLUS_SIGN:
        return parsed if _prefix(region) == str(parsed.country_code) else None
    return parsed if parsed and parsed.country_code_source == CountryCodeSource.FROM_DEFAULT_COUNTRY else None


def _prefix(region: str) -> str | None:
    """What one dials there first within the country, such as 0 in Germany."""
    return phonenumbers.ndd_prefix_for_region(region, True) or None


@lru_cache(maxsize=10_000)
def _with_plus(digits: str) -> str | None:
    return None if digits.startswith("0") else _e164(_parsed(f"+{digits}", None))


def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_valid_number(parsed) else None


def _e164(parsed: PhoneNumber | None) -> str | None:
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164) if parsed else None


def _digits(raw: str) -> str:
    return re.sub(r"[^0-9]", "", raw)
