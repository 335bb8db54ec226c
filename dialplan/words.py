"""The words that extensions.conf, pjsip.conf and the service share; a test compares them with those files.

The dialplan hands a call over as `Stasis(APP,ENTRY,<DNIS>,<caller's number>,<presentation>,<Privacy header>)`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

APP = "ringback-00"  # the shard's fixed name, never a process's
ENTRY = "call"
LEG = "leg"  # the Stasis argument of the channels we create
FROM_CARRIER = "from-carrier"
AGENTS = "agents"
CARRIER = "carrier"
INTERACTION_ID = "INTERACTION_ID"  # set by the service; ari.conf has every channel snapshot carry it
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


class NotACall(ValueError):
    """The Stasis arguments are not those of a call from the dialplan; they are those of a leg we made."""


@dataclass(frozen=True)
class Arrival:
    """A call as the dialplan tells of it. The caller's name is in the channel snapshot, never in the dialplan."""

    dialled: str
    caller: str | None
    """The caller's number as the carrier sent it; None if it sent none or the caller withholds it."""
    withheld: bool


def parse_arrival(args: Sequence[str]) -> Arrival:
    """Raise NotACall for the arguments of anything else."""
    match args:
        case [entry, dialled, caller, presentation, privacy] if entry == ENTRY and dialled:
            withheld = not presentation.startswith("allowed") or bool(_HIDES.search(privacy))
            return Arrival(dialled, None if withheld or not caller else caller, withheld)
        case _:
            raise NotACall(f"{len(args)} Stasis arguments")


def dial_string(number: str, trunk: str = CARRIER) -> str:
    """What ARI dials for `number`, which was checked to be E.164: nothing else may reach the wire."""
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("a number to dial consists of + and digits")
    return f"PJSIP/{number}@{trunk}"
