"""What clients are told about queues; `views.py` fills it in."""

from routing.core.queues import Queue, Switches


class ShownQueue(Queue):
    """A queue's settings, and the switches, which are set by themselves."""

    switches: Switches = Switches()
