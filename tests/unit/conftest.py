"""A story has to be told to its end: what was done after its last `does` would be seen by nobody."""

from collections.abc import Iterator

import pytest
from story import STORIES


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    STORIES.clear()
    yield
    untold = ["\n".join(lines) for story in STORIES if (lines := story.so_far())]
    assert not untold, "say what was done, with `does`:\n" + "\n--\n".join(untold)
