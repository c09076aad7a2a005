"""Events once more for one exporter, or at last those of before it was added. Runs inside one transaction.

Each event keeps standing in exactly one place. Where an exporter's start moves back over events that it shall not get,
those are skipped.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

from llmtee.eventlog import _intake, _work
from llmtee.eventlog.operation import Period, Replayed
from llmtee.eventlog.protocol import ALONE, Subscription

_LEFT_OUT = "recorded before the exporter was added, and left out of a replay"
_IN_PERIOD = (
    "recorded_at >= :start AND (:end IS NULL OR recorded_at < :end) "
    "AND (:session IS NULL OR session = :session)"
)
_TOUCHED = f"SELECT DISTINCT session FROM events WHERE kind = 'event' AND {_IN_PERIOD}"  # noqa: S608 - texts of this module's own
_BEGAN = (
    "(SELECT recorded_at FROM events WHERE session = :session AND kind = 'event' AND seq > max(after_seq, "
    "(SELECT start FROM exporters WHERE name = :exporter)) ORDER BY seq LIMIT 1)"
)
"""When the first event was recorded that a conversation's work counts."""


def replay(db: sqlite3.Connection, subscription: Subscription, period: Period) -> Replayed:
    """Makes events of a time pending again, or for the first time; see ``EventLog.replay``."""
    _intake.register(db, subscription)
    values = {
        "exporter": subscription.exporter,
        "start": period.start,
        "end": period.end,
        "session": period.session,
    }
    if subscription.grain == "event":
        again, segments = _events_again(db, subscription, values), 0
        added = _add_events(db, subscription, values)
        return Replayed(again=again, added=added)
    sessions = {session for (session,) in db.execute(_TOUCHED, values)}
    again, segments = _conversations_again(db, subscription, sessions)
    added, new = _add_conversations(db, subscription, values, sessions)
    return Replayed(again=again, added=added, conversations=segments + new)


def _bounds(db: sqlite3.Connection, exporter: str) -> tuple[int, int]:
    start, position = db.execute(
        "SELECT start, position FROM exporters WHERE name = ?", (exporter,)
    ).fetchone()
    return start, position


def _undeliver(db: sqlite3.Connection, exporter: str, events: int) -> None:
    db.execute("UPDATE exporters SET delivered = delivered - ? WHERE name = ?", (events, exporter))


# -- what was delivered -----------------------------------------------------------------------------------------------


def _events_again(
    db: sqlite3.Connection, subscription: Subscription, values: dict[str, Any]
) -> int:
    first, last = _bounds(db, subscription.exporter)
    # A delivered event is one that was taken and has no work any more.
    count = db.execute(
        "INSERT INTO work (exporter, key, segment, in_order_of, phase, state, after_seq, last_seq, events, due_at, "  # noqa: S608 - texts of this module's own
        "pending_since) "
        "SELECT :exporter, 'event:' || id, 0, CASE WHEN :ordered THEN session END, 'closed', 'pending', "
        f"seq - 1, seq, 1, 0, recorded_at FROM events WHERE seq > :first AND seq <= :last AND kind = 'event' AND {_IN_PERIOD} "
        "AND NOT EXISTS (SELECT 1 FROM work WHERE exporter = :exporter AND key = 'event:' || id AND segment = 0)",
        {**values, "first": first, "last": last, "ordered": subscription.ordered},
    ).rowcount
    _undeliver(db, subscription.exporter, count)
    return count


def _conversations_again(
    db: sqlite3.Connection, subscription: Subscription, sessions: set[str]
) -> tuple[int, int]:
    events = segments = 0
    for session in sessions:
        key = {"exporter": subscription.exporter, "key": _work.session_key(session)}
        rows = db.execute(
            "SELECT segment, delivered FROM work WHERE exporter = :exporter AND key = :key AND state = 'done' "
            "AND EXISTS (SELECT 1 FROM events WHERE session = :session AND seq > after_seq AND seq <= last_seq)",
            {**key, "session": session},
        ).fetchall()
        for segment, delivered in rows:
            db.execute(
                "UPDATE work SET state = 'pending', delivered = 0, delivered_seq = 0, attempts = 0, first_at = NULL, "  # noqa: S608 - texts of this module's own
                f"not_before = 0, due_at = 0, pending_since = {_BEGAN} "
                "WHERE exporter = :exporter AND key = :key AND segment = :segment",
                {**key, "segment": segment, "session": session},
            )
            events += delivered
            segments += 1
    _undeliver(db, subscription.exporter, events)
    return events, segments


