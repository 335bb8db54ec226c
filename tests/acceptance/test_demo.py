"""`ringback demo`, which the README tells people to run first: its whole story, as they see it."""

import subprocess
import sys

import pytest


@pytest.mark.timeout(180)
def test_every_step_of_the_demo_is_seen() -> None:
    done = subprocess.run([sys.executable, "-m", "routing", "demo"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(" ✓ ") > 40 and " ✗ " not in done.stdout
    assert "Every step was seen at the phones and in Postgres." in done.stdout
