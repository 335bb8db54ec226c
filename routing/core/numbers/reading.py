"""What a number is: its country, its kind, whether it is an emergency or a short one. Counterpart: rules.py, which
judges it."""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import shortnumberinfo

from routing.core.numbers.forms import NOWHERE

_KINDS = {
    code: name.lower()
    for name, code in vars(phonenumbers.PhoneNumberType).items()
    if isinstance(code, int) and not name.startswith("_")
}


@dataclass(frozen=True, slots=True)
class Facts:
    """`country_code` without plus; `region` is a country (DE) or 001; `kind` a type of libphonenumber, lower case."""

    e164: str
    valid: bool
    country_code: int
    region: str
    kind: str


@lru_cache(maxsize=10_000)
def facts(e164: str) -> Facts:
    """Of an E.164 number. Never raises: of what libphonenumber cannot read nothing is known."""
    try:
        parsed = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return Facts(e164, False, 0, NOWHERE, "unknown")
    code = parsed.country_code or 0
    region = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(code)
    kind = _KINDS.get(phonenumbers.number_type(parsed), "unknown")
    return Facts(e164, phonenumbers.is_valid_number(parsed), code, region, kind)


def is_emergency(raw: str, region: str) -> bool:
    """Whether dialling it there reaches an emergency service, also with a country code before it (+49112)."""
    return any(shortnumberinfo.is_emergency_number(each, region) for each in _dialled(raw, region))


def is_short(raw: str, region: str) -> bool:
    """Whether it is a short number of the country: a directory, a text service, 116117."""
    try:
        return bool(shortnumberinfo.is_possible_short_number_for_region(phonenumbers.parse(raw, region), region))
    except phonenumbers.NumberParseException:
        return False


def _dialled(raw: str, region: str) -> tuple[str, ...]:
    digits = re.sub(r"[^0-9+]", "", raw)
    code = f"+{phonenumbers.country_code_for_region(region)}"
    return (digits, digits.removeprefix(code)) if digits.startswith(code) else (digits,)


def masked(number: str | None) -> str | None:
    """The number for eyes that may not see it: `+49******123`."""
    if number is None or len(number) < 7:
        return number and "***"
    return f"{number[:3]}******{number[-3:]}"
