"""Questions to the log. None of them changes anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from llmtee import jsontext
from llmtee.eventlog._work import event_key, session_key
from llmtee.eventlog.protocol import END, Counts, DeadLetter, Entry, Work

_ENTRY = "id, session, kind, format, payload, recorded_at, error"
_WAITING = ("pending", "claimed", "inflight")


def entries(db: sqlite3.Connection, work: Work, *, before: bool) -> list[Entry]:
    """The events that ``work`` covers, or those of earlier segments of its session."""
    if work.session is None:
        rows = db.execute(f"SELECT {_ENTRY} FROM events WHERE seq = ?", (work.last_seq,))  # noqa: S608 - names of this module's own
    else:
        first, last = (0, work.after_seq) if before else (work.after_seq, work.last_seq)
        rows = db.execute(
            f"SELECT {_ENTRY} FROM events WHERE session = ? AND seq > ? AND seq <= ? "  # noqa: S608 - names of this module's own
            "AND kind = 'event' ORDER BY seq",
            (work.session, first, last),
        )
    return [Entry(*row) for row in rows]


def event(db: sqlite3.Connection, event_id: str) -> Entry | None:
    """The event of that id."""
    row = db.execute(
        f"SELECT {_ENTRY} FROM events WHERE id = ? AND kind = 'event'",  # noqa: S608 - names of this module's own
        (event_id,),
    ).fetchone()
    return None if row is None else Entry(*row)


def newest(db: sqlite3.Connection, session: str, before: int) -> str | None:
    """The id of a session's newest event among those before a place."""
    row = db.execute(
        "SELECT id FROM events WHERE session = ? AND seq < ? AND kind = 'event' "
        "ORDER BY seq DESC LIMIT 1",
        (session, before),
    ).fetchone()
    return None if row is None else str(row[0])


def next_due(db: sqlite3.Connection, exporter: str, after: float) -> float | None:
    """When the next pending unit is due that was not due at ``after``."""
    row = db.execute(
        "SELECT min(due_at) FROM work WHERE exporter = ? AND state = 'pending' AND due_at > ?",
        (exporter, after),
    ).fetchone()
    return None if row[0] is None else float(row[0])


def unfinished(db: sqlite3.Connection, exporter: str) -> bool:
    """Whether any work is neither settled nor open."""
    return any(
        db.execute(
            "SELECT 1 FROM work WHERE exporter = ? AND state = ? AND phase <> 'open' LIMIT 1",
            (exporter, state),
        ).fetchone()
        for state in _WAITING
    )


UNFINISHED = (
    "SELECT coalesce(sum(CASE phase WHEN 'open' THEN 0 ELSE events - delivered END), 0), "
    "coalesce(sum(CASE phase WHEN 'open' THEN events - delivered ELSE 0 END), 0) "
    "FROM work INDEXED BY work_due WHERE exporter = ? AND state IN ('pending', 'claimed', 'inflight')"
)
SETTLED = (
    "SELECT state, sum(events - delivered) FROM work "
    "WHERE exporter = ? AND state IN ('dead', 'unknown', 'skipped') GROUP BY state"
)


def counts(db: sqlite3.Connection, exporter: str, waiting: Sequence[str]) -> Counts:
    """Where the events stand: the exporter's own counter, its work, and what it has not taken yet.

    Args:
        db: inside a transaction.
        exporter: whose.
        waiting: ids of what stands in the journal's segments.
    """
    pending, is_open = db.execute(UNFINISHED, (exporter,)).fetchone()
    pending += _not_taken(db, exporter) + in_journal(db, waiting)
    found = {"pending": pending, "open": is_open}
    found.update(db.execute(SETTLED, (exporter,)).fetchall())
    return Counts(delivered=_of_exporter(db, exporter, "delivered"), **found)


def position(db: sqlite3.Connection, exporter: str) -> int:
    """The newest entry that the exporter has taken."""
    return _of_exporter(db, exporter, "position")


def recorded(db: sqlite3.Connection, exporter: str, waiting: Sequence[str]) -> int:
    """How many events were recorded since the exporter was registered."""
    stored = _count_after(db, _of_exporter(db, exporter, "start"))
    return stored + _of_exporter(db, exporter, "forgotten") + in_journal(db, waiting)


