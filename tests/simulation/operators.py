"""Who sets rules: a number put on the do-not-call list, callbacks switched off, just as a call goes out.

Their chance is their own, so that everybody else's stories stay what they were.
"""

from collections.abc import Callable
from random import Random

from routing.core.interaction import Stage
from tests.model.memory import Commit, Memory
from tests.simulation.world import World


class Operators:
    """What is put on the list stays there; callbacks are switched on again after a while. `kill` ends the service:
    now and then just between a dial's being stored and being done, with the rule set before another takes over."""

    def __init__(self, world: World, memory: Memory, kill: Callable[[], None]) -> None:
        self.friendly = False
        self._world = world
        self._memory = memory
        self._kill = kill
        self._rng = Random(f"operators {world.seed}")

    def committed(self, commit: Commit) -> None:
        it, before = commit.after, commit.before
        if self.friendly or it.stage is not Stage.DIALING or before is None or before.stage is Stage.DIALING:
            return
        match self._rng.randrange(8):
            case 0:
                self._set_rule(self._rng.uniform(0.0, 1.5), it.queue, it.number or "")
            case 1 | 2:
                after = self._rng.uniform(0.0, 0.02)
                self._world.after(after, self._kill)
                self._set_rule(after, it.queue, it.number or "")
            case _:
                pass

    def _set_rule(self, after: float, queue: str, number: str) -> None:
        if self._rng.random() < 0.3:
            self._world.after(after, self._list, number)
        else:
            self._world.after(after, self._switch, queue, False)
            self._world.after(after + self._rng.uniform(2.0, 8.0), self._switch, queue, True)

    def _list(self, number: str) -> None:
        self._world.log(f"{number} is put on the do-not-call list")
        self._memory.do_not_call.add(number)

    def _switch(self, queue: str, process: bool) -> None:
        self._world.log(f"callbacks of {queue} are switched {'on' if process else 'off'}")
        self._memory.switches[queue] = (True, process)
