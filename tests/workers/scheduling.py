"""Which worker (pytest-xdist) runs what: whole files, the longest first, so that all end at about the same time. What
measures time to fine limits runs when nothing else does: when the other workers have ended, the last one runs it.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.workers.seconds import SECONDS

ALONE: tuple[str, ...] = ()
"""Files (`tests/a/test_b.py`) or tests (`tests/a/test_b.py::test_c`) that would measure the other worker."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "Scheduling":
    return Scheduling(config, log)


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """`workqueue` holds what nobody has begun, `nodes` are the workers that have not ended. A worker gets more when
    two tests are left: it keeps its last one until it knows which is next, or that there is none."""

    def _split_scope(self, nodeid: str) -> str:
        """What is run by one worker: a file, without those of its tests that run alone."""
        file: str = super()._split_scope(nodeid)
        return next((each for each in ALONE if each in (file, nodeid.partition("[")[0])), file)

    def _assign_work_unit(self, node: Any) -> None:
        longest = max(self.workqueue, key=_length)
        if longest not in ALONE or self.nodes == [node]:
            self.workqueue.move_to_end(longest, last=False)
            super()._assign_work_unit(node)
        elif not all(each.shutting_down for each in self.nodes if each is not node):
            node.shutdown()  # after what it has; another one stays

    def remove_node(self, node: Any) -> str | None:
        """When one has ended, the last one may be waiting for just that."""
        crashed: str | None = super().remove_node(node)
        for each in self.nodes:
            self._reschedule(each)
        return crashed


def _length(scope: str) -> float:
    return -1 if scope in ALONE else SECONDS.get(scope.removeprefix("tests/"), 0)
