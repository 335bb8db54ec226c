"""Which numbers may be called: the kinds that never are, the countries, the queue's lists. Every refusal has a name.

The names are the same in the API, in the feed and in docs/decisions.md. Sources: wangiri and toll fraud live on
premium, satellite and Caribbean numbers that look like anybody's (security rules R1, R2).
"""

from enum import StrEnum

from routing.core.numbers.forms import NOWHERE, readings, to_e164
from routing.core.numbers.reading import Facts, facts, is_emergency, is_short
from routing.core.queues import Queue


class Rule(StrEnum):
    """What refuses a number, with the sentence that explains it."""

    explanation: str

    def __new__(cls, word: str, explanation: str) -> "Rule":
        made = str.__new__(cls, word)
        made._value_ = word
        made.explanation = explanation
        return made

    # What it is
    WITHHELD = "withheld", "No number was presented."
    INVALID = "invalid", "This is not a phone number."
    AMBIGUOUS = "ambiguous", "This could be more than one number: write it with a plus sign."
    EMERGENCY = "emergency", "Emergency numbers are never called."
    SHORT = "short", "Short numbers are never called."
    PREMIUM_RATE = "premium_rate", "Premium rate numbers are never called."
    SHARED_COST = "shared_cost", "Shared cost numbers are never called."
    PAGER = "pager", "Pagers are never called."
    UAN = "uan", "Company-wide service numbers (UAN) are never called."
    VOICEMAIL = "voicemail", "Voicemail access numbers are never called."
    PERSONAL_NUMBER = "personal_number", "Personal (follow-me) numbers cost too much to be called."
    SATELLITE = "satellite", "Satellite and international network numbers are never called."
    OWN_NUMBER = "own_number", "This is one of our own numbers."
    # Where it is
    DENIED = "denied", "The queue's numbers_denied has a prefix of this number."
    COUNTRY = "country", "Numbers of this country are not called: see the queue's numbers_allowed."
    OVERSEAS = (
        "overseas",
        "This +1 number is neither of the US nor of Canada; only a longer prefix (+1246) allows it.",
    )
    FOREIGN = "foreign", "A number other than the caller's own has to be of the queue's country."
    # Who wants it, and how often
    DO_NOT_CALL = "do_not_call", "This number is on the do-not-call list."
    REQUESTS_PER_NUMBER = "requests_per_number", "Too many callbacks requested for this number in 24 hours."
    REQUESTS_PER_SOURCE = "requests_per_source", "Too many callbacks requested by this caller in an hour."
    REQUESTS_PER_PREFIX = (
        "requests_per_prefix",
        "Too many callbacks requested for foreign numbers like this one in an hour.",
    )
    DIALS_PER_NUMBER = "dials_per_number", "This number has been called as often as allowed in 24 hours."
    MAX_PENDING = "max_pending", "The queue has as many callbacks waiting as allowed (callback.max_pending)."
    ENABLED = "enabled", "The queue does not take callbacks (callback.enabled)."
    REGISTER = "register", "The queue does not take callbacks at the moment (switch register)."
    PROCESS = "process", "The queue does not make callbacks at the moment (switch process)."
    # When
    CPS = "cps", "The queue already starts as many calls per second as allowed (dial.cps)."
    WINDOW = "window", "This number may not be called at this time of day (dial.window)."


RULES: dict[str, Rule] = {str(rule): rule for rule in Rule}

NEVER = {
    str(rule): rule
    for rule in (
        *(Rule.PREMIUM_RATE, Rule.SHARED_COST, Rule.PAGER),
        *(Rule.UAN, Rule.VOICEMAIL, Rule.PERSONAL_NUMBER),
    )
}
"""Kinds no list allows, by libphonenumber's names."""

UNREADABLE = frozenset({Rule.WITHHELD, Rule.INVALID, Rule.AMBIGUOUS})

PERMANENT = frozenset(
    {
        *NEVER.values(),
        *UNREADABLE,
        Rule.EMERGENCY,
        Rule.SHORT,
        Rule.SATELLITE,
        Rule.OWN_NUMBER,
        Rule.DENIED,
        Rule.COUNTRY,
    }
    | {Rule.OVERSEAS, Rule.FOREIGN, Rule.DO_NOT_CALL}
)
"""A callback already promised to such a number is closed as `blocked`; what the other rules refuse is held."""

_SATELLITE = frozenset({870, 881, 882, 883})  # Inmarsat, GMSS, international networks (ITU-T E.164 annex)
_NANP = 1
_NANP_HOME = frozenset({"US", "CA"})


def read(raw: str | None, queue: Queue) -> str | Rule:
    """The E.164 number that somebody wrote, or why there is none."""
    if raw is None or not raw.strip() or raw.strip().lower() in ("anonymous", "unknown", "restricted"):
        return Rule.WITHHELD
    if is_emergency(raw, queue.region):
        return Rule.EMERGENCY
    if number := to_e164(raw, queue.region):
        return number
    if len(readings(raw, queue.region)) > 1:
        return Rule.AMBIGUOUS
    return Rule.SHORT if is_short(raw, queue.region) else Rule.INVALID


def explanation(rule: Rule, raw: str, queue: Queue) -> str:
    """The rule's sentence; of a number that can be read in several ways it names these."""
    if rule is not Rule.AMBIGUOUS:
        return rule.explanation
    return f"This could be {' or '.join(readings(raw, queue.region))}: write it with a plus sign."


def refusal(e164: str, queue: Queue, *, typed: bool = False) -> Rule | None:
    """Why the queue does not call it, or None. `typed`: it is not the number the caller rings from (R2)."""
    known = facts(e164)
    if known.kind in NEVER:
        return NEVER[known.kind]
    if known.country_code in _SATELLITE:
        return Rule.SATELLITE
    if typed and known.region != queue.region:
        return Rule.FOREIGN
    return _by_place(known, queue)


def _by_place(known: Facts, queue: Queue) -> Rule | None:
    """The longest prefix decides; denied wins over allowed of the same length, and over what no list names."""
    allowed, denied = _longest(known.e164, queue.numbers_allowed), _longest(known.e164, queue.numbers_denied)
    if denied and denied >= allowed:
        return Rule.DENIED
    if known.country_code == _NANP and known.region not in {*_NANP_HOME, queue.region}:
        return None if allowed >= len("+1246") else Rule.OVERSEAS
    if queue.numbers_allowed:
        return None if allowed else Rule.COUNTRY
    return None if known.region == queue.region and known.region != NOWHERE else Rule.COUNTRY


def _longest(e164: str, prefixes: tuple[str, ...]) -> int:
    """The length of the longest of the prefixes it begins with; 0 when there is none."""
    return max((len(each) for each in prefixes if e164.startswith(each)), default=0)
