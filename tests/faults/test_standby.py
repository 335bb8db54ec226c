"""F12, F13: Postgres' machine is gone, and a standby takes over, to which the service finds by itself."""

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from demo.api import Refused
from demo.folder import enterable_folder
from demo.sip.carrier import Phone
from demo.sip.outgoing import OutgoingCall
from routing.local.asterisk import prompts
from routing.local.asterisk.prompts import TONES
from routing.store.database import STATEMENT_TIMEOUT
from tests.calls.auditor import Auditor
from tests.calls.desk import Talk, hear_each_other, talk
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig, open_rig
from tests.faults.standby import FollowedPostgres, Standby, following

pytestmark = pytest.mark.asyncio(loop_scope="session")

MUSIC, READ_BACK, BOOKED = TONES["music"], TONES["confirm-number"], TONES["booked"]
_counter = itertools.count(1)
STORED = "SELECT count(*) FROM interactions WHERE id = ANY($1::uuid[])"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rig() -> AsyncIterator[Rig]:
    """Another one than that of the other rows: in each of these the standby of the one before is the primary."""
    with enterable_folder("standby") as home:
        async with open_rig(home / "data", prompts.tones(home / "tones"), kind=FollowedPostgres) as rig:
            yield rig
        await rig.pg.__aexit__()


@pytest_asyncio.fixture(loop_scope="session")
async def standby(rig: Rig) -> AsyncIterator[Standby]:
    async with following(rig) as standby:
        yield standby


@pytest_asyncio.fixture(loop_scope="session")
async def line(rig: Rig, standby: Standby) -> AsyncIterator[AuditedLine]:
    n = next(_counter)
    line = AuditedLine(rig, f"standby-{n}", f"895{n}", 950 + n, auditor=Auditor(rig))
    yield line
    await line.auditor.end_all_calls()


@dataclass
class Requests:
    """Callbacks that are asked for over the API without a pause."""

    confirmed: dict[str, float] = field(default_factory=dict)
    """The ids that were answered, and when."""

    async def missing(self, rig: Rig) -> int:
        return len(self.confirmed) - int(await rig.sql.fetchval(STORED, list(self.confirmed)))

    async def one_more(self) -> None:
        before = len(self.confirmed)
        async with asyncio.timeout(20):
            while len(self.confirmed) == before:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@asynccontextmanager
async def asked_for(line: AuditedLine) -> AsyncIterator[Requests]:
    requests = Requests()
    task = asyncio.create_task(_ask(line, requests))
    await requests.one_more()
    yield requests
    task.cancel()
    await asyncio.wait([task])


async def _ask(line: AuditedLine, requests: Requests) -> None:
    n = 0
    while True:
        n += 1
        body = {"queue": line.queue, "number": f"+49152{line.n}{n:05}"}
        try:
            made = await line.stage.api.post("callbacks", body)
            requests.confirmed[made["id"]] = time.monotonic()
        except Refused as refused:
            assert refused.status in (429, 503), refused
        await asyncio.sleep(0.02)


@dataclass
class People:
    """Who is on the line meanwhile."""

    waiting: OutgoingCall
    choosing: tuple[Phone, OutgoingCall]
    """Hears the music in the menu, and has time."""
    talking: Talk

    @property
    def calls(self) -> list[OutgoingCall]:
        return [self.waiting, self.choosing[1]]


async def _gather(line: AuditedLine) -> People:
    await line.settings(**steps(menu(timeout=30)), callback={"initial_delay": 0})
    talking = await talk(line)
    phones = [line.caller(), line.caller()]
    waiting, choosing = await asyncio.gather(*(line.in_menu(each) for each in phones))
    await waiting.dtmf("1")
    await asyncio.gather(waiting.hear(MUSIC), choosing.hear(MUSIC))
    return People(waiting, (phones[1], choosing), talking)


async def killed(rig: Rig, standby: Standby) -> None:
    """Its connections are reset."""
    await rig.kill("postgres")


async def silent(rig: Rig, standby: Standby) -> None:
    """Without a word, for those who are connected and those who try: its machine has no power."""
    rig.pg.half_open()
    standby.line.half_open()
    await rig.kill("postgres")


Death = Callable[[Rig, Standby], Awaitable[None]]