# -- what was recorded before the exporter was added ------------------------------------------------------------------


def _earlier(db: sqlite3.Connection, exporter: str, first: int | None) -> list[tuple[Any, ...]]:
    """Moves the start back to ``first``; gives the entries in between as `_work.take_entry` takes them."""
    start, _ = _bounds(db, exporter)
    if first is None or first > start:
        return []
    db.execute("UPDATE exporters SET start = ? WHERE name = ?", (first - 1, exporter))
    return db.execute(
        "SELECT seq, id, session, kind, format, recorded_at, error FROM events WHERE seq >= ? AND seq <= ? ORDER BY seq",
        (first, start),
    ).fetchall()


def _add_events(db: sqlite3.Connection, subscription: Subscription, values: dict[str, Any]) -> int:
    exporter = subscription.exporter
    wanted = {
        seq
        for (seq,) in db.execute(
            f"SELECT seq FROM events WHERE seq <= :first AND kind <> 'end' AND {_IN_PERIOD}",  # noqa: S608 - texts of this module's own
            {**values, "first": _bounds(db, exporter)[0]},
        )
    }
    for row in _earlier(db, exporter, min(wanted, default=None)):
        seq, event_id, _, kind, _, at, _ = row
        if seq in wanted:
            _work.take_entry(db, subscription, row)
        elif kind != "end":
            _work.insert_skipped(db, exporter, _work.event_key(event_id), seq, at, 1, _LEFT_OUT)
    return len(wanted)


def _add_conversations(
    db: sqlite3.Connection, subscription: Subscription, values: dict[str, Any], sessions: set[str]
) -> tuple[int, int]:
    exporter = subscription.exporter
    start, _ = _bounds(db, exporter)
    firsts = (
        db.execute(
            "SELECT min(seq) FROM events WHERE session = ? AND seq <= ? AND kind <> 'end'",
            (session, start),
        ).fetchone()[0]
        for session in sessions
    )
    rows = _earlier(db, exporter, min((seq for seq in firsts if seq is not None), default=None))
    known = {row[2] for row in rows if _work.newest_segment(db, exporter, row[2]) is not None}
    new: set[str] = set()
    older: Counter[str] = Counter()
    left_out: dict[str, tuple[int, float]] = {}
    added = 0
    for row in rows:
        seq, event_id, session, kind, format_name, at, _ = row
        if kind == "undecodable" or format_name in ALONE:
            if session in sessions:
                _work.take_entry(db, subscription, row)
                added += 1
            else:
                _work.insert_skipped(db, exporter, _work.event_key(event_id), seq, at, 1, _LEFT_OUT)
        elif session in known:
            older[session] += kind == "event"
        elif session in sessions:
            _work.take_entry(db, subscription, row)
            added += kind == "event"
            new.add(session)
        elif kind == "event":
            older[session] += 1
            _, began = left_out.get(session, (0, at))
            left_out[session] = (seq, began)
    for session, (seq, at) in left_out.items():
        key = _work.session_key(session)
        phase = "live" if subscription.send_when == "changed" else "closed"
        _work.insert_skipped(db, exporter, key, seq, at, older.pop(session), _LEFT_OUT, phase=phase)
    return added + sum(_grow(db, exporter, *one) for one in older.items()), len(new)


def _grow(db: sqlite3.Connection, exporter: str, session: str, events: int) -> int:
    """A conversation that was begun before the start has held these events all the time; now they count."""
    where = {"exporter": exporter, "key": _work.session_key(session), "session": session}
    state, delivered = db.execute(
        "SELECT state, delivered FROM work WHERE exporter = :exporter AND key = :key AND segment = 0",
        where,
    ).fetchone()
    told = events if state == "done" or delivered else 0
    began = "pending_since" if told else _BEGAN
    db.execute(
        f"UPDATE work SET events = events + :events, delivered = delivered + :told, pending_since = {began} "  # noqa: S608 - texts of this module's own
        "WHERE exporter = :exporter AND key = :key AND segment = 0",
        {**where, "events": events, "told": told},
    )
    _undeliver(db, exporter, -told)
    return events - told