def outcome(
    db: sqlite3.Connection, exporter: str, event_id: str, waiting: Sequence[str]
) -> str | None:
    """Where one event stands, in the words of ``Counts``."""
    row = db.execute("SELECT seq, session FROM events WHERE id = ?", (event_id,)).fetchone()
    if row is None:
        found = db.execute("SELECT 1 FROM journal WHERE id = ?", (event_id,)).fetchone()
        return "pending" if found or event_id in waiting else None
    seq, session = row
    if seq <= _of_exporter(db, exporter, "start"):
        return None
    if seq > _of_exporter(db, exporter, "position"):
        return "pending"
    work = db.execute(
        "SELECT state, phase, delivered_seq FROM work WHERE exporter = ? "
        "AND key IN (?, ?) AND after_seq < ? AND last_seq >= ?",
        (exporter, event_key(event_id), session_key(session), seq, seq),
    ).fetchone()
    if work is None or seq <= work[2]:
        return "delivered"
    state, phase, _ = work
    if state in _WAITING:
        return "open" if phase == "open" else "pending"
    return "delivered" if state == "done" else str(state)


def vendor_id(db: sqlite3.Connection, exporter: str, event_id: str) -> str | None:
    """The vendor's own id of what holds an event: of the event itself, or of its conversation."""
    row = db.execute(
        "SELECT vendor_id FROM deliveries WHERE exporter = ?1 AND key = ?3 AND segment = 0 "
        "UNION ALL SELECT vendor_id FROM events JOIN work ON work.exporter = ?1 "
        "AND work.key = 'session:' || events.session AND seq > after_seq AND seq <= delivered_seq "
        "JOIN deliveries USING (exporter, key, segment) WHERE events.id = ?2",
        (exporter, event_id, event_key(event_id)),
    ).fetchone()
    return None if row is None else str(row[0])


def dead_letters(db: sqlite3.Connection, exporter: str | None) -> list[DeadLetter]:
    """The letters whose work is dead."""
    rows = db.execute(
        "SELECT exporter, key, segment, at, letter.reason, request, answer FROM dead_letters AS letter "
        "JOIN work USING (exporter, key, segment) "
        "WHERE state = 'dead' AND (?1 IS NULL OR exporter = ?1) ORDER BY at, exporter, key, segment",
        (exporter,),
    )
    return [
        DeadLetter(
            exporter=row[0],
            id=row[1].partition(":")[2],
            segment=row[2],
            at=row[3],
            reason=row[4],
            request=None if row[5] is None else jsontext.loads(row[5]),
            answer=None if row[6] is None else jsontext.loads(row[6]),
        )
        for row in rows
    ]


def _of_exporter(db: sqlite3.Connection, exporter: str, column: str) -> int:
    row = db.execute(
        f"SELECT {column} FROM exporters WHERE name = ?",  # noqa: S608 - names of this module's own
        (exporter,),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _not_taken(db: sqlite3.Connection, exporter: str) -> int:
    return _count_after(db, _of_exporter(db, exporter, "position"))


COUNT_AFTER = "SELECT count(*) FROM events WHERE kind <> 'end' AND seq > ?"


def _count_after(db: sqlite3.Connection, seq: int) -> int:
    return int(db.execute(COUNT_AFTER, (seq,)).fetchone()[0])


def in_journal(db: sqlite3.Connection, waiting: Sequence[str]) -> int:
    """How many events are recorded and not absorbed; one that was recorded twice counts once."""
    row = db.execute(
        "SELECT count(*) FROM (SELECT id FROM journal WHERE format <> ? "
        "UNION SELECT value FROM json_each(?)) WHERE id NOT IN (SELECT id FROM events)",
        (END, jsontext.dumps(waiting).decode()),
    ).fetchone()
    return int(row[0])


def positions(db: sqlite3.Connection) -> dict[str, int]:
    """How far each segment of the journal was read."""
    return dict(db.execute("SELECT name, position FROM segments").fetchall())


def counters(db: sqlite3.Connection) -> dict[str, int]:
    """What was lost, by cause."""
    return dict(db.execute("SELECT name, value FROM counters").fetchall())
