"""Loaded by every Python of a part with another wall clock (PYTHONPATH). Debian 12's libfaketime lets the sleep that
Python 3.11 does fail with EINVAL (wolfcw/libfaketime#426), so that here it waits for nothing to be readable."""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
