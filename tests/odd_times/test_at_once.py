"""What of `make odd-times` every run of the tests does: a machine started seconds ago, when the clocks change."""

from datetime import timedelta

import pytest

from tests.odd_times.oddity import Oddity, changes
from tests.odd_times.parts import JUST_STARTED, ZONES, Part, run


@pytest.mark.timeout(600)  # a minute and a quarter alone
def test_unit_tests_and_ten_stories_on_a_young_machine_while_the_clocks_change() -> None:
    """Half an hour of Lord Howe's summer time comes or goes meanwhile."""
    zone = ZONES[-1]
    oddity = Oddity(zone, JUST_STARTED, changes(zone)[0] - timedelta(seconds=30))
    shares, least = {"unit": "1/1", "acceptance": "1/17"}, {"unit": 1000, "acceptance": 10}
    result = run(Part("at once", oddity, shares, least))
    assert not result.faults, "\n".join(result.faults)
