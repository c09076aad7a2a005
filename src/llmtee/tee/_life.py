"""What every Tee owes the process it lives in: a bounded flush at exit, and a fresh start in a forked child."""

from __future__ import annotations

import atexit
import logging
import os
import time
from typing import Protocol

logger = logging.getLogger("llmtee")


class Living(Protocol):
    """A Tee, as this module sees it."""

    exit_timeout: float

    def at_exit(self, timeout: float) -> None:
        """Flushes within ``timeout`` seconds."""

    def after_fork(self) -> None:
        """Lets go of what is the parent's."""


_live: set[Living] = set()
"""Those that are not closed. Held strongly: a Tee that nobody refers to any more still delivers."""


def add(tee: Living) -> None:
    """From now on ``tee`` is looked after."""
    _live.add(tee)


def discard(tee: Living) -> None:
    """``tee`` is closed."""
    _live.discard(tee)


def _at_exit() -> None:
    # One budget for all, the longest that any of them was allowed.
    end = time.monotonic() + max((tee.exit_timeout for tee in _live), default=0.0)
    for tee in list(_live):
        try:
            tee.at_exit(max(0.0, end - time.monotonic()))
        except Exception:  # the exit goes on; what was recorded waits in the event log
            logger.exception(
                "not everything was delivered at exit; the rest waits in the event log"
            )


def _after_fork() -> None:
    for tee in list(_live):
        tee.after_fork()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
