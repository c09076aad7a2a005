"""What every Tee owes the process it lives in: a bounded flush at exit, and a fresh start in a forked child."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

logger = logging.getLogger("llmtee")

_FORK_SECONDS = 1.0
"""How long a fork waits at most for deliveries to come to a halt. Then it goes on, as it would without us."""


class Living(Protocol):
    """A Tee, as this module sees it."""

    exit_timeout: float

    def succeeded_by(self, newer: Any) -> None:
        """A newer Tee of this process begins to deliver."""

    def leave(self, end: float) -> Iterator[None]:
        """Flushes until ``end`` (of ``time.monotonic``) in steps, between which other Tees have their turn."""

    def before_fork(self, seconds: float) -> Callable[[], object]:
        """Comes to a halt, if that takes at most so many seconds; returns what undoes it, in the same thread."""

    def after_fork(self) -> None:
        """In the child: lets go of what is the parent's."""


_live: dict[Living, None] = {}
"""Those that are not closed, in order of age. Held strongly: a Tee that nobody refers to any more still delivers."""
_halted = threading.local()
"""Of the thread that forks: what undoes the halts."""


def add(tee: Living) -> None:
    """From now on ``tee`` is looked after."""
    _live[tee] = None


def discard(tee: Living) -> None:
    """``tee`` is closed."""
    _live.pop(tee, None)


def begins(tee: Living) -> None:
    """``tee`` begins to deliver."""
    for older in list(_live):
        if older is tee:
            return
        older.succeeded_by(tee)


def _at_exit() -> None:
    # Side by side, so that all of them together take no longer than the longest that one of them may take.
    start = time.monotonic()
    leaving = [tee.leave(start + tee.exit_timeout) for tee in list(_live)]
    try:
        while leaving:
            leaving = [steps for steps in leaving if _step(steps)]
    except KeyboardInterrupt:
        logger.warning("interrupted at exit; what was not delivered waits in the event log")


def _step(steps: Iterator[None]) -> bool:
    """Takes one Tee a step further; returns whether there is another one."""
    try:
        next(steps)
    except StopIteration:
        return False
    except Exception:  # the exit goes on; what was recorded waits in the event log
        logger.exception("not everything was delivered at exit; the rest waits in the event log")
        return False
    return True


def _before_fork() -> None:
    # A thread that is in the middle of an import, or inside SQLite, when its process is copied holds locks there that
    # nobody in the child will ever release.
    end = time.monotonic() + _FORK_SECONDS
    _halted.undo = [tee.before_fork(max(0.0, end - time.monotonic())) for tee in list(_live)]


def _after_fork_in_parent() -> None:
    for undo in _halted.undo:
        undo()


def _after_fork() -> None:
    for tee in list(_live):
        tee.after_fork()


atexit.register(_at_exit)
os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork,
)
