"""From a log in memory into one on disk, with all that is known of each event at each exporter.

What memory holds comes to stand behind what the disk holds, under new numbers. An exporter that was done with an event
is done with it there too. Only where a conversation had begun on the disk before memory took over, its events count
as new ones: the vendor has seen a part of it, and gets the whole.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from llmtee.eventlog import _intake, _work
from llmtee.eventlog.protocol import Subscription

_COPY = "id, session, kind, format, payload, recorded_at, error"
_AT_ONCE = 1000
_SETTLED = ("done", "dead", "unknown", "skipped")


def move(
    memory: sqlite3.Connection, disk: sqlite3.Connection, subscriptions: Iterable[Subscription]
) -> int:
    """Copies everything; returns how many events and records that is.

    Args:
        memory: of the same version. No work may be claimed there; what was recorded is taken by all exporters.
        disk: inside a transaction, with the same exporters registered.
        subscriptions: of those exporters.
    """
    subscriptions = list(subscriptions)
    for subscription in subscriptions:
        for db in (memory, disk):
            while _work.take(db, subscription, _AT_ONCE):
                pass
    numbers = _Numbers(memory, disk)
    for subscription in subscriptions:
        _Mover(memory, disk, subscription, numbers).move()
    waiting = memory.execute(
        "SELECT id, format, payload, recorded_at, live FROM journal ORDER BY number"
    ).fetchall()
    disk.executemany(
        "INSERT INTO journal (id, format, payload, recorded_at, live) VALUES (?, ?, ?, ?, ?)",
        waiting,
    )
    for name, value in memory.execute("SELECT name, value FROM counters").fetchall():
        _intake.count(disk, name, value)
    return len(numbers.added) + len(waiting)


class _Numbers:
    """Copies the events, and knows the new number of each."""

    def __init__(self, memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
        self.base = int(disk.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])
        self.added: dict[str, int] = {}
        """Number on the disk by id, of those that were not there before."""
        self.known_sessions: set[str] = set()
        """Those with an event that was there before."""
        self._old: list[int] = []
        self._new: list[int] = []
        for number, *values in memory.execute(f"SELECT seq, {_COPY} FROM events ORDER BY seq"):  # noqa: S608 - names of this module's own
            row = disk.execute(
                f"INSERT INTO events ({_COPY}) VALUES (?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
                "ON CONFLICT (id) DO NOTHING RETURNING seq",
                values,
            ).fetchone()
            if row is None:
                self.known_sessions.add(values[1])
            else:
                self.added[values[0]] = row[0]
                self._old.append(number)
                self._new.append(row[0])

    def of(self, number: int) -> int:
        """The new number of the newest event up to ``number`` in memory; 0 stays 0."""
        place = bisect_right(self._old, number)
        if place:
            return self._new[place - 1]
        return self.base if number else 0  # memory has forgotten it, or there is none


class _Mover:
    """Moves what one exporter has to do, and what it has done."""

    def __init__(
        self,
        memory: sqlite3.Connection,
        disk: sqlite3.Connection,
        subscription: Subscription,
        numbers: _Numbers,
    ) -> None:
        self._memory, self._disk = memory, disk
        self._subscription, self._exporter = subscription, subscription.exporter
        self._numbers = numbers
        self._columns = [row[1] for row in memory.execute("PRAGMA table_info(work)")]
        self._undone = 0
        """Events delivered from memory that do not count as delivered on the disk."""

    def move(self) -> None:
        delivered, forgotten = self._memory.execute(
            "SELECT delivered, forgotten FROM exporters WHERE name = ?", (self._exporter,)
        ).fetchone()
        work: dict[str, list[dict[str, Any]]] = {}
        for row in self._memory.execute(
            "SELECT * FROM work WHERE exporter = ? ORDER BY key, segment", (self._exporter,)
        ):
            values = dict(zip(self._columns, row, strict=True))
            work.setdefault(values["key"], []).append(values)
        self._count_twice_recorded(work)
        for key, segments in work.items():
            kind, _, name = key.partition(":")
            if kind == "event":
                if name in self._numbers.added:
                    self._copy(segments[0])
            elif self._is_known(key, name):
                self._join(name, segments)
            else:
                for segment in segments:
                    self._copy(segment)
        self._copy_deliveries()
        self._disk.execute(
            "UPDATE exporters SET delivered = delivered + ?, forgotten = forgotten + ?, "
            "position = (SELECT max(position, coalesce(max(seq), 0)) FROM events) WHERE name = ?",
            (delivered - self._undone, forgotten, self._exporter),
        )

    def _count_twice_recorded(self, work: dict[str, list[dict[str, Any]]]) -> None:
        """What the disk holds already is counted there."""
        if self._subscription.grain == "event":
            self._undone += sum(
                event_id not in self._numbers.added and _work.event_key(event_id) not in work
                for (event_id,) in self._memory.execute(
                    "SELECT id FROM events WHERE kind = 'event'"
                )
            )

    def _is_known(self, key: str, session: str) -> bool:
        if session in self._numbers.known_sessions:
            return True
        row = self._disk.execute(
            "SELECT 1 FROM work WHERE exporter = ? AND key = ? LIMIT 1", (self._exporter, key)
        ).fetchone()
        return row is not None

    def _copy(self, values: dict[str, Any], **changed: int) -> None:
        """A unit of work as it stands, with its letter."""
        last_seq = self._numbers.of(values["last_seq"])
        is_event = values["key"].startswith("event:")
        moved = values | {
            "after_seq": last_seq - 1 if is_event else self._numbers.of(values["after_seq"]),
            "last_seq": last_seq,
            "delivered_seq": self._numbers.of(values["delivered_seq"]),
            **changed,
        }
        marks = ", ".join("?" * len(self._columns))
        self._disk.execute(
            f"INSERT INTO work VALUES ({marks})",  # noqa: S608 - only marks
            [moved[one] for one in self._columns],
        )
        letter = self._memory.execute(
            "SELECT at, reason, request, answer FROM dead_letters "
            "WHERE exporter = ? AND key = ? AND segment = ?",
            (self._exporter, values["key"], values["segment"]),
        ).fetchone()
        if letter is not None:
            self._disk.execute(
                "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._exporter, values["key"], moved["segment"], *letter),
            )

    def _join(self, session: str, segments: list[dict[str, Any]]) -> None:
        """Lets a conversation of memory go on from what the disk has of it."""
        for values in segments:
            if values["phase"] == "closed" and values["state"] in _SETTLED:
                self._append(session, values)
            else:
                self._undone += values["delivered"]
                self._take_again(session, values)

    def _append(self, session: str, values: dict[str, Any]) -> None:
        """A segment that is settled stays so, behind those of the disk."""
        newest, last_seq = self._disk.execute(
            "SELECT coalesce(max(segment), -1), coalesce(max(last_seq), 0) FROM work "
            "WHERE exporter = ? AND key = ?",
            (self._exporter, values["key"]),
        ).fetchone()
        twice = sum(row[0] not in self._numbers.added for row in self._events(session, values))
        delivered = max(0, values["delivered"] - twice)
        self._undone += values["delivered"] - delivered
        self._copy(
            values,
            segment=newest + 1,
            after_seq=max(last_seq, self._numbers.of(values["after_seq"])),
            events=values["events"] - twice,
            delivered=delivered,
        )

    def _take_again(self, session: str, values: dict[str, Any]) -> None:
        """What a segment of memory covers, and the end that may close it, as if it came now."""
        for event_id, *rest in self._events(session, values):
            if event_id in self._numbers.added:
                entry = (self._numbers.added[event_id], event_id, *rest)
                _work.take_entry(self._disk, self._subscription, entry)
        if values["phase"] == "closed":
            _work.end_session(self._disk, self._subscription, session)

    def _events(self, session: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """What a segment covers, in memory."""
        return self._memory.execute(
            "SELECT id, session, kind, format, recorded_at, error FROM events "
            "WHERE session = ? AND seq > ? AND seq <= ? AND kind = 'event' ORDER BY seq",
            (session, values["after_seq"], values["last_seq"]),
        ).fetchall()

    def _copy_deliveries(self) -> None:
        """The vendor's own ids of what was moved as it stood."""
        self._disk.executemany(
            "INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?)",
            self._memory.execute(
                "SELECT exporter, key, segment, vendor_id FROM deliveries WHERE exporter = ?",
                (self._exporter,),
            ).fetchall(),
        )
