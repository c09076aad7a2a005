"""Progress on stderr: bars on a terminal, and a line now and then elsewhere where it takes long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from llmtee import bulk
from llmtee.cli import _console as console
from llmtee.cli._options import STDIN
from llmtee.cli._run import complain

if TYPE_CHECKING:  # what other commands do not need
    from llmtee.migrate import Progress as SendingProgress
    from llmtee.migrate import Reading

_EVERY = 10_000
"""Items after which a line is printed, where nobody knows how many there are."""
_QUIET = 30.0
"""Seconds between two lines."""
_MOST_FILES = 50
"""More are not followed: each would be open from the start."""


@contextmanager
def followed(paths: Sequence[str]) -> Iterator[list[Any]]:
    """The files, opened so that a bar shows how far they are read; as they are where there is no terminal."""
    if not console.err.is_terminal or len(paths) > _MOST_FILES:
        yield list(paths)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with (
        Progress(*columns, TimeRemainingColumn(), console=console.err, transient=True) as progress,
        ExitStack() as stack,
    ):
        yield [
            path
            if path == STDIN
            else stack.enter_context(progress.open(path, "rb", description=path))
            for path in paths
        ]


@contextmanager
def rated() -> Iterator[Callable[[bulk.Progress], None]]:
    """A function that is told how far a conversion is.

    It shows a bar with rate and estimate; where there is no terminal, a line now and then, when it takes long.
    """
    began = time.monotonic()
    if not console.err.is_terminal:
        yield _Lines(began)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    rate = TextColumn("{task.fields[rate]}")
    with Progress(
        *columns, rate, TimeRemainingColumn(), console=console.err, transient=True
    ) as progress:
        task = progress.add_task("reading", total=None, rate="")
        base: bulk.Progress | None = None

        def tell(now: bulk.Progress) -> None:
            nonlocal base, began
            if base is None or base.phase != now.phase:
                base, began = now, time.monotonic()
                progress.reset(task, description=now.phase)
            told = _rate(base, now, time.monotonic() - began)
            progress.update(task, total=now.total, completed=now.done, rate=told)

        yield tell


class _Lines:
    def __init__(self, began: float) -> None:
        self._began = self._told = began
        self._base: bulk.Progress | None = None

    def __call__(self, now: bulk.Progress) -> None:
        clock = time.monotonic()
        if self._base is None or self._base.phase != now.phase:
            self._base, self._began = now, clock
        if clock - self._told < _QUIET:
            return
        self._told = clock
        share = f", {now.done / now.total:.0%}" if now.total else ""
        complain(
            f"{now.phase}: {now.read:,} items{share}, {_rate(self._base, now, clock - self._began)}"
        )


def _rate(base: bulk.Progress, now: bulk.Progress, seconds: float) -> str:
    """``12.5 MB/s, 3,200 items/s``; of sessions while they are assembled."""
    if seconds <= 0:
        return ""
    done = (now.done - base.done) / seconds
    if now.phase != "reading":
        return f"{done:,.0f} sessions/s"
    return f"{console.size(int(done))}/s, {(now.read - base.read) / seconds:,.0f} items/s"


@contextmanager
def counted(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function that is told how many of ``total`` are done."""
    if not console.err.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console.err, transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)


class Migrating:
    """Shows how far a migration is: bars on a terminal, else a line now and then."""

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, int] = {}
        self._trouble: str | None = None

    def reading(self, reading: Reading) -> None:
        """After a page was read."""
        held = reading.held
        done = held.events + held.conversations + held.supplements
        self._show("reading", done, reading.total, "")

    def planning(self, sessions: int) -> None:
        """After a session was gone through."""
        self._show("planning", sessions, None, "")

    def sending(self, progress: SendingProgress) -> None:
        """Now and then, while it is sent."""
        counts = progress.counts
        rate = "" if not progress.rate else f"{progress.rate:,.0f}/s"
        told = f"{counts.dead:,} not taken" if counts.dead else ""
        self._show("sending", counts.total - counts.pending, progress.total, f"{rate} {told}")
        if progress.trouble is not None and progress.trouble != self._trouble:
            complain(progress.trouble)
        self._trouble = progress.trouble

    def _show(self, label: str, done: int, total: int | None, more: str) -> None:
        if self._bars is not None:
            if label not in self._tasks:
                self._tasks[label] = self._bars.add_task(label, total=total, more="")
            self._bars.update(self._tasks[label], completed=done, total=total, more=more.strip())
            return
        step = max(1, total // 10) if total else _EVERY
        if done // step > self._told.get(label, 0) // step:
            self._told[label] = done
            of = f" of {total:,}" if total else ""
            complain(f"{label}: {done:,}{of} {more}".rstrip())


@contextmanager
def migrating() -> Iterator[Migrating]:
    """Shows a migration's progress on stderr."""
    if not console.err.is_terminal:
        yield Migrating(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        TextColumn("{task.fields[more]}"),
        console=console.err,
        transient=True,
    ) as bars:
        yield Migrating(bars)