@pytest.mark.parametrize(
    ("gone", "within"), [(killed, 2.0), pytest.param(silent, STATEMENT_TIMEOUT + 5, marks=pytest.mark.full)]
)
async def test_a_standby_takes_over_and_nothing_that_was_confirmed_is_lost(
    rig: Rig, standby: Standby, line: AuditedLine, figures: Figures, gone: Death, within: float
) -> None:
    """People talk, wait and choose meanwhile, and callbacks are asked for all the time. It is promoted at once: what
    waits for a machine that says nothing waits for as long as a statement may take."""
    await standby.makes_commits_wait()
    people = await _gather(line)
    listening, talking = people.calls, (people.talking.offer, people.talking.back)
    for call in (*listening, *talking):
        call.reset_gaps()
    async with asked_for(line) as requests:
        away = time.monotonic()
        await gone(rig, standby)
        promoted = await standby.promote()
        renewed = await _renewed(rig)
        await requests.one_more()
    await rig.gets_ready()
    first = min(at for at in requests.confirmed.values() if at > promoted)
    how = gone.__name__
    figures.note("F12", f"primary {how}: stored again, after the promotion", first - promoted, unit="s", limit=within)
    figures.note(
        "F12", f"primary {how}: lease renewed, after the promotion", renewed - promoted, unit="s", limit=within
    )
    figures.note("F12", f"primary {how}: nothing could be stored for", first - away, unit="s", limit=within + 3)
    figures.note("F12", f"primary {how}: confirmed and missing", await requests.missing(rig), limit=0)
    silences = [each.gaps.silence for each in listening]
    figures.note("F12", f"primary {how}: silence heard by callers", silences, unit="s", limit=2)
    figures.note("F12", f"primary {how}: gap in a talk", [each.gaps.silence for each in talking], unit="s", limit=0.5)
    figures.note("F12", "calls dropped", sum(bool(each.end) for each in (*listening, *talking)), limit=0)
    await _goes_on(line, people)
    assert await line.auditor.check() == []


async def _renewed(rig: Rig) -> float:
    """When the service's lease was renewed on the new primary."""
    question = "SELECT until FROM shards"
    before = await rig.sql.fetchval(question)
    async with asyncio.timeout(20):
        while await rig.sql.fetchval(question) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return time.monotonic()


async def _goes_on(line: AuditedLine, people: People) -> None:
    phone, call = people.choosing
    await _is_read_to(call)
    await asyncio.gather(call.hear(BOOKED), call.dtmf("1"))
    await line.stage.when(phone.number, status="open", subtype="callback")
    await people.waiting.hear(MUSIC)
    await hear_each_other(people.talking.offer, people.talking.back)


async def _is_read_to(call: OutgoingCall) -> None:
    """Wants to be called back, and has heard the number that will be called."""
    await asyncio.gather(call.hear(READ_BACK), call.dtmf("2"))
    await call.hear(MUSIC)


@pytest.mark.full
async def test_what_a_primary_without_its_standby_could_not_confirm_is_not_acted_upon(
    rig: Rig, standby: Standby, line: AuditedLine, figures: Figures
) -> None:
    """The standby says nothing any more, so no commit is confirmed. Whoever waits too long for one gives up, and then
    the primary shows the row to everybody, though it is on no other machine: a promise made now would be lost."""
    await standby.makes_commits_wait()
    await line.settings(**steps(menu(timeout=60)))
    phone = line.caller()
    call = await line.in_menu(phone)
    await _is_read_to(call)
    standby.line.half_open()
    await call.dtmf("1")
    await asyncio.sleep(3 * STATEMENT_TIMEOUT)
    assert await rig.sql.fetchval("SELECT promised_at FROM interactions WHERE number = $1", phone.number)
    figures.note("F12", "standby cut off: promises made", line.auditor.promised[phone.number], limit=0)
    await rig.kill("postgres")
    await standby.promote()
    await _renewed(rig)
    await rig.gets_ready()
    await asyncio.gather(call.hear(BOOKED), call.dtmf("1"))
    await line.stage.when(phone.number, status="open", subtype="callback")
    assert await line.auditor.check() == []


async def test_the_auditor_sees_what_a_standby_that_lags_behind_has_lost(
    rig: Rig, standby: Standby, line: AuditedLine, figures: Figures
) -> None:
    """It hears nothing of what is stored last, and no commit waits for it: promises are lost, and must be seen to be.
    The service goes on with what there is, and takes a caller whose row is gone for one who just called; of an end
    that was lost it learns at its next start."""
    people = await _gather(line)
    await standby.line.refuse()
    async with asked_for(line) as requests:
        phone, call = people.choosing
        await _is_read_to(call)
        await asyncio.gather(call.hear(BOOKED), call.dtmf("1"))
        without_row = line.caller()
        await line.call(without_row)
        await rig.kill("postgres")
        await standby.promote()
        await _renewed(rig)
    await rig.gets_ready()
    figures.note("F13", "confirmed and missing, the standby lagging behind", await requests.missing(rig))
    assert await requests.missing(rig) > 0
    await line.stage.when(without_row.number, 15, queue=line.queue)
    await rig.end("service", signal.SIGTERM)
    rig.start_service()
    await rig.gets_ready()
    assert await line.auditor.check() == [f"A5: {phone.number} was promised a call, no row says so"]
