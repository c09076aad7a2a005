"""The ledger: which fields of an item a vendor keeps, which it parks, which are lost, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from llmtee.fidelity._views import Row, html, table, text

Status: TypeAlias = Literal["kept", "parked", "changed", "trimmed", "lost"]

BY_WEIGHT: tuple[Status, ...] = ("lost", "changed", "trimmed", "parked", "kept")
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of one field."""

    path: str
    """The canonical field, such as ``messages[].parts[].text``."""
    status: Status
    """``kept``: in a field made for it. ``parked``: in a free-form field. ``changed``: something else comes back in its
    place. ``trimmed``: a part of it comes back. ``lost``: nothing comes back."""
    count: int
    """How many values stand there."""
    reason: str | None = None
    example: str | None = None
    """The first of the values, shortened, for people."""


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
        examples: dict[tuple[str, Status, str | None], str | None] = {}
        for entry in entries:
            key = (entry.path, entry.status, entry.reason)
            entry_counts[key] += entry.count
            examples[key] = examples.get(key) or entry.example
        note_counts: Counter[tuple[str, str, str]] = Counter()
        for note in notes:
            note_counts[note.path, note.action, note.reason] += note.count
        ordered = sorted(entry_counts.items(), key=lambda e: (e[0][0], e[0][1], e[0][2] or ""))
        return cls(
            tuple(
                Entry(path, status, n, reason, examples[path, status, reason])
                for (path, status, reason), n in ordered
            ),
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
    def changed(self) -> int:
        """How many values come back as something else."""
        return self._total("changed")

    @property
    def trimmed(self) -> int:
        """How many values come back in part."""
        return self._total("trimmed")

    @property
    def lost(self) -> int:
        """How many values do not come back as they were: not at all, changed, or trimmed."""
        return self._total("lost") + self.changed + self.trimmed

    def rows(self) -> list[Row]:
        """One row for each field and status, the worst first, then what was done on purpose."""
        ordered = sorted(self.entries, key=lambda entry: BY_WEIGHT.index(entry.status))
        return [
            *(Row(e.status, e.path, e.count, e.example, e.reason) for e in ordered),
            *(Row(n.action, n.path, n.count, None, n.reason, noted=True) for n in self.notes),
        ]

    def summary(self) -> str:
        """The totals in one line."""
        total = self.kept + self.parked + self.lost
        counts = {"changed": self.changed, "trimmed": self.trimmed}
        partly = [f"{count} {word}" for word, count in counts.items() if count]
        told = f" (of these {', '.join(partly)})" if partly else ""
        return f"{total} values: {self.kept} kept, {self.parked} parked, {self.lost} lost{told}"

    def to_json(self) -> dict[str, Any]:
        """The ledger as a JSON object."""
        return {
            "kept": self.kept,
            "parked": self.parked,
            "lost": self.lost,
            "changed": self.changed,
            "trimmed": self.trimmed,
            "entries": [_without_none(entry) for entry in self.entries],
            "notes": [_without_none(note) for note in self.notes],
        }

    def __str__(self) -> str:
        return text(self.summary(), self.rows())

    def __rich__(self) -> Any:
        """What ``rich`` shows: a table."""
        return table(self.summary(), self.rows())

    def _repr_html_(self) -> str:
        """What a notebook shows: the totals, and the fields of each status to fold out."""
        return html(self.summary(), self.rows())

    def _total(self, status: Status) -> int:
        return sum(entry.count for entry in self.entries if entry.status == status)


def _without_none(value: Entry | Change) -> dict[str, Any]:
    fields = {name: getattr(value, name) for name in type(value).__slots__}
    return {name: field for name, field in fields.items() if field is not None}
