"""What the measurements play on: a line of callbacks, an agent, a phone for the floor, plain extensions."""

import asyncio
import subprocess
from collections.abc import Callable
from typing import Any
from uuid import UUID

from demo.sip import policy
from demo.sip.carrier import Phone
from demo.stage import Stage, Worker
from routing.local import asterisk_package
from routing.local.prompts import TONES

CALLBACKS, NOBODY = "bench", "bench-nobody"
DNIS, DNIS_NOBODY = "7001", "7002"
PLAIN, BARE = "7003", "7004"
TURNED_DOWN = policy.reject(486, after=0.02)

SETTINGS: dict[str, Any] = {
    "workflow": {"steps": [{"after": 0.2, "menu": "offer", "keys": {"2": "callback"}, "tries": 3, "timeout": 2}]},
    "callback": {"initial_delay": 0.0},
    "offer": {"accept_timeout": 20.0, "answer_timeout": 20.0, "exclude": 0.0},
    "dial": {"ring_timeout": 20.0, "ready_to_call": 0.01, "max_attempts": 1},
    "wrap_up": {"seconds": 0.0},
}

# The row the service itself stored for a caller who pressed 2, again for as many customers.
_MANY = """
INSERT INTO interactions
SELECT (jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid(), 'number', $2 || lpad(n::text, 6, '0')))).*
  FROM interactions i, generate_series(1, $3::int) n WHERE i.id = $1
"""

_OFFERED = """
SELECT i.id, i.number FROM interactions i JOIN legs l ON l.interaction = i.id AND l.ended_at IS NULL
 WHERE i.status = 'offered' AND l.role = 'agent' AND l.state = 'ringing' AND l.party = $1
"""


async def until(holds: Callable[[], Any], what: str, within: float = 10.0) -> Any:
    """The first result that is true."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not (result := await holds()):
        assert loop.time() < end, f"not within {within} s: {what}"
        await asyncio.sleep(0.005)
    return result


class Scene:
    """Use `await Scene.set(...)`."""

    def __init__(self, stage: Stage, agent: Worker, spare: Worker) -> None:
        self.stage, self.agent, self.spare = stage, agent, spare

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
        row = await until(lambda: self.stage.sql.fetchrow(_OFFERED, self.agent.id), "an offer rings")
        return row["id"], row["number"]

    async def quiet(self) -> None:
        """Everything that a sample led to has happened: the next offer rings, other calls are gone."""
        await self.offered()
        await asyncio.sleep(0.05)

    async def _line_up(self, callbacks: int) -> None:
        caller = self.stage.carrier.phone("+4915100000001")
        call = await caller.call(DNIS)
        await call.hear(TONES["menu-offer"])
        await call.dtmf("2")
        await call.hear(TONES["confirm-number"])
        await call.hangup()  # the key was the request
        made = await self.stage.when(caller.number, status="open", subtype="callback")
        await self.stage.sql.execute(_MANY, UUID(made["id"]), "+49152", callbacks)


def _extensions(stage: Stage) -> None:
    """On the same Asterisk: one that only answers, one that only enters the floor's application."""
    from bench.floor import APP, INBOUND

    lines = {PLAIN: ("Answer()", "Wait(10)"), BARE: (f"Stasis({APP},{INBOUND})",)}
    binary = asterisk_package.find_or_install(lambda _: None)
    remote = [*binary.argv, "-C", str(stage.data_dir / "asterisk/etc/asterisk.conf"), "-rx"]
    for number, does in lines.items():
        for priority, what in enumerate(does, 1):
            command = f"dialplan add extension {number},{priority},{what} into from-carrier"
            subprocess.run([*remote, command], check=True, capture_output=True)
