"""Telephone numbers: what one is, whether it may be called, and when. Pure.

`reading` tells what a number is, `rules` whether it may be called at all, `windows` at what time of day, `pacing` how
many calls a second. What has to be counted or looked up is asked in SQL: `routing.store.trust`.
"""

from routing.numbers.reading import E164, Facts, facts, masked, to_e164
from routing.numbers.rules import PERMANENT, RULES, Rule, refusal
from routing.numbers.windows import callable_from

__all__ = ["E164", "PERMANENT", "RULES", "Facts", "Rule", "callable_from", "facts", "masked", "refusal", "to_e164"]
