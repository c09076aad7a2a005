"""Reads a command's input: good lines go on, bad ones are named on stderr and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from llmtee import bulk
from llmtee.bulk import Detection
from llmtee.cli._options import existing, log_of
from llmtee.cli._progress import followed
from llmtee.cli._run import DONE, SOME_FAILED, complain
from llmtee.delivery.recorded import EventLog
from llmtee.errors import InputError, LlmteeError
from llmtee.model import Item, SupplementBase

_SHOWN = 20
"""Errors, and formats told, that are shown; more errors are only counted."""
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


class Detected:
    """What ``--from auto`` chose for the input, and why."""

    def __init__(self) -> None:
        self._found: list[Detection] = []

    def add(self, found: Detection) -> None:
        """Takes note, and says so on stderr, unless there were many sources already."""
        self._found.append(found)
        if len(self._found) <= _SHOWN:
            complain(str(found))

    def to_json(self) -> list[dict[str, Any]]:
        """Format, reason, source and line of the first record, once for each format in each source."""
        return [asdict(found) for found in self._found]


class Input:
    """The items of a command's files. Iterate once.

    Args:
        sources: paths; ``-`` is stdin, ``log:DIR`` an event log.
        source_format: as ``bulk.read`` takes it.

    Raises:
        UsageError: a file is missing.
    """

    def __init__(self, sources: list[str], source_format: str) -> None:
        self._logs = [(name, log) for name in sources if (log := log_of(name)) is not None]
        self._sources = existing([name for name in sources if log_of(name) is None])
        self._format = source_format
        self.failures = Failures()
        self.detected = Detected()

    def __iter__(self) -> Iterator[Item]:
        with followed(self._sources) as opened:
            yield from bulk.read(
                opened, self._format, on_error=self.failures.add, on_detect=self.detected.add
            )
        for name, log in self._logs:
            yield from self._recorded(name, log)
        self.failures.end()

    @staticmethod
    def _recorded(name: str, log: EventLog) -> Iterator[Item]:
        left_out = 0
        for item in bulk.read(log, on_note=lambda note: complain(f"{name}: {note}")):
            if isinstance(item, SupplementBase):
                left_out += 1
            else:
                yield item
        if left_out:
            complain(f"{name}: {left_out:,} annotations and the like are no events, and left out")

    def to_json(self) -> dict[str, Any]:
        """What there is to say of the input, for ``--json``."""
        return {"detected": self.detected.to_json(), "failed": self.failures.to_json()}


def _as_json(error: LlmteeError) -> dict[str, Any]:
    if not isinstance(error, InputError):
        return {"reason": str(error)}
    return {
        "source": error.source,
        "line": error.line,
        "path": error.path,
        "reason": error.reason,
    }
