"""The work table: how entries become work, and what becomes of it. Each function runs inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from llmtee import jsontext
from llmtee.eventlog.protocol import SUPPLEMENT, DeadLetter, Settlement, Subscription, Work

_RESEND = "the process ended while the answer was awaited"
_COLUMNS = "key, segment, after_seq, last_seq, events, attempts, first_at"


def event_key(event_id: str) -> str:
    """The key of an event's work."""
    return f"event:{event_id}"


def session_key(session: str) -> str:
    """The key of a conversation's work."""
    return f"session:{session}"


def behind(db: sqlite3.Connection, exporter: str) -> bool:
    """Whether there are entries that the exporter has not taken."""
    row = db.execute(
        "SELECT 1 FROM events WHERE seq > (SELECT position FROM exporters WHERE name = ?) LIMIT 1",
        (exporter,),
    ).fetchone()
    return row is not None


def take(db: sqlite3.Connection, subscription: Subscription, limit: int) -> int:
    """Moves the position over at most ``limit`` entries, turning them into work."""
    rows = db.execute(
        "SELECT seq, id, session, kind, format, recorded_at, error FROM events "
        "WHERE seq > (SELECT position FROM exporters WHERE name = ?) ORDER BY seq LIMIT ?",
        (subscription.exporter, limit),
    ).fetchall()
    for row in rows:
        _take(db, subscription, row)
    if rows:
        db.execute(
            "UPDATE exporters SET position = ? WHERE name = ?",
            (rows[-1][0], subscription.exporter),
        )
    return len(rows)


def _take(db: sqlite3.Connection, subscription: Subscription, row: tuple[Any, ...]) -> None:
    seq, event_id, session, kind, format_name, at, error = row
    if kind == "undecodable":
        _insert_event(db, subscription.exporter, event_id, seq, error=error)
        letter = DeadLetter(subscription.exporter, event_id, 0, at, error)
        _store_letter(db, event_key(event_id), letter)
    elif subscription.grain == "event" or format_name == SUPPLEMENT:
        if kind == "event":
            in_order_of = session if subscription.ordered else None
            _insert_event(db, subscription.exporter, event_id, seq, in_order_of=in_order_of)
    elif kind == "end":
        _end_session(db, subscription, session)
    else:
        _add_to_conversation(db, subscription, session, seq, at)


def _insert_event(
    db: sqlite3.Connection,
    exporter: str,
    event_id: str,
    seq: int,
    *,
    in_order_of: str | None = None,
    error: str | None = None,
) -> None:
    # Due at once, whatever a clock that was put back says; zero also keeps events in their order.
    db.execute(
        "INSERT INTO work (exporter, key, segment, in_order_of, phase, state, after_seq, last_seq, events, due_at, "
        "reason) VALUES (?, ?, 0, ?, 'closed', ?, ?, ?, 1, 0, ?)",
        (
            exporter,
            event_key(event_id),
            in_order_of,
            "dead" if error is not None else "pending",
            seq - 1,
            seq,
            error,
        ),
    )


def _insert_segment(
    db: sqlite3.Connection,
    subscription: Subscription,
    session: str,
    *,
    segment: int = 0,
    after_seq: int = 0,
    seq: int,
    at: float,
) -> None:
    db.execute(
        "INSERT INTO work (exporter, key, segment, phase, state, after_seq, last_seq, events, due_at, "
        "waiting_since) VALUES (?, ?, ?, ?, 'pending', ?, ?, 1, ?, ?)",
        (
            subscription.exporter,
            session_key(session),
            segment,
            _phase(subscription),
            after_seq,
            seq,
            at + subscription.quiet,
            at,
        ),
    )


def _phase(subscription: Subscription) -> str:
    return "open" if subscription.send_when == "ended" else "live"


def _newest_segment(
    db: sqlite3.Connection, exporter: str, session: str
) -> tuple[int, str, str, int] | None:
    row: tuple[int, str, str, int] | None = db.execute(
        "SELECT segment, phase, state, last_seq FROM work WHERE exporter = ? AND key = ? "
        "ORDER BY segment DESC LIMIT 1",
        (exporter, session_key(session)),
    ).fetchone()
    return row


