"""Keeps what Postgres, Asterisk and the service write below a size, whatever strangers have them write.

The programs write to the end of a file that stays open. It is copied and emptied under them: a line written in that
moment may be lost. Of each log there are two files, `LOG` and the older `LOG.1`.
"""

import asyncio
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

MOST = 10 << 20
"""Bytes a log may have before it becomes the older one."""
EVERY = 2.0
"""Seconds between looks."""


async def keep_small(logs: Iterable[Path]) -> None:
    """For ever."""
    logs = tuple(logs)
    while True:
        for each in logs:
            try:
                await asyncio.to_thread(cap, each)
            except OSError as error:  # a full disk: emptying it is what helps
                log.warning("log_not_copied", log=str(each), error=error.strerror)
                empty(each)
        await asyncio.sleep(EVERY)


def cap(path: Path, most: int = MOST) -> None:
    """Begin the log anew when it has more than `most` bytes; the last `most` of them are kept."""
    if not path.exists() or path.stat().st_size <= most:
        return
    draft, older = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.1")
    older.unlink(missing_ok=True)
    draft.unlink(missing_ok=True)
    kept = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, path.stat().st_mode & 0o777)
    with path.open("rb") as file, os.fdopen(kept, "wb") as copy:
        file.seek(-most, os.SEEK_END)
        shutil.copyfileobj(file, copy)
    draft.replace(older)
    empty(path)


def empty(path: Path) -> None:
    os.truncate(path, 0)
