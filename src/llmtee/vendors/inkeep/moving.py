"""Reads a list by offsets while it changes: what is in it from the first request to the last is given exactly once.

Assumed of the list, whose order is not documented: either what changes stays where it is, and what is new comes in
anywhere; or what is new or changed goes to one end, always the same. So do lists that have the newest or the oldest
first, and the last changed first or last, as long as nothing writes past times of change into them meanwhile. A sweep
from the first to the last row works like this:

- Pages overlap. What was read just before, unchanged (the *anchors*), must come again: behind it begins what is unread,
  wherever it has moved to. Where no anchor is to be seen, pages before and after are asked for until one is.
- The total and the place where the unread begins are compared with those of the page before. Both moved by as much, or
  only the total grew: then nothing unread can have gone to what was read already. Else something may have, such as a
  conversation that somebody went on with where the last changed comes first, and another sweep follows.
- Which ids were given is remembered as a `Sketch`, which takes the same room for ten as for a million. After each further
  sweep it is compared with what was listed. What was never given is given by the next one. When a sweep passed without
  doubt and nothing is missing, the history is complete.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from llmtee.errors import HistoryIncomplete
from llmtee.vendors.inkeep.sketch import CAPACITY, Sketch

SWEEPS: Final = 12
"""How often the list is read at most."""
_ANCHORS: Final = 32
_OVERLAP: Final = 10
_TRIES: Final = 3
_SEARCHES: Final = 24
"""Pages that are looked through for an anchor."""
_QUIETER: Final = "read it at a quieter time, or while nothing writes to it"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a page."""

    key: int
    """Of its id."""
    mark: int
    """Of its id and the time of its last change."""
    updated: dt.datetime | None
    inside: bool
    """Whether it belongs to what is read; the others only hold the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Where reading stands."""

    what: str
    """What the list holds, for people: ``conversations``."""
    size: int
    """Rows of a page: as asked for, then as they come."""
    number: int = 1
    next: int = 0
    """Where the unread begins, as far as is known."""
    total: int = 0
    """When the last page was read."""
    anchors: tuple[tuple[int, int], ...] = ()
    """Keys and marks of the last rows before ``next``."""
    given: str = ""
    """The sketch of all that was given."""
    listed: str = ""
    """The sketch of what this sweep saw, from the second sweep on."""
    wanted: tuple[int, ...] = ()
    """Keys of what earlier sweeps saw and did not give."""
    sound: bool = True
    """Whether this sweep can have missed nothing."""
    back: bool = False
    """Whether the unread has moved to the front: what was read may come again at the end."""
    passed: int = 0
    """Rows of the first sweep that do not belong to what is read."""
    clock: str | None = None
    """When the sweep began, by the vendor's clock."""
    tries: int = 0
    """Pages that were looked through for an anchor in vain."""
    at: int | None = None
    """Where to look for one."""
    done: bool = False
    """Whether all was read."""

    @property
    def offset(self) -> int:
        """Of the page to ask for."""
        return max(0, self.next - self._overlap) if self.at is None else self.at

    @property
    def _overlap(self) -> int:
        return max(1, min(_OVERLAP, self.size // 4))

    def to_json(self) -> dict[str, Any]:
        """As JSON, for a position."""
        anchors = [list(anchor) for anchor in self.anchors]
        return {**asdict(self), "anchors": anchors, "wanted": list(self.wanted)}

    @classmethod
    def of_json(cls, raw: Mapping[str, Any]) -> Sweep:
        """The way back."""
        anchors = tuple((key, mark) for key, mark in raw["anchors"])
        return cls(**{**raw, "anchors": anchors, "wanted": tuple(raw["wanted"])})

    def take(
        self, entries: Sequence[Entry], total: int, now: dt.datetime | None
    ) -> tuple[list[int], Sweep]:
        """Reads the page at `offset`.

        Args:
            entries: its rows.
            total: rows of the whole list at that time.
            now: the vendor's time.

        Returns:
            Which of the rows to give, and where reading stands now.

        Raises:
            HistoryIncomplete: the page does not fit the total, or the list never settles.
        """
        offset, end = self.offset, self.offset + len(entries)
        if not entries and offset < total:
            return [], self._looked_again(total)
        if len({entry.key for entry in entries}) != len(entries):
            raise HistoryIncomplete(
                f"one page of {self.what} has the same id twice: try again later, or ask the vendor"
            )
        total = max(total, end) if entries else total
        if self.next == 0:
            boundary = 0
        else:
            last = self._last_anchor(entries)
            if last is None or (last == len(entries) - 1 and end < total):
                return [], self._elsewhere(total, None if last is None else end - 1)
            boundary = offset + last + 1
        moved, grown = boundary - self.next, total - self.total if self.next else 0
        sweep = replace(
            self,
            sound=self.sound and (moved == grown or (moved == 0 and grown > 0)),
            back=self.back or moved < 0,
            clock=self.clock or (now.isoformat() if now else None),
            total=total,
        )
        given, sweep = sweep.giving(entries, boundary - offset)
        if end >= total:
            return given, sweep.finished()
        fresh = [(entry.key, entry.mark) for entry in entries[boundary - offset :]]
        anchors = (*self.anchors, *fresh)[-_ANCHORS:]
        size = max(2, min(self.size, len(entries)))
        return given, replace(sweep, next=end, anchors=anchors, size=size, tries=0, at=None)

    def _last_anchor(self, entries: Sequence[Entry]) -> int | None:
        """The place of the last row that was read before; ``None`` where none is here.

        A row that has changed since may have moved; right behind one that has not, it is where it was.
        """
        known = dict(self.anchors)
        here = [i for i, entry in enumerate(entries) if known.get(entry.key) == entry.mark]
        if not here:
            return None
        last = here[-1]
        while last + 1 < len(entries) and entries[last + 1].key in known:
            last += 1
        return last

    def _looked_again(self, total: int) -> Sweep:
        """The same page once more: rows and total may be of two moments."""
        if self.tries >= _TRIES:
            raise HistoryIncomplete(
                f"the page of {self.what} at offset {self.offset} is empty, though there are {total}: "
                "try again later, or ask the vendor"
            )
        return replace(self, tries=self.tries + 1, at=self.offset)

    def giving(self, entries: Sequence[Entry], first: int) -> tuple[list[int], Sweep]:
        """Which of the rows from ``first`` on to give, and where reading stands then."""
        since = dt.datetime.fromisoformat(self.clock) if self.clock else None
        wanted, sound, passed = set(self.wanted), self.sound, self.passed
        given, listed, known = [], [], dict(self.anchors)
        for i in range(first, len(entries)):
            entry = entries[i]
            if entry.key in known:
                continue
            if not entry.inside:
                passed += self.number == 1
                continue
            if self.back and since and entry.updated and entry.updated >= since:
                sound = False  # it may have been read before it came here: the next sweep tells
                continue
            listed.append(entry.key)
            if self.number == 1 or entry.key in wanted:
                given.append(i)
                wanted.discard(entry.key)
        keys = [entries[i].key for i in given]
        sweep = replace(self, sound=sound, passed=passed, wanted=tuple(sorted(wanted)))
        if self.number > 1:
            sweep = replace(sweep, listed=str(Sketch(self.listed).add(listed)))
        return given, replace(sweep, given=str(Sketch(self.given).add(keys)))

    def _elsewhere(self, total: int, at: int | None) -> Sweep:
        """Where to look for an anchor: first where the total says that it went, then ever farther from there."""
        tries = self.tries + 1
        if tries > _SEARCHES:
            return replace(self, sound=False).finished()
        if at is None:
            step = max(1, self.size - self._overlap)
            away = tries // 2 * step * (-1 if tries % 2 == 0 else 1)
            place = self.next + total - self.total + away
            at = min(max(0, place - self._overlap), max(0, total - 1))
        return replace(self, tries=tries, at=at)

    def finished(self) -> Sweep:
        """After the last row: whether all was read, or a further sweep."""
        if self.number == 1:
            return replace(self, done=True) if self.sound else self._again(())
        missing = Sketch(self.listed).without(Sketch(self.given))
        if missing is None:
            if self.sound:
                raise HistoryIncomplete(
                    f"more than about {CAPACITY} {self.what} changed their places or went while the list was "
                    f"read: {_QUIETER}"
                )
            return self._again(self.wanted)
        if self.sound and not missing[0]:
            return replace(self, done=True)
        return self._again((*missing[0], *(() if self.sound else self.wanted)))

    def _again(self, wanted: Sequence[int]) -> Sweep:
        """The next sweep."""
        if self.number >= SWEEPS:
            raise HistoryIncomplete(
                f"the list of {self.what} was read {SWEEPS} times and changed each time such that "
                f"something may be missing: {_QUIETER}"
            )
        return Sweep(
            what=self.what,
            size=self.size,
            number=self.number + 1,
            given=self.given,
            passed=self.passed,
            wanted=tuple(sorted(set(wanted))),
        )
