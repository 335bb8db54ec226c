"""Telephone numbers: E.164 by the queue's region, or nothing. Pure.

Which numbers may be called at all (country, type, lists) is decided elsewhere; this only tells what a number is.
"""

import re

import phonenumbers

E164 = re.compile(r"^\+[1-9][0-9]{6,14}$")


def to_e164(raw: str | None, region: str) -> str | None:
    """`raw` as a diallable E.164 number with `+`, or None when it is none (short codes, names, withheld)."""
    if not raw or not re.fullmatch(r"\+?[0-9 ()./-]{3,30}", raw):
        return None
    try:
        parsed = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return number if E164.fullmatch(number) else None


def masked(number: str | None) -> str | None:
    """The number for eyes that may not see it: `+49******123`."""
    if number is None or len(number) < 7:
        return number and "***"
    return f"{number[:3]}******{number[-3:]}"
