"""The real SQL does what the model says, whatever is asked of it in whatever order."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.conftest import Database
from tests.model.machine import store_on

FULL = settings(max_examples=80, stateful_step_count=20, suppress_health_check=list(HealthCheck))

pytestmark = pytest.mark.quick

FLOORS = {
    "rule: call": 60, "rule: ask for callback": 35, "rule: ask twice": 6, "rule: ask against a rule": 10,
    "rule: happen": 40, "rule: race": 25,
    "own: take": 50, "own: renew": 6, "own: release": 4, "own: expire": 4,
    "set: ready": 2, "set: not_ready": 3, "set: logged_out": 3, "set: switch": 3, "set: list": 4, "set: version": 3,
    "taken": 20, "not taken": 20, "renewed": 4, "not renewed": 2,
    "create: done": 50, "create: Conflict": 5,
    "save: done": 150, "save: Conflict": 10, "save: AgentBusy": 1, "save: DuplicateCallback": 4,
    "save: NumberBlocked do_not_call": 4, "save: NumberBlocked register": 4,
}  # fmt: skip
"""How often each rule has to be followed, and each statement has to end so: about a fifth of what is reached, as
Hypothesis draws other stories when other modules are loaded."""


@pytest.mark.timeout(240)
def test_the_store_does_what_the_model_says(database: Database, told: list[str]) -> None:
    store = store_on(database)
    run_state_machine_as_test(store, settings=FULL)
    reached = ", ".join(f"{what} {store.reached[what]} ({floor})" for what, floor in FLOORS.items())
    told.append(f"model test: reached (and the floor): {reached}")
    assert not _short(store.reached), f"too little happens: {_short(store.reached)}"


def test_a_model_test_in_which_nothing_happens_is_short_of_every_floor() -> None:
    assert set(_short(Counter())) == set(FLOORS)


def _short(reached: Counter[str]) -> dict[str, int]:
    return {what: reached[what] for what, floor in FLOORS.items() if reached[what] < floor}
