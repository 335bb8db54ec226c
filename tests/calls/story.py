"""What the acceptance tests read out of an interaction's feed and of the line."""

from datetime import datetime
from typing import Any

from tests.calls.line import Line


def menu(after: float = 0.3, **settings: Any) -> dict[str, Any]:
    """The step of the tests' queues, with some of its settings changed."""
    step = {"after": after, "menu": "offer", "keys": {"1": "wait", "2": "callback"}, "tries": 3, "timeout": 0.6}
    return {**step, **settings}


def steps(*them: dict[str, Any], loop: bool = False) -> dict[str, Any]:
    """The settings of a queue with this workflow, which ends after the last step unless told otherwise."""
    return {"workflow": {"loop": loop, "steps": list(them)}}


async def told(line: Line, interaction_id: str) -> list[dict[str, Any]]:
    """The feed, line by line."""
    return list((await line.stage.api.get(f"interactions/{interaction_id}/feed", limit="200"))["items"])


def statuses(feed: list[dict[str, Any]]) -> list[str]:
    """The statuses one after another, each named once as long as it lasted."""
    seen: list[str] = []
    for each in feed:
        if seen[-1:] != [each["status"]]:
            seen.append(each["status"])
    return seen


def moment(each: dict[str, Any]) -> float:
    """When a line of the feed was written, in seconds."""
    return datetime.fromisoformat(each["at"]).timestamp()


def moments(feed: list[dict[str, Any]], event: str) -> list[float]:
    return [moment(each) for each in feed if each["event"] == event]


async def is_promised(line: Line, interaction_id: str) -> bool:
    """Whether Postgres has it that we call back."""
    return bool(await line.stage.sql.fetchval("SELECT promised_at FROM interactions WHERE id = $1", interaction_id))


async def only(line: Line) -> dict[str, Any]:
    """The one interaction of the queue that is not closed: callers without a number have no other name."""
    (it,) = (await line.stage.api.get("interactions", queue=line.queue))["items"]
    return dict(it)


async def is_told(line: Line, interaction_id: str, event: str, within: float = 5.0) -> list[dict[str, Any]]:
    """Wait until the feed has that event; the feed."""
    feed: list[dict[str, Any]] = []

    async def holds() -> bool:
        feed[:] = await told(line, interaction_id)
        return any(each["event"] == event for each in feed)

    await line.stage.until(holds, f"{event} in the feed", within, feed)
    return feed
