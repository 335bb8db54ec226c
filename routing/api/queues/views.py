"""What queues look like. Pure."""

from routing.api.queues import answers
from routing.store.queues import Stored


def queue(stored: Stored) -> answers.ShownQueue:
    return answers.ShownQueue.model_construct(**dict(stored.queue), switches=stored.switches)
