"""Questions to the log. None of them changes anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llmtee import jsontext
from llmtee.eventlog._states import UNREADABLE
from llmtee.eventlog._work import event_key, session_key
from llmtee.eventlog.operation import Located, Location
from llmtee.eventlog.protocol import END, Counts, Entry, Standing, Standings, Work

_ENTRY = "id, session, kind, format, payload, recorded_at, error"
_WAITING = ("pending", "claimed", "inflight")


def entry(db: sqlite3.Connection, work: Work) -> Entry:
    """The event of a unit of work."""
    row = db.execute(f"SELECT {_ENTRY} FROM events WHERE seq = ?", (work.last_seq,)).fetchone()  # noqa: S608 - names of this module's own
    return Entry(*row)


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
    "coalesce(sum(CASE phase WHEN 'open' THEN events - delivered ELSE 0 END), 0), "
    "min(CASE phase WHEN 'open' THEN NULL ELSE pending_since END) "
    "FROM work INDEXED BY work_due WHERE exporter = ? AND state IN ('pending', 'claimed', 'inflight')"
)
FIRST_AFTER = "SELECT recorded_at FROM events WHERE kind <> 'end' AND seq > ? ORDER BY seq LIMIT 1"
SETTLED = (
    "SELECT state, dropped, sum(events - delivered) FROM work INDEXED BY work_settled "
    "WHERE exporter = ? AND state IN ('dead', 'unknown', 'skipped') GROUP BY state, dropped"
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
        journal=recorded,
    )


def _standing(
    db: sqlite3.Connection, exporter: str, in_journal: int, since: float | None
) -> Standing:
    """One exporter's own counter, its work, and what it has not taken yet."""
    pending, is_open, pending_since = db.execute(UNFINISHED, (exporter,)).fetchone()
    delivered, position = _delivered_and_position(db, exporter)
    behind = _count_after(db, position) + in_journal
    settled = {
        "dropped" if dropped else state: events
        for state, dropped, events in db.execute(SETTLED, (exporter,))
    }
    counts = Counts(delivered=delivered, pending=pending + behind, open=is_open, **settled)
    not_taken = db.execute(FIRST_AFTER, (position,)).fetchone() or ()
    return Standing(
        counts=counts,
        position=position,
        behind=behind,
        pending_since=_oldest(since, pending_since, *not_taken),
    )


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
        "SELECT state, phase, delivered_seq, dropped FROM work WHERE exporter = ? "
        "AND key IN (?, ?) AND after_seq < ? AND last_seq >= ?",
        (exporter, event_key(event_id), session_key(session), seq, seq),
    ).fetchone()
    if work is None or seq <= work[2]:
        return "delivered"
    state, phase, _, dropped = work
    if state in _WAITING:
        return "open" if phase == "open" else "pending"
    return "dropped" if dropped else "delivered" if state == "done" else str(state)


def locate(db: sqlite3.Connection, event_id: str, waiting: Waiting) -> Located | None:
    """Where one event stands at each exporter."""
    row = db.execute(
        "SELECT seq, session, recorded_at FROM events WHERE id = ?", (event_id,)
    ).fetchone()
    names = exporters(db)
    if row is None:
        if names and outcome(db, names[0], event_id, waiting) is None:
            return None
        places = {name: Location(outcome="pending") for name in names}
        return Located(id=event_id, session=None, recorded_at=None, exporters=places)
    seq, session, recorded_at = row
    return Located(
        id=event_id,
        session=session,
        recorded_at=recorded_at,
        exporters={
            name: _location(db, name, event_id, session, seq, outcome(db, name, event_id, waiting))
            for name in names
        },
    )


def _location(
    db: sqlite3.Connection, exporter: str, event_id: str, session: str, seq: int, place: str | None
) -> Location:
    key, reason, attempts, due_at, segment = db.execute(
        "SELECT key, reason, attempts, due_at, segment FROM work WHERE exporter = ? "
        "AND key IN (?, ?) AND after_seq < ? AND last_seq >= ?",
        (exporter, event_key(event_id), session_key(session), seq, seq),
    ).fetchone() or (None, None, 0, None, None)
    return Location(
        outcome=place,
        vendor_id=vendor_id(db, exporter, event_id),
        reason=reason,
        attempts=attempts if place == "pending" else 0,
        due_at=due_at if place in ("pending", "open") else None,
        segment=segment if key == session_key(session) else None,
    )


def exporters(db: sqlite3.Connection) -> list[str]:
    """The names of all that were ever registered, sorted."""
    return [name for (name,) in db.execute("SELECT name FROM exporters ORDER BY name")]


def delivered(db: sqlite3.Connection) -> dict[str, int]:
    """How many events each exporter has delivered."""
    return dict(db.execute("SELECT name, delivered FROM exporters").fetchall())


def health(db: sqlite3.Connection) -> dict[str, tuple[float, dict[str, Any]]]:
    """What the delivering process told last of each exporter, and when."""
    rows = db.execute("SELECT exporter, at, note FROM health")
    return {name: (at, jsontext.loads(note)) for name, at, note in rows}


def data_version(db: sqlite3.Connection) -> int:
    """A number that becomes another one when another connection changes something."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])


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
    rows = db.execute("SELECT name, value FROM counters WHERE name <> ?", (UNREADABLE,))
    return dict(rows.fetchall())
