"""A queue's settings, as the API and `ivr/workflows/*.toml` spell them. Pure, frozen.

Every key but `name` is optional; an unknown key is an error. A change makes a new version: callers who wait
keep the version they came in under.
"""

from routing.core.queues.dial import Dial, Retried
from routing.core.queues.limits import Admission
from routing.core.queues.offer import Offer
from routing.core.queues.queue import Queue, available_timezones
from routing.core.queues.switches import Switches
from routing.core.queues.wrap_up import Slug

__all__ = [
    "Admission",
    "Dial",
    "Offer",
    "Queue",
    "Retried",
    "Slug",
    "Switches",
    "available_timezones",
]
