"""How an interaction is offered to agents."""

from typing import Literal

from ivr.workflow import Part, Seconds


class Offer(Part):
    """How an interaction is offered to an agent, in seconds.

    `accept_mode` auto accepts by itself when `countdown` has passed.
    """

    accept_timeout: Seconds = 20
    accept_mode: Literal["manual", "auto"] = "manual"
    countdown: Seconds = 10
    answer_timeout: Seconds = 10
    reject_allowed: bool = True
    rona_not_ready: bool = True
    exclude: Seconds = 30
