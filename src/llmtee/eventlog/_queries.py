"""Questions to the log. None of them changes anything."""

from __future__ import annotations

import sqlite3

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


def counts(db: sqlite3.Connection, exporter: str) -> Counts:
    """Where the events stand: the exporter's own counter, its work, and what it has not taken yet."""
    found = {"pending": _not_taken(db, exporter) + _in_journal(db), "open": 0}
    rows = db.execute(
        "SELECT state, phase, sum(events - delivered) FROM work WHERE exporter = ? GROUP BY 1, 2",
        (exporter,),
    )
    for state, phase, number in rows:
        name = state
        if state in _WAITING:
            name = "open" if phase == "open" else "pending"
        if state != "done":
            found[name] = found.get(name, 0) + number
    return Counts(delivered=_of_exporter(db, exporter, "delivered"), **found)


def position(db: sqlite3.Connection, exporter: str) -> int:
    """The newest entry that the exporter has taken."""
    return _of_exporter(db, exporter, "position")


def recorded(db: sqlite3.Connection, exporter: str) -> int:
    """How many events were recorded since the exporter was registered."""
    stored = db.execute(
        "SELECT count(*) FROM events WHERE kind <> 'end' AND seq > ?",
        (_of_exporter(db, exporter, "start"),),
    ).fetchone()[0]
    return int(stored) + _of_exporter(db, exporter, "forgotten") + _in_journal(db)


def outcome(db: sqlite3.Connection, exporter: str, event_id: str) -> str | None:
    """Where one event stands, in the words of ``Counts``."""
    row = db.execute("SELECT seq, session FROM events WHERE id = ?", (event_id,)).fetchone()
    if row is None:
        waiting = db.execute("SELECT 1 FROM journal WHERE id = ?", (event_id,)).fetchone()
        return "pending" if waiting else None
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
    row = db.execute(
        "SELECT count(*) FROM events WHERE kind <> 'end' AND seq > ?",
        (_of_exporter(db, exporter, "position"),),
    ).fetchone()
    return int(row[0])


def _in_journal(db: sqlite3.Connection) -> int:
    row = db.execute(
        "SELECT count(DISTINCT id) FROM journal WHERE format <> ? AND id NOT IN (SELECT id FROM events)",
        (END,),
    ).fetchone()
    return int(row[0])
