"""The load: callers, agents and customers with their habits and their accidents, all drawn from the world's chance.

`friendly` is how they become once the faults are over: agents answer, customers talk, callers wait. Then everything
has to come to an end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from uuid import UUID

from routing.core.agents import Availability
from routing.core.events import CallEnded, LineDied, OfferAccepted, OfferRejected, PersonEvent, Redialled, WorkDone
from routing.core.interaction import Interaction, Stage, Status
from routing.engine.engine import Engine
from tests.model.memory import Commit, Memory
from tests.simulation.asterisk import Asterisk, Channel
from tests.simulation.process import Process
from tests.simulation.world import Violation, World

REJECTIONS = (486, 603, 480, 404, 503, 408, 500)


@dataclass
class Caller:
    """`patience` in seconds; `key` pressed at the menu, after `thinks` seconds; None: presses nothing."""

    channel: Channel
    patience: float
    thinks: float
    keys: tuple[str, ...]
    runs_after_key: float | None


class People:
    """`service` gives the process people's requests reach, None when nobody serves."""

    def __init__(
        self, world: World, asterisk: Asterisk, memory: Memory, service: Callable[[], Process | None]
    ) -> None:
        self.friendly = False
        self.callers: dict[str, Caller] = {}
        self._world = world
        self._asterisk = asterisk
        self._memory = memory
        self._service = service
        self._arrivals = 0
        self._lines = Random(f"lines {world.seed}")
        asterisk.people = self

    # Callers

    def call_in(self, number: str | None, dialled: str) -> None:
        world = self._world
        self._arrivals += 1
        presentation = "allowed_not_screened" if number else "prohib_not_screened"
        channel = Channel(f"1700000000.{self._arrivals}", "caller", number or "")
        channel.app_data = f"ringback-00,call,{dialled},{number or ''},{presentation},"
        keys = [world.rng.choice("22222222221*59"), world.rng.choice("11112*#5"), world.rng.choice("1*2")]
        if world.chance(0.1):
            keys = [*"2", *"2", *"015112345699", "#", "1"]  # another number
        self.callers[channel.id] = Caller(
            channel,
            patience=world.between(0.5, 60.0) if world.chance(0.5) else 200.0,
            thinks=world.between(0.0, 4.0),
            keys=tuple(keys),
            runs_after_key=world.rng.choice([None, None, 0.0, 0.001, 0.005, 0.02, 0.1, 0.5]),
        )
        world.log(f"caller {channel.id[:8]} calls {dialled} from {number}")
        world.after(self.callers[channel.id].patience, self._leaves, channel)
        self._asterisk.call_in(channel)

    def hears(self, channel: Channel, said: tuple[str, ...]) -> None:
        if not (caller := self.callers.get(channel.id)):
            return
        texts = [each.rsplit("/", 1)[-1] for each in said]
        if any(each.startswith(("menu-", "confirm-", "enter-number")) for each in texts) and caller.keys:
            entering = "enter-number" in texts
            key, caller.keys = caller.keys[0], caller.keys[1:]
            at = caller.thinks if not self.friendly else 0.5
            self._press(caller, key, at)
            while entering and caller.keys and key != "#":
                key, caller.keys = caller.keys[0], caller.keys[1:]
                at += 0.15
                self._press(caller, key, at)

    def _press(self, caller: Caller, key: str, after: float) -> None:
        self._world.after(after, self._asterisk.presses, caller.channel, key)
        if key == "2" and caller.runs_after_key is not None:
            self._world.after(after + caller.runs_after_key, self._asterisk.ends, caller.channel)

    # Who is called

    def called(self, channel: Channel) -> None:
        if channel.role == "customer":
            self._customer_called(channel)
        else:
            self._phone_rings(channel)

    def _customer_called(self, channel: Channel) -> None:
        world, asterisk = self._world, self._asterisk
        rings = world.between(0.02, 0.4)
        if self.friendly or world.chance(0.5):
            world.after(rings, asterisk.rings, channel)
            world.after(rings + world.between(0.05, 6.0), asterisk.answers, channel)
            return
        match world.rng.randrange(5):
            case 0:  # rings until somebody gives up, perhaps answers just then
                world.after(rings, asterisk.rings, channel, world.rng.choice(["RINGING", "PROGRESS"]))
                world.after(world.between(5.0, 14.0), asterisk.answers, channel)
            case 1:  # says at once why not
                world.after(rings, asterisk.ends, channel, world.rng.choice(REJECTIONS))
            case 2:  # rejects after a while
                world.after(rings, asterisk.rings, channel)
                world.after(rings + world.between(0.1, 5.0), asterisk.ends, channel, 603)
            case 3:  # answers and is gone
                world.after(rings, asterisk.answers, channel)
                world.after(rings + world.rng.choice([0.0, 0.001, 0.01, 0.1, 0.5, 2.0]), asterisk.ends, channel)
            case _:  # never says anything
                pass

    def joined(self, channel: Channel) -> None:
        """A talk begins; it lasts a while, and any of them ends it."""
        lasts = 2.0 if self.friendly else self._world.between(0.0, 12.0)
        if self.friendly or self._world.chance(0.6):
            self._world.after(lasts, self._leaves, channel)
        else:
            self._world.after(40.0, self._asterisk.ends, channel)

    def _leaves(self, channel: Channel) -> None:
        """Hangs up; one in five only falls silent, of which the service hears until it does something about it."""
        if self._lines.random() < 0.8:
            self._asterisk.ends(channel)
        else:
            self._falls_silent(channel)

    def _falls_silent(self, channel: Channel) -> None:
        if channel.alive:
            self.request(0.0, channel.party, partial(_dies, channel.id))
            self._world.after(5.0, self._falls_silent, channel)

    def ended(self, channel: Channel) -> None:
        self.callers.pop(channel.id, None)

    # Agents

    def _phone_rings(self, channel: Channel) -> None:
        world, asterisk = self._world, self._asterisk
        rings = world.between(0.01, 0.3)
        if self.friendly:
            world.after(rings, asterisk.rings, channel)
            world.after(rings + 1.0, asterisk.answers, channel)
            return
        if not world.chance(0.1):
            world.after(rings, asterisk.rings, channel, "RINGING" if world.chance(0.8) else "PROGRESS")
        match world.rng.randrange(10):
            case 0 | 1 | 2 | 3 | 4 | 5:
                world.after(rings + world.between(0.0, 8.0), asterisk.answers, channel)
            case 6:
                world.after(rings + world.between(0.0, 3.0), asterisk.ends, channel, world.rng.choice((486, 603)))
            case 7:
                world.after(world.between(0.0, 1.0), asterisk.ends, channel, world.rng.choice((480, 404, 408, 503)))
            case 8:  # lifts just when we may be giving up
                world.after(rings + world.between(4.0, 6.0), asterisk.answers, channel)
                world.after(rings + world.between(4.0, 9.0), asterisk.ends, channel)
            case _:
                pass

    def committed(self, commit: Commit) -> None:
        """What the agent's page shows; after a moment the agent does something about it."""
        it = commit.after
        if it.assigned_to is None:
            self._look_for_work(it)
            return
        after = self._world.between(0.05, 1.0) if self.friendly else self._world.between(0.0, 7.0)
        match it.status:
            case Status.OFFERED if not self.friendly:
                wanted = self._world.rng.choice([OfferAccepted, OfferAccepted, OfferRejected, None])
                if wanted:
                    self._ask(after, it, wanted(it.assigned_to))
                    if self._world.chance(0.2):  # a double click
                        self._ask(after + self._world.between(0.0, 0.05), it, wanted(it.assigned_to))
                    if self._world.chance(0.2):  # somebody else tries
                        self._ask(after + self._world.between(-0.05, 0.05), it, wanted(self._somebody()))
            case Status.CONNECTED if it.stage is Stage.READY_TO_CALL:
                again = not self.friendly and self._world.chance(0.4)
                self._ask(after, it, Redialled(it.assigned_to) if again else WorkDone(it.assigned_to, "solved"))
            case Status.CONNECTED if not self.friendly and self._world.chance(0.1):
                self._ask(after, it, CallEnded(it.assigned_to))
            case Status.WRAP_UP if self.friendly or self._world.chance(0.7):
                self._ask(after, it, WorkDone(it.assigned_to, "solved"))
            case _:
                pass

    def _somebody(self) -> str:
        return self._world.rng.choice(sorted(self._memory.agents))

    def _look_for_work(self, it: Interaction) -> None:
        """Somebody takes it from the Home List, or two do."""
        if self.friendly or it.status is not Status.OPEN or not self._world.chance(0.15):
            return
        after = self._world.between(0.0, 5.0)
        for agent in self._world.rng.sample(sorted(self._memory.agents), min(2, len(self._memory.agents))):
            self.request(after + self._world.between(0.0, 0.02), agent, partial(_pick_up, agent, it.id))

    def set_availability(self, agent: str, availability: Availability) -> None:
        self.request(0.0, agent, partial(_set, agent, availability))

    def _ask(self, after: float, it: Interaction, event: PersonEvent) -> None:
        self.request(after, it.assigned_to or "", partial(_put, it.id, event))

    def request(self, after: float, who: str, what: Callable[[Engine], object]) -> None:
        self._world.after(after, self._send, who, what)

    def _send(self, who: str, what: Callable[[Engine], object]) -> None:
        if service := self._service():
            service.request(who, what)  # type: ignore[arg-type]


async def _put(interaction_id: UUID, event: PersonEvent, engine: Engine) -> None:
    it = await engine.ask(interaction_id, event)
    if isinstance(event, OfferAccepted) and it.assigned_to != event.agent:
        raise Violation("A10", f"agent {event.agent} was told to have accepted what {it.assigned_to} has")


async def _pick_up(agent: str, interaction_id: UUID, engine: Engine) -> None:
    await engine.agents.pick_up(agent, interaction_id)


async def _set(agent: str, availability: Availability, engine: Engine) -> None:
    await engine.agents.set_availability(agent, availability, None)


async def _dies(channel_id: str, engine: Engine) -> None:
    engine.hear(channel_id, LineDied(channel_id))
