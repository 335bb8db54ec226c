"""What must not be read in a log: phone numbers are masked, dialled digits and secrets dropped."""

import re
from typing import Any

_SECRET_KEY = re.compile(r"(^|_)(digits?|password|passwd|token|secret|authorization|cookie|ha1|md5_cred)$", re.I)
# +4915112345678, 004915112345678, %2B49…; without a plus only where a number must be: after sip: or tel:
_NUMBER = re.compile(r"(?P<lead>\+|%2B|(?<![\w.])00|sips?:|tel:)(?P<digits>[1-9]\d{6,14})(?!\w)", re.I)
_BARE_NUMBER = re.compile(r"0?[1-9]\d{6,14}")
_SECRET_IN_TEXT = re.compile(r"(?i)\b(token|password|secret|api_key)=[^&\s\"']+|(?<=://)[^:/@\s]*:[^@\s/]+(?=@)")
_BEARER = re.compile(r"(?i)\b(bearer|basic) [\w.~+/=-]{8,}")


def redact(value: Any, key: str = "") -> Any:
    """The same value without what is personal or secret, containers included."""
    if key and _SECRET_KEY.search(key) and value is not None:
        return "***"
    match value:
        case str():
            return mask(value)
        case dict():
            return {mask(k) if isinstance(k, str) else k: redact(v, str(k)) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact(item) for item in value]
        case int() | float() | bool() | None:
            return value
        case _:
            return mask(str(value))


def mask(text: str) -> str:
    """Mask every phone number in a text (`+44******123`) and drop the secrets."""
    if text.isascii() and _BARE_NUMBER.fullmatch(text):
        return _stars(text)
    text = _NUMBER.sub(lambda m: m["lead"] + _stars(m["digits"]), text)
    text = _SECRET_IN_TEXT.sub(lambda m: f"{m[1]}=***" if m[1] else "***:***", text)
    return _BEARER.sub(r"\1 ***", text)


def _stars(digits: str) -> str:
    """Country and end stay readable, so that one caller's lines can still be matched by eye."""
    return f"{digits[:2]}{'*' * (len(digits) - 5)}{digits[-3:]}"
