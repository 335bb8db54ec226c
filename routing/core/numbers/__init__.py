"""Telephone numbers: what one is, whether it may be called, and when. Pure.

`forms` tells which number was written, `reading` what it is, `rules` whether it may be called at all, `windows` at
what time of day; `ours` which of a queue's own is shown. What has to be counted or looked up is asked in SQL:
`routing.store.number_rules`.
"""

from routing.core.numbers.forms import E164, listed, readings, to_e164, typed
from routing.core.numbers.ours import called, first_number, shown_to_customers
from routing.core.numbers.reading import Facts, facts, masked
from routing.core.numbers.rules import PERMANENT, RULES, Rule, refusal
from routing.core.numbers.windows import callable_from

__all__ = [
    "E164",
    "PERMANENT",
    "RULES",
    "Facts",
    "Rule",
    "callable_from",
    "called",
    "facts",
    "first_number",
    "listed",
    "masked",
    "readings",
    "refusal",
    "shown_to_customers",
    "to_e164",
    "typed",
]
