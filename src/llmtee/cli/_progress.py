"""Progress bars on stderr, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from llmtee.cli import _console as console
from llmtee.cli._options import STDIN

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
