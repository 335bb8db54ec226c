"""How much the fault rows have to have seen, all of them together: a run that reaches less has shown nothing."""

from collections import Counter
from pathlib import Path

import pytest

FLOORS = {
    "rows audited": 12,
    "promises": 15,
    "promises heard": 1,
    "callbacks": 22,
    "handled": 1,
    "customers' INVITEs": 6,
}


def are_for(config: pytest.Config) -> bool:
    """Whether all rows were asked for."""
    return not config.option.keyword and all(Path(each).name in ("tests", "faults") for each in config.args)


def told(reached: Counter[str]) -> str:
    each = [f"{what} {reached[what]} (at least {floor})" for what, floor in FLOORS.items()]
    return f"fault rows reached: {', '.join(each)}"


def lacking(reached: Counter[str]) -> list[str]:
    few = [what for what, floor in FLOORS.items() if reached[what] < floor]
    return [f"fault rows reached too little: {', '.join(few)}"] if few else []
