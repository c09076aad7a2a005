"""Progress bars on stderr, on a terminal only."""

from __future__ import annotations

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

from llmtee.cli import _console as console
from llmtee.cli._options import STDIN
from llmtee.cli._run import complain

if TYPE_CHECKING:  # what other commands do not need
    from llmtee.migrate import Progress as SendingProgress
    from llmtee.migrate import Reading

_EVERY = 10_000
"""Items after which a line is printed, where nobody knows how many there are."""
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
