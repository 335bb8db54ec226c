"""What the measurements play on: a line of callbacks, an agent, a phone for the floor, plain extensions."""

import asyncio
import subprocess
from typing import Any
from uuid import UUID

from bench.floor import APP, INBOUND
from demo.sip import policy
from demo.sip.carrier import Phone
from demo.stage import Stage, Worker
from routing.local.asterisk.prompts import TONES
from routing.local.install import asterisk_package

CALLBACKS, NOBODY = "bench", "bench-nobody"
DNIS, DNIS_NOBODY = "7001", "7002"
PLAIN, BARE = "7003", "7004"
TURNED_DOWN = policy.reject(486, after=0.02)

AT_ANY_TIME: dict[str, Any] = {"window": ["00:00", "24:00"], "cps": 1000}
SETTINGS: dict[str, Any] = {
    "workflow": {"steps": [{"after": 0.2, "menu": "offer", "keys": {"2": "callback"}, "tries": 3, "timeout": 2}]},
    "callback": {"initial_delay": 0.0},
    "offer": {"accept_timeout": 20.0, "answer_timeout": 20.0, "exclude": 0.0},
    "dial": {"ring_timeout": 20.0, "ready_to_call": 0.01, "max_attempts": 1, **AT_ANY_TIME},
    "wrap_up": {"seconds": 0.0},
}

# The row the service itself stored for a caller who pressed 2, again for as many customers.
_MANY = """
INSERT INTO interactions
SELECT made.*
  FROM interactions i, generate_series(1, $2) n,
       jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid(), 'number', '+49152' || 10000000 + n)) made
 WHERE i.id = $1
"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'interactions' AND indexname !~ '_pkey$'"

_OFFERED = """
SELECT i.id, i.number FROM interactions i JOIN legs l ON l.interaction = i.id AND l.ended_at IS NULL
 WHERE i.status = 'offered' AND l.role = 'agent' AND l.state = 'ringing' AND l.party = $1
"""


class Scene:
    """Use `await Scene.set(...)`."""

    def __init__(self, stage: Stage, agent: Worker, spare: Worker) -> None:
        self.stage = stage
        self.agent, self.spare = agent, spare

    @classmethod
    async def set(cls, stage: Stage, callbacks: int) -> "Scene":
        await stage.queue(CALLBACKS, DNIS, **SETTINGS)
        await stage.queue(NOBODY, DNIS_NOBODY, **SETTINGS)
        await asyncio.to_thread(_extensions, stage)
        scene = cls(stage, await stage.worker("bench-agent", CALLBACKS), await stage.worker("bench-spare"))
        await scene._line_up(callbacks)
        await scene.agent.ready()
        return scene

    async def token(self) -> str:
        """The agent's, for a connection of our own."""
        login = {"user": self.agent.id, "password": f"login-{self.agent.id}-secret"}
        return str((await self.stage.api.post("login", login))["token"])

    def customer(self, number: str) -> Phone:
        """Turns every call down after a moment: what follows the INVITE is not measured."""
        return self.stage.carrier.phone(number, TURNED_DOWN)

    async def offered(self) -> tuple[UUID, str]:
        """The interaction the agent's phone rings for, as the service knows, and its number."""
        async with asyncio.timeout(10):
            while not (row := await self.stage.sql.fetchrow(_OFFERED, self.agent.id)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # the stream would tell, too, but keep the service busy
        return row["id"], row["number"]

    async def _line_up(self, callbacks: int) -> None:
        caller = self.stage.carrier.phone("+4915100000001")
        call = await caller.call(DNIS)
        await call.hear(TONES["menu-offer"])
        await call.dtmf("2")
        await call.hear(TONES["confirm-number"])
        await call.hangup()  # the key was the request
        made = await self.stage.when(caller.number, status="open", subtype="callback")
        await _without_indexes(self.stage, _MANY, UUID(made["id"]), callbacks)


async def _without_indexes(stage: Stage, statement: str, *arguments: object) -> None:
    """They are made again afterwards: of a million rows that takes a fraction of the time."""
    indexes = await stage.sql.fetch(_INDEXES)
    for index in indexes:
        await stage.sql.execute(f'DROP INDEX "{index["indexname"]}"')
    await stage.sql.execute(statement, *arguments)
    for index in indexes:
        await stage.sql.execute(index["indexdef"])


def _extensions(stage: Stage) -> None:
    """On the same Asterisk: a number that is only answered, and one that only enters the floor's application."""
    lines = {PLAIN: ("Answer()", "Wait(10)"), BARE: (f"Stasis({APP},{INBOUND})",)}
    binary = asterisk_package.find_or_install(lambda _: None)
    remote = [*binary.argv, "-C", str(stage.data_dir / "asterisk/etc/asterisk.conf"), "-rx"]
    for number, does in lines.items():
        for priority, what in enumerate(does, 1):
            command = f"dialplan add extension {number},{priority},{what} into from-carrier"
            subprocess.run([*remote, command], check=True, capture_output=True)
