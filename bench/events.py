"""`python -m bench.events [CALLERS]`: how many decisions a second the engine stores, against bare commits."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import structlog
import uvloop

from bench.figures import table
from demo.folder import enterable_folder
from routing.core.effects import Answer, DialCustomer, Effect, SendBack
from routing.core.events import CallerArrived, LegGone
from routing.core.interaction import Status
from routing.core.queues import Queue
from routing.engine.clock import Clock
from routing.engine.engine import Engine
from routing.engine.lease import Lease
from routing.engine.notices import InteractionChanged, Notice
from routing.engine.phones import MayCall
from routing.local.install.postgres_binaries import find_or_install
from routing.local.postgres.server import Postgres
from routing.store import queues
from routing.store.database import Pool, connect
from routing.store.migrate import migrate

CALLERS, AT_ONCE, ROUNDS = 4000, 100, 3
DNIS = "600"
RESULTS = Path(__file__).with_name("EVENTS.md")


class Callers:
    """Who hangs up as soon as the call is answered: two decisions each, and nothing else to do."""

    def __init__(self) -> None:
        self.engine: Engine
        self.sent_back = 0
        self._over: dict[str, asyncio.Event] = {}
        self._legs: dict[UUID, str] = {}

    async def one(self, n: int) -> None:
        leg = uuid4().hex
        over = self._over[leg] = asyncio.Event()
        self.engine.arrive(CallerArrived(leg, DNIS, f"+4915{n:09}"))
        await over.wait()

    def hear(self, notice: Notice) -> None:
        if not isinstance(notice, InteractionChanged):
            return
        it = notice.interaction
        if it.status is Status.CLOSED:
            self._over.pop(self._legs.pop(it.id)).set()
        else:
            self._legs[it.id] = it.legs[0].id

    async def perform(self, effect: Effect, may_call: MayCall) -> LegGone | None:
        match effect:
            case Answer(leg):
                return LegGone(leg)
            case SendBack(leg):  # Postgres was too slow
                self.sent_back += 1
                self._over.pop(leg).set()
            case _:
                pass
        return None

    def reserve(self, call: DialCustomer) -> None: ...

    def expects(self, leg: str) -> bool:
        return False

    async def provisioned(self) -> set[str]:
        return set()

    async def provision(self, agent: str, ha1: str) -> None: ...

    async def withdraw_account(self, agent: str) -> None: ...


def main(callers: int) -> None:
    with enterable_folder("bench") as folder:
        uvloop.run(_run(folder, callers))


async def _run(folder: Path, callers: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with _database(folder) as pool:
        lease = Lease(pool, "bench")
        await lease.take()
        phones = Callers()
        phones.engine = Engine(pool, await Clock.of(pool, lease.ownership.shard), lease, phones)
        phones.engine.subscribe(phones.hear)
        keeping = asyncio.create_task(lease.keep())
        await queues.put(pool, Queue(name="bench", numbers=(DNIS,)))
        await pool.execute("CREATE TABLE bare (id int PRIMARY KEY, at timestamptz)")
        rounds = [(await _rate(callers, phones.one), await _rate(callers, _bare(pool))) for _ in range(ROUNDS)]
        keeping.cancel()
        _tell([decisions for decisions, _ in rounds], [commits for _, commits in rounds], phones.sent_back)


def _bare(pool: Pool) -> Callable[[int], Awaitable[None]]:
    async def one(n: int) -> None:
        await pool.execute("INSERT INTO bare VALUES ($1, now()) ON CONFLICT (id) DO UPDATE SET at = now()", n)
        await pool.execute("UPDATE bare SET at = now() WHERE id = $1", n)

    return one


async def _rate(callers: int, one: Callable[[int], Awaitable[None]]) -> float:
    """Commits a second, two by each caller, so many of them at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def let_in(n: int) -> None:
        async with room:
            await one(n)

    began = time.monotonic()
    await asyncio.gather(*(let_in(n) for n in range(callers)))
    return 2 * callers / (time.monotonic() - began)


@asynccontextmanager
async def _database(folder: Path) -> AsyncIterator[Pool]:
    server = Postgres(folder, find_or_install(print))
    server.prepare()
    process = await server.start()
    try:
        await migrate(server.dsn)
        pool = await connect(server.dsn)
        yield pool
        await pool.close()
    finally:
        await server.stop(process)


def _tell(decisions: list[float], commits: list[float], sent_back: int) -> None:
    ours, floor = statistics.median(decisions), statistics.median(commits)
    rows = [
        ["decisions of the engine, stored", f"{ours:.0f}", f"{ours / floor:.2f}"],
        ["bare one-row commits by the same pool", f"{floor:.0f}", ""],
    ]
    text = "\n\n".join(
        [
            "# Events a second",
            f"Written by `python -m bench.events`: {AT_ONCE} callers at once come and hang up, each time two events,"
            f" two commits (fsync on). Median of {ROUNDS} rounds; {os.cpu_count()} cores, shared with Postgres.",
            table(["", "a second", "× floor"], rows),
            f"Callers sent back to the dialplan's music, as Postgres took more than a second: {sent_back}.",
        ]
    )
    RESULTS.write_text(f"{text}\n")
    print(text)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CALLERS)
