"""Questions to the log. None of them changes anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmtee import jsontext
from llmtee.eventlog._work import event_key, session_key
from llmtee.eventlog.protocol import END, Counts, DeadLetter, Entry, Standing, Standings, Work

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


UNFINISHED = (
    "SELECT coalesce(sum(CASE phase WHEN 'open' THEN 0 ELSE events - delivered END), 0), "
    "coalesce(sum(CASE phase WHEN 'open' THEN events - delivered ELSE 0 END), 0) "
    "FROM work INDEXED BY work_due WHERE exporter = ? AND state IN ('pending', 'claimed', 'inflight')"
)
PENDING_SINCE = (
    "SELECT min((SELECT recorded_at FROM events WHERE seq = CASE substr(key, 1, 6) WHEN 'event:' THEN last_seq "
    "ELSE (SELECT min(seq) FROM events WHERE session = substr(key, 9) "
    "AND seq > max(after_seq, delivered_seq) AND kind = 'event') END)) "
    "FROM work WHERE exporter = ? AND state IN ('pending', 'claimed', 'inflight') AND phase <> 'open'"
)
FIRST_AFTER = "SELECT recorded_at FROM events WHERE kind <> 'end' AND seq > ? ORDER BY seq LIMIT 1"
SETTLED = (
    "SELECT state, sum(events - delivered) FROM work "
    "WHERE exporter = ? AND state IN ('dead', 'unknown', 'skipped') GROUP BY state"
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What stands in the journal's segments and is not absorbed."""

    ids: Sequence[str] = ()
    since: float | None = None
    """When the oldest was recorded, in unix seconds."""


def standings(db: sqlite3.Connection, exporters: Iterable[str], waiting: Waiting) -> Standings:
    """Where the exporters stand.

    Args:
        db: inside a transaction.
        exporters: their names.
        waiting: in the journal.
    """
    recorded = in_journal(db, waiting.ids)
    since = _oldest(
        waiting.since,
        db.execute("SELECT min(recorded_at) FROM journal WHERE format <> ?", (END,)).fetchone()[0],
    )
    return Standings(
        exporters={
            name: _standing(db, name, recorded, since if recorded else None) for name in exporters
        },
        lost=counters(db),
    )


def _standing(
    db: sqlite3.Connection, exporter: str, in_journal: int, since: float | None
) -> Standing:
    """One exporter's own counter, its work, and what it has not taken yet."""
    pending, is_open = db.execute(UNFINISHED, (exporter,)).fetchone()
    delivered, position = _delivered_and_position(db, exporter)
    behind = _count_after(db, position) + in_journal
    settled = dict(db.execute(SETTLED, (exporter,)).fetchall())
    counts = Counts(delivered=delivered, pending=pending + behind, open=is_open, **settled)
    if counts.pending:
        since = _oldest(
            since,
            *db.execute(FIRST_AFTER, (position,)).fetchone() or (),
            *db.execute(PENDING_SINCE, (exporter,)).fetchone(),
        )
    return Standing(counts=counts, position=position, behind=behind, pending_since=since)


def _oldest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)


def position(db: sqlite3.Connection, exporter: str) -> int:
    """The newest entry that the exporter has taken."""
    return _of_exporter(db, exporter, "position")


def recorded(db: sqlite3.Connection, exporter: str, waiting: Waiting) -> int:
    """How many events were recorded since the exporter was registered."""
    stored = _count_after(db, _of_exporter(db, exporter, "start"))
    return stored + _of_exporter(db, exporter, "forgotten") + in_journal(db, waiting.ids)


def outcome(db: sqlite3.Connection, exporter: str, event_id: str, waiting: Waiting) -> str | None:
    """Where one event stands, in the words of ``Counts``."""
    row = db.execute("SELECT seq, session FROM events WHERE id = ?", (event_id,)).fetchone()
    if row is None:
        found = db.execute("SELECT 1 FROM journal WHERE id = ?", (event_id,)).fetchone()
        return "pending" if found or event_id in waiting.ids else None
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


def _delivered_and_position(db: sqlite3.Connection, exporter: str) -> tuple[int, int]:
    return db.execute(
        "SELECT delivered, position FROM exporters WHERE name = ?", (exporter,)
    ).fetchone() or (0, 0)


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
