"""Reads a command's input: good lines go on, bad ones are named on stderr and counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmtee import bulk
from llmtee.cli._options import existing
from llmtee.cli._progress import followed
from llmtee.cli._run import DONE, SOME_FAILED, complain
from llmtee.errors import InputError, LlmteeError
from llmtee.model import Item

_SHOWN = 20
"""Errors that are shown; more are only counted."""
_KEPT = 1000
"""Errors that ``--json`` tells."""


class Failures:
    """What could not be read or written."""

    def __init__(self) -> None:
        self._count = 0
        self._kept: list[LlmteeError] = []

    def add(self, error: LlmteeError) -> None:
        """Takes note of an error, and shows it unless there were many already."""
        self._count += 1
        if self._count <= _SHOWN:
            complain(str(error))
        if self._count <= _KEPT:
            self._kept.append(error)

    def end(self) -> None:
        """Says how many were not shown."""
        if self._count > _SHOWN:
            complain(f"… and {self._count - _SHOWN:,} more")

    @property
    def code(self) -> int:
        """The exit code, as far as these go."""
        return SOME_FAILED if self._count else DONE

    def to_json(self) -> list[dict[str, Any]]:
        """The errors as JSON objects."""
        return [_as_json(error) for error in self._kept]


class Input:
    """The items of a command's files. Iterate once.

    Args:
        sources: paths; ``-`` is stdin.
        source_format: as ``bulk.read`` takes it.

    Raises:
        UsageError: a file is missing.
    """

    def __init__(self, sources: list[str], source_format: str) -> None:
        self._sources = existing(sources)
        self._format = source_format
        self.failures = Failures()

    def __iter__(self) -> Iterator[Item]:
        with followed(self._sources) as opened:
            yield from bulk.read(opened, self._format, on_error=self.failures.add)
        self.failures.end()


def _as_json(error: LlmteeError) -> dict[str, Any]:
    if not isinstance(error, InputError):
        return {"reason": str(error)}
    return {
        "source": error.source,
        "line": error.line,
        "path": error.path,
        "reason": error.reason,
    }
