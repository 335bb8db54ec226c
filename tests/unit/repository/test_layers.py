"""Which way imports point, and what the pure core may not ask. `lint-imports` reads the same contracts."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ASKS = {"now", "utcnow", "today", "uuid1", "uuid4", "monotonic"}
"""Calls that give another answer next time; ruff's DTZ lets `datetime.now(UTC)` pass."""


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def named(contract: dict[str, Any], key: str) -> set[str]:
    return {name.strip() for line in contract[key] for name in re.split("[|:]", line)}


LAYERS = next(each for each in contracts() if each["type"] == "layers")
PURE = next(each for each in contracts() if each["type"] == "forbidden" and "pure" in each["name"])


def parts_of(module: str) -> list[str]:
    """The core is many modules, all others are one."""
    if module != "routing.core":
        return [module]
    return sorted(f"{module}.{path.stem}" for path in (ROOT / "routing/core").iterdir() if path.stem[0] != "_")


def files_of(module: str) -> list[Path]:
    path = ROOT / module.replace(".", "/")
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def test_every_module_has_its_layer() -> None:
    names = {
        path.stem for path in (ROOT / "routing").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    there = {f"routing.{name}" for name in names if name != "__init__"} | {"dialplan", "demo", "ivr"}
    assert there == named(LAYERS, "layers")


def test_everything_below_the_runtime_is_pure_and_of_it_what_masks_logs() -> None:
    order = [{name.strip() for name in re.split("[|:]", line)} for line in LAYERS["layers"]]
    below = set().union(*order[order.index({"routing.runtime"}) + 1 :])
    assert below | {"routing.runtime.redaction"} == named(PURE, "source_modules")


@pytest.mark.parametrize(
    "module", [part for each in sorted(named(PURE, "source_modules")) for part in parts_of(each)]
)
def test_the_pure_core_is_told_the_time_and_never_asks(module: str) -> None:
    for path in files_of(module):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            asked = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            assert asked not in ASKS, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} calls {asked}()"
