"""Collects what rendering did on purpose: one note for each kind of change, with how often it was made."""

from __future__ import annotations

from collections import Counter

from llmtee.spec import Note
from llmtee.spec.wire import Action


class Notes:
    """Notes under the same path, action and reason become one."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Action, str]] = Counter()

    def add(self, path: str, action: Action, reason: str, count: int = 1) -> None:
        """Notes a change of the canonical field ``path``."""
        if count:
            self._counts[path, action, reason] += count

    def made(self) -> tuple[Note, ...]:
        """The notes, in the order of their first occurrence."""
        return tuple(
            Note(path, action, reason if count == 1 else f"{reason} ({count} times)")
            for (path, action, reason), count in self._counts.items()
        )
