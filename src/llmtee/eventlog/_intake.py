"""From the journal into the tables, and the counters of what was lost. Each function runs inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.eventlog._backlog import Finished
from llmtee.eventlog.protocol import Entry, Place, Subscription

_GONE_SEGMENTS = 100
_ROWS = 100
"""Events that one statement stores: with more the variables of a statement would not do."""
_ROW = "(?, ?, ?, ?, ?, ?, ?)"

TORN = "torn"
"""Counter: records that the journal could not give back whole."""


def register(db: sqlite3.Connection, subscription: Subscription) -> None:
    """Makes an exporter known; a new one starts at the end of the events, or at their beginning."""
    db.execute(
        "INSERT OR IGNORE INTO exporters (name, start, position) SELECT ?1, seq, seq FROM "
        "(SELECT CASE WHEN ?2 THEN 0 ELSE coalesce(max(seq), 0) END AS seq FROM events)",
        (subscription.exporter, subscription.replay),
    )


def pass_over(db: sqlite3.Connection, places: Iterable[int | Place]) -> int:
    """Notes that records are read; returns how many of them stood in the table."""
    ends: dict[str, int] = {}
    numbers, torn = [], 0
    for place in places:
        if isinstance(place, Place):
            ends[place.segment] = max(place.end, ends.get(place.segment, 0))
            torn += place.torn
        else:
            numbers.append((place,))
    for segment, end in ends.items():
        _set_position(db, segment, end)
    count(db, TORN, torn)
    gone = db.executemany("DELETE FROM journal WHERE number = ?", numbers).rowcount
    return max(gone, 0)


def add_events(db: sqlite3.Connection, entries: Iterable[Entry]) -> int:
    """Stores events that are not there yet, by id; returns how many."""
    rows = [(e.id, e.session, e.kind, e.format, e.payload, e.recorded_at, e.error) for e in entries]
    added = 0
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        # One statement for many: each step of one lets go of the interpreter lock.
        added += db.execute(
            "INSERT INTO events (id, session, kind, format, payload, recorded_at, error) VALUES "  # noqa: S608 - marks, no values
            f"{','.join([_ROW] * len(some))} ON CONFLICT (id) DO NOTHING",
            [value for row in some for value in row],
        ).rowcount
    return added


def finish_segments(db: sqlite3.Connection, finished: Iterable[Finished]) -> None:
    """Notes that segments are read to their end, what is damaged there included."""
    for segment in finished:
        _set_position(db, segment.segment, segment.end)
        count(db, TORN, segment.torn)


def forget_segments(db: sqlite3.Connection, present: Collection[str]) -> None:
    """Drops the positions of all but the segments that are there and the last that were deleted.

    A process that counts may have looked at those a moment ago, and must not take them for unread.
    """
    gone = [
        (name,)
        for (name,) in db.execute("SELECT name FROM segments ORDER BY name")
        if name not in present
    ]
    if len(gone) > _GONE_SEGMENTS:
        db.executemany("DELETE FROM segments WHERE name = ?", gone[:-_GONE_SEGMENTS])


def _set_position(db: sqlite3.Connection, segment: str, end: int) -> None:
    db.execute(
        "INSERT INTO segments VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position",
        (segment, end),
    )


def note_health(db: sqlite3.Connection, notes: Mapping[str, Mapping[str, Any]], now: float) -> None:
    """Stores what the delivering process tells of exporters."""
    db.executemany(
        "INSERT OR REPLACE INTO health VALUES (?, ?, ?)",
        ((name, now, jsontext.dumps(note)) for name, note in notes.items()),
    )


def count(db: sqlite3.Connection, name: str, number: int) -> None:
    """Adds to a counter of what was lost."""
    if number:
        db.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, number),
        )
