"""The words that extensions.conf, pjsip.conf and the service share; a test compares them with those files.

The dialplan hands a call over as `Stasis(APP,ENTRY,<DNIS>,<caller's number>,<presentation>,<Privacy header>)`. The
two numbers are the user parts of SIP addresses, percent-encoded.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

APP = "ringback-00"  # the shard's fixed name, never a process's
ENTRY = "call"
LEG = "leg"  # the Stasis argument of the channels we create
FROM_CARRIER = "from-carrier"
AGENTS = "agents"
CARRIER = "carrier"
INTERACTION_ID = "INTERACTION_ID"  # set by the service; ari.conf has every channel snapshot carry it
YES, NO = "yes", "no"
DIALLED = "RINGBACK_DIALLED"  # of a channel we made: Asterisk itself does not say so before the far end rings
TELLS_OF_RTCP = "RINGBACK_TELLS_OF_RTCP"  # global: whether manager.conf is one that lets us hear of RTCP
SIP_REALM = "ringback"  # part of every agent's HA1: changing it invalidates all of them
LANGUAGE = "en"
# Variables of `POST /channels/create` that become the From of the INVITE. Measured: CALLERID(num) does not, it
# leaves "anonymous"; a leg we dial presents whom it is connected to.
FROM_NUMBER = "CONNECTEDLINE(num)"
FROM_NAME = "CONNECTEDLINE(name)"
# Q.850 causes. Measured: a call not yet answered and hung up with them gets 404, or 486.
UNKNOWN_NUMBER = 1
BUSY = 17


# RFC 3323 and 3325, the header's words run together. Asterisk heeds them only beside a P-Asserted-Identity.
_HIDES = re.compile("id|user|header")
_NUMBER = re.compile(r"\+?[0-9]+")
_BETWEEN_DIGITS = re.compile(r"[-.() /]")  # RFC 3966, and what people write


class NotACall(ValueError):
    """The Stasis arguments are not those of a call from the dialplan; they are those of a leg we made."""


@dataclass(frozen=True)
class Arrival:
    """A call as the dialplan tells of it. The caller's name is in the channel snapshot, never in the dialplan."""

    dialled: str
    """Digits as the carrier sent them, perhaps behind a plus; or whatever else it sent."""
    caller: str | None
    """The caller's number in such digits; None if the carrier sent none or the caller withholds it."""
    withheld: bool


def parse_arrival(args: Sequence[str]) -> Arrival:
    """Raise NotACall for the arguments of anything else."""
    match args:
        case [entry, dialled, caller, presentation, privacy] if entry == ENTRY and dialled:
            withheld = not presentation.startswith("allowed") or bool(_HIDES.search(privacy))
            number = number_in(caller)
            return Arrival(
                number_in(dialled), number if _NUMBER.fullmatch(number) and not withheld else None, withheld
            )
        case _:
            raise NotACall(f"{len(args)} Stasis arguments")


def number_in(user: str) -> str:
    """The number in a SIP address' percent-encoded user part, as digits with or without `+`. What holds other signs
    than those written between digits is no number, and is returned as it is.

    Parameters are no part of it: those of a ported number (`;npdi;rn=…`, RFC 4694) hold another number. The digits
    of a local one belong to its context (`;phone-context=+49`, RFC 3966).
    """
    number, *parameters = re.sub("^(tel:)+", "", unquote(user), flags=re.IGNORECASE).split(";")
    named = dict(each.lower().partition("=")[::2] for each in parameters)
    context = named.get("phone-context", "")
    if context.startswith("+") and not number.startswith("+"):
        number = context + number
    plain = _BETWEEN_DIGITS.sub("", number)
    return plain if _NUMBER.fullmatch(plain) else number


def dial_string(number: str, trunk: str = CARRIER) -> str:
    """What ARI dials for `number`, which was checked to be E.164: nothing else may reach the wire."""
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("a number to dial consists of + and digits")
    return f"PJSIP/{number}@{trunk}"