def _add_to_conversation(
    db: sqlite3.Connection, subscription: Subscription, session: str, seq: int, at: float
) -> None:
    newest = _newest_segment(db, subscription.exporter, session)
    if newest is None:
        _insert_segment(db, subscription, session, seq=seq, at=at)
    elif newest[1] == "closed":
        segment, _, _, last_seq = newest
        _insert_segment(
            db, subscription, session, segment=segment + 1, after_seq=last_seq, seq=seq, at=at
        )
    else:
        # A settled conversation is pending again, whole: an upsert carries its older events too.
        # One that is being sent stays claimed, and settling will find that it has grown.
        patience = subscription.patience if subscription.send_when == "changed" else None
        db.execute(
            "UPDATE work SET last_seq = :seq, events = events + 1, "
            "state = CASE WHEN state IN ('claimed', 'inflight') THEN state ELSE 'pending' END, "
            "waiting_since = coalesce(waiting_since, :at), "
            "due_at = max(not_before, min(:at + :quiet, "
            "coalesce(coalesce(waiting_since, :at) + :patience, :at + :quiet))) "
            "WHERE exporter = :exporter AND key = :key AND segment = :segment",
            {
                "seq": seq,
                "at": at,
                "quiet": subscription.quiet,
                "patience": patience,
                "exporter": subscription.exporter,
                "key": session_key(session),
                "segment": newest[0],
            },
        )


def _end_session(db: sqlite3.Connection, subscription: Subscription, session: str) -> None:
    newest = _newest_segment(db, subscription.exporter, session)
    if newest is not None and newest[2] == "pending":
        db.execute(
            "UPDATE work SET phase = CASE phase WHEN 'open' THEN 'closed' ELSE phase END, "
            "due_at = not_before WHERE exporter = ? AND key = ? AND segment = ?",
            (subscription.exporter, session_key(session), newest[0]),
        )


def hasten(db: sqlite3.Connection, exporter: str) -> None:
    """Makes changed conversations due, as far as no retry has to wait."""
    db.execute(
        "UPDATE work SET due_at = not_before "
        "WHERE exporter = ? AND state = 'pending' AND phase = 'live' AND due_at > not_before",
        (exporter,),
    )


_DUE = (
    f"SELECT {_COLUMNS}, in_order_of, due_at FROM work "  # noqa: S608 - names of this module's own
    "WHERE exporter = :exporter AND state = 'pending' AND due_at <= :now "
    "ORDER BY due_at, last_seq LIMIT :window"
)
_DUE_IN_ORDER = (
    f"SELECT {_COLUMNS} FROM ({_DUE}) AS due WHERE NOT EXISTS "  # noqa: S608
    "(SELECT 1 FROM work AS before WHERE before.exporter = :exporter "
    "AND before.in_order_of = due.in_order_of AND before.last_seq < due.last_seq "
    "AND before.state IN ('pending', 'claimed', 'inflight')) "
    "ORDER BY due_at, last_seq LIMIT :limit"
)
_WINDOW = 1000
"""How many due events are looked at for one whose session is free: bounds the cost of a claim."""


def claim(db: sqlite3.Connection, subscription: Subscription, now: float, limit: int) -> list[Work]:
    """Claims due units, oldest first. An open conversation that is due has been idle: it closes."""
    exporter, ordered = subscription.exporter, subscription.ordered
    rows = db.execute(
        _DUE_IN_ORDER if ordered else _DUE,
        {
            "exporter": exporter,
            "now": now,
            "limit": limit,
            "window": max(_WINDOW, limit) if ordered else limit,
        },
    ).fetchall()
    works = [Work(*row[:7]) for row in rows]
    db.executemany(
        "UPDATE work SET state = 'claimed', waiting_since = NULL, "
        "phase = CASE phase WHEN 'open' THEN 'closed' ELSE phase END "
        "WHERE exporter = ? AND key = ? AND segment = ?",
        ((exporter, work.key, work.segment) for work in works),
    )
    return works


