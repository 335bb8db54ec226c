"""F35: Postgres was away, and all agents click on accept, again and again. Customers are called as fast as the queue
allows (`dial.cps`), each once."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import pytest

from demo.sip.carrier import Phone
from demo.stage import Worker
from routing.store.database import STATEMENT_TIMEOUT
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.scenes import PATIENT

pytestmark = pytest.mark.asyncio(loop_scope="session")

CPS = 4
AWAY = STATEMENT_TIMEOUT + 2
"""Seconds without Postgres. What was asked before is given up by then: it would be answered after, all at once."""
BACK_IN_LINE = "not_offered"
EAGER = 0.02
"""Seconds from an answer to the next click."""


@dataclass
class Clicks:
    """What all of them were answered, and how long it took, while Postgres was away and after."""

    is_back: bool = False
    answers: Counter[str] = field(default_factory=Counter)
    meanwhile: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)


async def test_f35_all_agents_accept_at_once_after_an_outage(line: AuditedLine, figures: Figures, full: bool) -> None:
    agents, customers = await _offered(line, 60 if full else 14)
    lags = await line.rig.loop_lags()
    paths = [await _accept(line, agent) for agent in agents]
    clicks = Clicks()
    line.rig.pg.half_open()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        clicking = asyncio.gather(
            *(_until_accepted(http, agent, path, clicks) for agent, path in zip(agents, paths, strict=True))
        )
        await asyncio.sleep(AWAY)
        await line.rig.pg.heal()
        healed, clicks.is_back = time.monotonic(), True
        await clicking
    await _all_called_or_in_line(line, agents)
    at = sorted(invite.at for customer in customers for invite in customer.invites)
    most = max(sum(first <= each < first + 1 for each in at) for first in at)
    figures.note("F35", f"{len(agents)} agents: clicks", sum(clicks.answers.values()))
    figures.note("F35", "click refused, Postgres away", clicks.meanwhile, unit="s", limit=2.5)
    figures.note("F35", "click answered, Postgres there again", clicks.after, unit="s", limit=2.5)
    figures.note("F35", f"called within a second ({CPS} a second, and {CPS} saved up)", most, limit=2 * CPS + 1)
    figures.note("F35", "INVITEs to each customer", [len(each.invites) for each in customers], limit=1)
    figures.note("F35", "customers called, of each agent's one", len(at) / len(agents))
    late = max(0.0, at[-1] - healed - len(agents) / CPS)
    figures.note("F35", "last one called, later than at that rate", late, unit="s", limit=5)
    lag = (await line.rig.loop_lags()).p99_since(lags)
    figures.note("F35", "event loop lag p99, at most", lag, unit="s", limit=0.5)


async def _all_called_or_in_line(line: AuditedLine, agents: list[Worker]) -> None:
    """A call that was accepted in the outage, and had no turn when it was over, is back in line; or is offered again
    by now, to whoever was freed."""
    question = (
        "SELECT count(*) FROM interactions WHERE queue = $1 AND (stage = 'ringing' OR status IN ('open', 'offered'))"
    )

    async def holds() -> bool:
        return bool(await line.rig.sql.fetchval(question, line.queue) == len(agents))

    await line.stage.until(holds, "everybody was called or waits", 20)


async def _offered(line: AuditedLine, n: int) -> tuple[list[Worker], list[Phone]]:
    """As many agents as callbacks, and each has one ringing at the phone."""
    await line.settings(**PATIENT)
    await line.settings(**{**PATIENT, "dial": {**PATIENT["dial"], "cps": CPS}})
    agents = [await line.agent() for _ in range(n)]
    customers = [line.caller() for _ in range(n)]
    for customer in customers:
        await line.stage.api.post("callbacks", {"queue": line.queue, "number": customer.number})
    await asyncio.gather(*(agent.ready() for agent in agents))
    offers = await asyncio.gather(*(agent.phone.incoming() for agent in agents))
    await asyncio.gather(*(offer.ringing() for offer in offers))
    return agents, customers


async def _accept(line: AuditedLine, agent: Worker) -> str:
    """Where to click."""
    theirs = await line.rig.sql.fetchval(
        "SELECT interaction FROM assignments WHERE agent = $1 AND ended_at IS NULL", agent.id
    )
    return f"{line.rig.url}/api/v1/interactions/{theirs}/accept"


async def _until_accepted(http: aiohttp.ClientSession, agent: Worker, path: str, clicks: Clicks) -> None:
    while (answer := await _click(http, agent, path, clicks)) not in ("yes", BACK_IN_LINE):
        assert answer in ("unavailable", "uncertain", "rate_limited"), answer
        await asyncio.sleep(EAGER)


async def _click(http: aiohttp.ClientSession, agent: Worker, path: str, clicks: Clicks) -> str:
    began, times = time.monotonic(), clicks.after if clicks.is_back else clicks.meanwhile
    async with http.post(path, headers=agent.api.headers) as response:
        answer = "yes" if response.status == 200 else str((await response.json(content_type=None))["code"])
    times.append(time.monotonic() - began)
    clicks.answers[answer] += 1
    return answer
