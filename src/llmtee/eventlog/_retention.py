"""Forgetting: what all exporters are finished with may go, by whole sessions."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count as count_up

from llmtee.eventlog._intake import count

EXPIRED = "expired"
"""Counter: events that went before an exporter took them that is registered in the log, and that nobody uses now."""

_LOOK = 500
_ALL = 2**62
_NEWEST = "SELECT max(seq), max(recorded_at), count(*) FROM events WHERE session = ?"
UNFINISHED = (
    # CROSS and +: look each key up at each exporter. Without them SQLite, which has no statistics here, reads all
    # the work there is.
    "SELECT 1 FROM exporters CROSS JOIN work ON work.exporter = exporters.name AND work.key IN "
    "(SELECT 'session:' || ?1 UNION ALL SELECT 'event:' || id FROM events WHERE session = ?1) "
    "WHERE +work.state IN ('pending', 'claimed', 'inflight', 'unknown') LIMIT 1"
)


@dataclass(slots=True)
class Forgotten:
    """What one step of forgetting did."""

    events: int
    after: int
    """How far it looked: the next step goes on there. 0: at the end, so the next one begins anew."""


def forget(
    db: sqlite3.Connection,
    wanted: int,
    *,
    exporters: Collection[str],
    after: int = 0,
    before: float | None = None,
    looks: int | None = None,
) -> Forgotten:
    """Deletes the events of finished sessions, the oldest first, inside one transaction.

    A forgotten session's conversations close, so that a later event opens a new segment: sending again what is left
    would replace a whole conversation by its end.

    Args:
        db: the database.
        wanted: about how many events shall go.
        exporters: those in use; others do not hold anything back that they have not taken.
        after: where to begin, see ``Forgotten.after``.
        before: unix seconds; sessions with an event recorded since then stay.
        looks: how many times to look at the next few hundred events, at most.
    """
    reached = _reached(db, exporters)
    gone = 0
    for _ in count_up() if looks is None else range(looks):
        rows = db.execute(
            "SELECT seq, session, recorded_at FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (after, reached, _LOOK),
        ).fetchall()
        if not rows or (before is not None and rows[0][2] >= before):
            return Forgotten(gone, 0)
        for session in dict.fromkeys(session for _, session, _ in rows):
            gone += _forget_session(db, session, reached, before)
        after = rows[-1][0]
        if gone >= wanted:
            break
    return Forgotten(gone, after)


def _reached(db: sqlite3.Connection, exporters: Collection[str]) -> int:
    """The newest entry that all exporters have taken."""
    positions = dict(db.execute("SELECT name, position FROM exporters"))
    used = [position for name, position in positions.items() if name in exporters]
    return min(used or positions.values(), default=_ALL)


def _forget_session(
    db: sqlite3.Connection, session: str, reached: int, before: float | None
) -> int:
    newest, recorded_at, events = db.execute(_NEWEST, (session,)).fetchone()
    if newest is None or newest > reached or (before is not None and recorded_at >= before):
        return 0
    if db.execute(UNFINISHED, (session,)).fetchone():
        return 0
    for name, start, position in db.execute(
        "SELECT name, start, position FROM exporters"
    ).fetchall():
        (known, not_taken) = db.execute(
            "SELECT count(*), coalesce(sum(seq > ?), 0) FROM events "
            "WHERE session = ? AND kind <> 'end' AND seq > ?",
            (position, session, start),
        ).fetchone()
        db.execute(
            "UPDATE exporters SET forgotten = forgotten + ? WHERE name = ?",
            (known - not_taken, name),
        )
        count(db, EXPIRED, not_taken)
        db.execute(
            "UPDATE work SET phase = 'closed' WHERE exporter = ? AND key = ?",
            (name, f"session:{session}"),
        )
        db.execute(
            "DELETE FROM deliveries WHERE exporter = ? AND key IN "
            "(SELECT 'event:' || id FROM events WHERE session = ?)",
            (name, session),
        )
    db.execute("DELETE FROM events WHERE session = ?", (session,))
    return int(events)


def used_bytes(db: sqlite3.Connection) -> int:
    """What the database needs, room that became free left out."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def give_back(db: sqlite3.Connection, pages: int) -> None:
    """Makes the file smaller by at most that many pages, where the database was made for it."""
    # As a script, because `execute` runs this statement for a single page.
    db.executescript(f"PRAGMA incremental_vacuum({pages})")
