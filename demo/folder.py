"""A folder for a while, for whoever runs Asterisk and Postgres."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def enterable_folder(name: str) -> Iterator[Path]:
    """A new one, gone at the end. The accounts Asterisk and Postgres run as may enter it, and its path is short
    enough for the sockets below it."""
    with tempfile.TemporaryDirectory(prefix=f"rb-{name}-", dir="/tmp") as made:  # short
        folder = Path(made)
        folder.chmod(0o755)
        yield folder
