"""`--bind` and `--external-address` with a phone on another machine: two network namespaces and a wire of their own.

The machine's own network is not touched. Without root the namespaces are made in a user namespace.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.deployment.network import EXTERNAL, HERE
from tests.deployment.parts import ROOT

ALONE = ["unshare", "--net"]
AS_A_USER = ["unshare", "--user", "--map-current-user", "--keep-caps", "--net"]


SCENES = {"bind": [HERE], "external": ["0.0.0.0", EXTERNAL]}


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    """What the phone saw while it talked with a customer, in both scenes, which are played at once."""
    alone = ALONE if os.geteuid() == 0 else AS_A_USER
    command = [*alone, sys.executable, "-m", "tests.deployment.network"]
    pipe = subprocess.PIPE
    plays = {
        name: subprocess.Popen([*command, *options], stdout=pipe, stderr=pipe, text=True, cwd=ROOT)
        for name, options in SCENES.items()
    }
    try:
        told = {name: play.communicate(timeout=50) for name, play in plays.items()}
    finally:
        for play in plays.values():
            play.terminate()  # it stops what it has started
    for name, play in plays.items():
        assert play.returncode == 0, told[name][1][-4000:]
    return {name: json.loads(out.splitlines()[-1]) for name, (out, _) in told.items()}


def test_on_an_address_of_the_network_a_phone_elsewhere_registers_and_talks(seen: dict[str, dict[str, Any]]) -> None:
    told = seen["bind"]
    assert told["both_heard"]
    assert told["media"] == HERE and f"@{HERE}:" in told["contact"]


def test_behind_an_external_address_it_is_that_which_phones_are_told(seen: dict[str, dict[str, Any]]) -> None:
    told = seen["external"]
    assert told["both_heard"]
    assert told["media"] == EXTERNAL and f"@{EXTERNAL}:" in told["contact"]


@pytest.mark.parametrize("scene", SCENES)
def test_neither_ari_nor_ami_is_reached_from_the_network(scene: str, seen: dict[str, dict[str, Any]]) -> None:
    assert seen[scene]["private"] == [False, False]