def mark(db: sqlite3.Connection, exporter: str, works: Iterable[Work], state: str) -> None:
    """Sets the state of claimed work."""
    db.executemany(
        "UPDATE work SET state = ? WHERE exporter = ? AND key = ? AND segment = ? "
        "AND state IN ('claimed', 'inflight')",
        ((state, exporter, work.key, work.segment) for work in works),
    )


def recover(db: sqlite3.Connection, exporter: str, *, repeat: bool) -> int:
    """Takes back what a crash left claimed; returns how many had been sent without an answer."""
    db.execute(
        "UPDATE work SET state = 'pending' WHERE exporter = ? AND state = 'claimed'", (exporter,)
    )
    return db.execute(
        "UPDATE work SET state = ?, reason = ? WHERE exporter = ? AND state = 'inflight'",
        ("pending" if repeat else "unknown", _RESEND, exporter),
    ).rowcount


def settle(db: sqlite3.Connection, exporter: str, settlement: Settlement) -> None:
    """Stores what became of one claimed unit."""
    work = settlement.work
    where = {"exporter": exporter, "key": work.key, "segment": work.segment}
    if settlement.outcome == "delivered":
        _settle_delivered(db, settlement, where)
    elif settlement.outcome == "pending":
        db.execute(
            "UPDATE work SET state = 'pending', due_at = :due, not_before = :due, attempts = :attempts, "
            "first_at = :first, reason = :reason "
            "WHERE exporter = :exporter AND key = :key AND segment = :segment",
            {
                **where,
                "due": settlement.due_at or 0.0,
                "attempts": settlement.attempts,
                "first": settlement.first_at,
                "reason": settlement.reason,
            },
        )
    else:
        db.execute(
            "UPDATE work SET state = CASE WHEN last_seq > :seq THEN 'pending' ELSE :state END, "
            "attempts = 0, first_at = NULL, not_before = 0, reason = :reason "
            "WHERE exporter = :exporter AND key = :key AND segment = :segment",
            {
                **where,
                "seq": work.last_seq,
                "state": settlement.outcome,
                "reason": settlement.reason,
            },
        )
    if settlement.letter is not None:
        _store_letter(db, work.key, settlement.letter)


def _settle_delivered(
    db: sqlite3.Connection, settlement: Settlement, where: dict[str, Any]
) -> None:
    work = settlement.work
    row = db.execute(
        "SELECT delivered FROM work WHERE exporter = :exporter AND key = :key AND segment = :segment",
        where,
    ).fetchone()
    if row is None:
        return  # the database was set aside meanwhile; what is read again from the journal counts by itself
    db.execute(
        "UPDATE exporters SET delivered = delivered + ? WHERE name = ?",
        (work.events - row[0], where["exporter"]),
    )
    if work.session is None:
        db.execute(
            "DELETE FROM work WHERE exporter = :exporter AND key = :key AND segment = :segment",
            where,
        )
    else:
        db.execute(
            "UPDATE work SET state = CASE WHEN last_seq > :seq THEN 'pending' ELSE 'done' END, "
            "delivered = :events, delivered_seq = :seq, attempts = 0, first_at = NULL, "
            "not_before = 0, reason = NULL "
            "WHERE exporter = :exporter AND key = :key AND segment = :segment",
            {**where, "seq": work.last_seq, "events": work.events},
        )
    db.execute(
        "DELETE FROM dead_letters WHERE exporter = :exporter AND key = :key AND segment = :segment",
        where,
    )
    if settlement.vendor_id is not None:
        db.execute(
            "INSERT OR REPLACE INTO deliveries VALUES (:exporter, :key, :segment, :vendor_id)",
            {**where, "vendor_id": settlement.vendor_id},
        )


def _store_letter(db: sqlite3.Connection, key: str, letter: DeadLetter) -> None:
    db.execute(
        "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            letter.exporter,
            key,
            letter.segment,
            letter.at,
            letter.reason,
            None if letter.request is None else jsontext.dumps(letter.request),
            None if letter.answer is None else jsontext.dumps(letter.answer),
        ),
    )
