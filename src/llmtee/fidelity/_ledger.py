"""The ledger: which fields of an item a vendor keeps, which it parks, which are lost, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal["kept", "parked", "lost"]

_BY_WEIGHT: tuple[Status, ...] = ("lost", "parked", "kept")


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of one field."""

    path: str
    """The canonical field, such as ``messages[].parts[].text``."""
    status: Status
    """``kept``: in a field made for it; ``parked``: in a free-form field; ``lost``: it does not come back."""
    count: int
    """How many values stand there."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that rendering did on purpose."""

    path: str
    action: str
    """``changed``, ``trimmed`` or ``dropped``."""
    reason: str
    count: int = 1


@dataclass(frozen=True)
class Ledger:
    """What a vendor keeps of an item, value by value. Made by ``llmtee.explain``."""

    entries: tuple[Entry, ...] = ()
    """Sorted by path."""
    notes: tuple[Change, ...] = ()
    """What was changed on purpose, sorted by path."""

    @classmethod
    def of(cls, entries: Iterable[Entry], notes: Iterable[Change] = ()) -> Ledger:
        """A ledger of entries and notes in any order; equal ones are added up."""
        entry_counts: Counter[tuple[str, Status, str | None]] = Counter()
        for entry in entries:
            entry_counts[entry.path, entry.status, entry.reason] += entry.count
        note_counts: Counter[tuple[str, str, str]] = Counter()
        for note in notes:
            note_counts[note.path, note.action, note.reason] += note.count
        ordered = sorted(entry_counts.items(), key=lambda e: (e[0][0], e[0][1], e[0][2] or ""))
        return cls(
            tuple(Entry(path, status, n, reason) for (path, status, reason), n in ordered),
            tuple(Change(*key, count=n) for key, n in sorted(note_counts.items())),
        )

    @classmethod
    def merged(cls, ledgers: Iterable[Ledger]) -> Ledger:
        """One ledger for several items, with the counts added up."""
        ledgers = list(ledgers)
        return cls.of(
            (entry for ledger in ledgers for entry in ledger.entries),
            (note for ledger in ledgers for note in ledger.notes),
        )

    @property
    def kept(self) -> int:
        """How many values come back from fields made for them."""
        return self._total("kept")

    @property
    def parked(self) -> int:
        """How many values come back only from free-form fields."""
        return self._total("parked")

    @property
    def lost(self) -> int:
        """How many values do not come back."""
        return self._total("lost")

    def summary(self) -> str:
        """The totals in one line."""
        total = self.kept + self.parked + self.lost
        return f"{total} values: {self.kept} kept, {self.parked} parked, {self.lost} lost"

    def to_json(self) -> dict[str, Any]:
        """The ledger as a JSON object."""
        return {
            "kept": self.kept,
            "parked": self.parked,
            "lost": self.lost,
            "entries": [_without_none(entry) for entry in self.entries],
            "notes": [_without_none(note) for note in self.notes],
        }

    def __str__(self) -> str:
        rows: list[tuple[str, str, str]] = [
            (entry.status, _counted(entry.path, entry.count), entry.reason or "")
            for status in _BY_WEIGHT
            for entry in self.entries
            if entry.status == status
        ]
        rows += [(note.action, _counted(note.path, note.count), note.reason) for note in self.notes]
        width = max((len(path) for _, path, _ in rows), default=0)
        lines = [f"{word:<8}{path:<{width}}  {reason}".rstrip() for word, path, reason in rows]
        return "\n".join([self.summary(), *lines])

    def _total(self, status: Status) -> int:
        return sum(entry.count for entry in self.entries if entry.status == status)


def _counted(path: str, count: int) -> str:
    return path if count == 1 else f"{path} ×{count}"


def _without_none(value: Entry | Change) -> dict[str, Any]:
    fields = {name: getattr(value, name) for name in type(value).__slots__}
    return {name: field for name, field in fields.items() if field is not None}
