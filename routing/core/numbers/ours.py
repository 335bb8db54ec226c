"""The numbers of a queue itself: which was called, and which is shown to those it calls. Pure."""

from routing.core.events import NumberFormat
from routing.core.numbers.forms import readings, to_e164
from routing.core.queues import Queue


def called(queue: Queue, dialled: str, written: NumberFormat) -> str:
    """The number of the queue that was dialled, in E.164 where it is known which; else as it was written."""
    answered = {e164 for number in queue.numbers for e164 in readings(number, queue.region)}
    meant = answered.intersection(readings(dialled, queue.region, written))
    return meant.pop() if len(meant) == 1 else dialled


def shown_to_customers(queue: Queue, dialled: str) -> str:
    """Whom a customer sees calling: what the queue says, else the number the customer dialled if it can be dialled
    from anywhere, else the queue's first that can."""
    return queue.caller_id or (dialled if dialled.startswith("+") else _first_e164(queue)) or dialled


def first_number(queue: Queue) -> str:
    """What somebody would have dialled who never called: in E.164 where the queue has such a number."""
    return _first_e164(queue) or next(iter(queue.numbers), "")


def _first_e164(queue: Queue) -> str | None:
    return next((found for each in queue.numbers if (found := to_e164(each, queue.region))), None)
