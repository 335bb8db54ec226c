"""The numbers of a queue itself: which is shown to those it calls. Pure."""

from routing.numbers.forms import to_e164
from routing.queues import Queue


def shown_to_customers(queue: Queue, dialled: str) -> str:
    """Whom a customer sees calling: what the queue says, else the number the customer dialled if it can be dialled
    from anywhere, else the queue's first that can."""
    return queue.caller_id or (dialled if dialled.startswith("+") else _first_e164(queue)) or dialled


def first_number(queue: Queue) -> str:
    """What somebody would have dialled who never called: in E.164 where the queue has such a number."""
    return _first_e164(queue) or next(iter(queue.numbers), "")


def _first_e164(queue: Queue) -> str | None:
    return next((found for each in queue.numbers if (found := to_e164(each, queue.region))), None)
