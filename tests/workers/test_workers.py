"""Tiny projects, run by one process and by two workers: in the end the same is looked at, and the order holds."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.floors import FLOORS
from tests.workers.scheduling import ALONE
from tests.workers.seconds import SECONDS

ROOT = Path(__file__).parents[2]
TWO = ("-n", "2", "--max-worker-restart=0")
WORKERS = pytest.mark.parametrize("workers", [(), TWO], ids=["one process", "two workers"])

INI = """
[pytest]
testpaths = tests
addopts = -p tests.conftest -p no:schemathesis
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""
CONFTEST = """
from pathlib import Path
from tests import features
from tests.workers import scheduling

features.DOCUMENT = Path(__file__).with_name("features.md")
scheduling.ALONE = ("tests/faults/test_b.py", "tests/faults/test_c.py::test_second")
scheduling.SECONDS = {"faults/test_h.py": 2}

def pytest_collection_modifyitems(config, items):
    later = [item for item in items if item.name == "test_later"]
    config.hook.pytest_deselected(items=later)
    items[:] = [item for item in items if item not in later]
"""
ROW = """
from tests.workers.gathered import gathered

def test_row(pytestconfig, told):
    it = gathered(pytestconfig)
    it.reached.update({reached})
    it.figures.note("F1", "silence", {silence}, unit="s", limit=4)
    told.append("told by {name}")

def test_later():
    pass
"""
WATCHED = """
import json, os, time
from pathlib import Path

def run(test):
    began = time.monotonic()
    time.sleep(0.1)
    with Path("ran").open("a") as log:
        log.write(json.dumps([test, os.getpid(), began, time.monotonic()]) + "\\n")

def test_first():
    run("{name} first")

def test_second():
    run("{name} second")
"""


@dataclass
class Project:
    folder: Path

    def has(self, name: str, text: str) -> None:
        (self.folder / "tests/faults" / name).write_text(text)

    def names(self, *tests: str) -> None:
        (self.folder / "features.md").write_text("".join(f"`{test}`\n" for test in tests))

    def run(self, *options: str) -> tuple[int, str]:
        """Exit code, and what was printed."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "tests/faults").mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "features.md").touch()
    return Project(tmp_path)


def two_rows(project: Project, **lacking: int) -> None:
    """Only together they reach what is asked for, less what is `lacking`."""
    some = {what: floor // 2 for what, floor in FLOORS.items()}
    rest = {what: floor - some[what] - lacking.get(what, 0) for what, floor in FLOORS.items()}
    for name, reached, silence in (("test_one.py", some, [0.5, 0.5]), ("test_two.py", rest, 3.5)):
        project.has(name, ROW.format(name=name, reached=reached, silence=silence))


@WORKERS
def test_what_every_test_tells_is_in_the_end_together(project: Project, workers: tuple[str, ...]) -> None:
    two_rows(project)
    project.names("faults/test_one.py::test_row", "faults/test_two.py::test_row", "faults/test_two.py::test_later")
    code, told = project.run(*workers, "--figures-file=figures.md", "--share=faults=1/1")
    assert code == 0, told
    for line in ("told by test_one.py", "told by test_two.py", 'passed by folder: {"faults": 2}'):
        assert told.count(f"\n{line}\n") == 1, told
    assert told.count("fault rows reached: rows audited 12 (at least 12), promises 15 (at least 15)") == 1
    row = "| F1 | silence | 3 | 0.5 / 3.5 / 3.5 s | <= 4 s | yes |"
    assert (project.folder / "figures.md").read_text().splitlines()[2:] == [row]
    assert told.count("F1   silence") == 1


@WORKERS
def test_rows_that_together_reach_less_than_the_floor_fail_the_run(
    project: Project, workers: tuple[str, ...]
) -> None:
    two_rows(project, callbacks=1)
    code, told = project.run(*workers)
    assert code == 1, told
    assert "\nfault rows reached too little: callbacks\n" in told and "2 passed" in told


@WORKERS
def test_a_feature_whose_test_did_not_run_fails_the_run(project: Project, workers: tuple[str, ...]) -> None:
    two_rows(project)
    project.names("faults/test_one.py::test_row", "faults/test_two.py::test_gone")
    code, told = project.run(*workers)
    assert code == 1, told
    assert "\ndocs/features.md names tests that did not run: faults/test_two.py::test_gone\n" in told


def test_a_worker_that_dies_fails_the_run(project: Project) -> None:
    project.has("test_one.py", "import os\n\ndef test_dies():\n    os._exit(0)\n")
    project.has("test_two.py", "def test_lives():\n    pass\n")
    code, told = project.run(*TWO)
    assert code == 1 and "1 failed, 1 passed" in told, told


def test_long_files_begin_first_and_what_runs_alone_is_last_and_beside_nothing(project: Project) -> None:
    for name in "abcdefgh":
        project.has(f"test_{name}.py", WATCHED.format(name=name))
    code, told = project.run(*TWO)
    assert code == 0, told
    ran = sorted(
        (json.loads(line) for line in (project.folder / "ran").read_text().splitlines()), key=lambda it: it[2]
    )
    order = [test for test, *_ in ran]
    assert len(order) == 16 and "h first" in order[:2]
    assert order[-3:] == ["b first", "b second", "c second"]
    assert len({worker for _, worker, *_ in ran[:-3]}) == 2
    assert all(began >= max(end for *_, end in ran[:n]) for n, (*_, began, _) in enumerate(ran) if n >= 13)


def test_the_files_that_are_named_are_there() -> None:
    named = [each.partition("::")[0] for each in ALONE] + [f"tests/{each}" for each in SECONDS]
    assert [each for each in named if not (ROOT / each).is_file()] == []
