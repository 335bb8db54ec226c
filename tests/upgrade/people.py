"""Everybody: people at every point of a call, and callbacks in every status."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping

from demo.stage import Stage
from tests.calls.auditor import Auditor
from tests.calls.desk import customer_with_callback
from tests.upgrade import callers, with_agents
from tests.upgrade.later import due_soon, later
from tests.upgrade.party import SPARE, Line, Party, People, patient

ON_THE_LINE: Mapping[str, Callable[[Line], Awaitable[Party]]] = {
    each.__name__: each
    for each in (
        *(callers.announcing, callers.in_menu, callers.waits, callers.confirms, callers.enters_number),
        *(callers.is_promised, callers.is_sent_away),
        *(with_agents.is_offered, with_agents.is_offered_in_silence, with_agents.caller_is_offered),
        *(with_agents.is_not_dialled_yet, with_agents.answered_first, with_agents.is_dialled, with_agents.rings),
        *(with_agents.talks, with_agents.caller_talks, with_agents.may_be_redialled, with_agents.is_written_up),
        with_agents.hears_apology,
    )
}


async def everybody(stage: Stage, auditor: Auditor) -> People:
    """In queues of their own, so that nobody is offered what is not meant for them."""
    queues = (Line(stage, f"upgrade-{n}", f"70{n:02}", 1, 20 * n, auditor=auditor) for n in itertools.count())
    spare = await patient(Line(stage, SPARE, "7099", 1, 980, auditor=auditor), callback={"initial_delay": 3600})
    held, _ = await customer_with_callback(spare)
    few = asyncio.Semaphore(8)  # so that nobody's menu is over because the machine is slow
    on_the_line = asyncio.gather(*(_made(next(queues), maker, few) for maker in ON_THE_LINE.values()))
    callbacks, made = await asyncio.gather(later(await patient(next(queues))), on_the_line)
    people: People = {**dict(zip(ON_THE_LINE, made, strict=True)), **callbacks}
    people["held"] = Party(spare, held, "open")
    await due_soon(people)
    return people


async def _made(line: Line, maker: Callable[[Line], Awaitable[Party]], few: asyncio.Semaphore) -> Party:
    async with few:
        return await maker(await patient(line))
