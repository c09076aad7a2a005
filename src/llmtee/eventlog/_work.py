"""The work table: how entries become work, and what becomes of it. Each function runs inside one transaction."""

# ruff: noqa: S608 - statements are put together from names and marks of this module's own

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from llmtee import jsontext
from llmtee.eventlog.protocol import ALONE, DeadLetter, Settlement, Subscription, Work

_RESEND = "the process ended while the answer was awaited"
_KEYS = 128
"""Units that one statement is about: each step of one lets go of the interpreter lock, and an application that computes
gives it back late."""
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
    if subscription.grain == "event":
        return _take_events(db, subscription, limit)
    rows = db.execute(
        "SELECT seq, id, session, kind, format, recorded_at, error FROM events "
        "WHERE seq > (SELECT position FROM exporters WHERE name = ?) ORDER BY seq LIMIT ?",
        (subscription.exporter, limit),
    ).fetchall()
    for row in rows:
        take_entry(db, subscription, row)
    if rows:
        db.execute(
            "UPDATE exporters SET position = ? WHERE name = ?",
            (rows[-1][0], subscription.exporter),
        )
    return len(rows)


def _take_events(db: sqlite3.Connection, subscription: Subscription, limit: int) -> int:
    """The same for events that are work by themselves: few statements for all of them."""
    first, last, number = db.execute(
        "SELECT min(seq) - 1, max(seq), count(*) FROM (SELECT seq FROM events "
        "WHERE seq > (SELECT position FROM exporters WHERE name = ?) ORDER BY seq LIMIT ?)",
        (subscription.exporter, limit),
    ).fetchone()
    if not number:
        return 0
    db.execute(
        # Due at once, whatever a clock that was put back says; zero also keeps events in their order.
        "INSERT INTO work (exporter, key, segment, in_order_of, phase, state, after_seq, last_seq, events, due_at, "
        "pending_since) "
        "SELECT ?1, ?2 || id, 0, CASE WHEN ?3 THEN session END, 'closed', 'pending', seq - 1, seq, 1, 0, recorded_at "
        "FROM events WHERE seq > ?4 AND seq <= ?5 AND kind = 'event' ORDER BY seq",
        (subscription.exporter, event_key(""), subscription.ordered, first, last),
    )
    rows = db.execute(
        "SELECT seq, id, session, kind, format, recorded_at, error FROM events "
        "WHERE seq > ? AND seq <= ? AND kind = 'undecodable' ORDER BY seq",
        (first, last),
    ).fetchall()
    for row in rows:
        take_entry(db, subscription, row)
    db.execute("UPDATE exporters SET position = ? WHERE name = ?", (last, subscription.exporter))
    return int(number)


def take_entry(db: sqlite3.Connection, subscription: Subscription, row: tuple[Any, ...]) -> None:
    """Turns an entry (number, id, session, kind, format, time, error) into work."""
    seq, event_id, session, kind, format_name, at, error = row
    if kind == "undecodable":
        _insert_event(db, subscription.exporter, event_id, seq, at, error=error)
        letter = DeadLetter(subscription.exporter, event_id, 0, at, error)
        _store_letter(db, event_key(event_id), letter)
    elif subscription.grain == "event" or format_name in ALONE:
        if kind == "event":
            in_order_of = session if subscription.ordered else None
            _insert_event(db, subscription.exporter, event_id, seq, at, in_order_of=in_order_of)
    elif kind == "end":
        end_session(db, subscription, session)
    else:
        _add_to_conversation(db, subscription, session, seq, at)


def _insert_event(
    db: sqlite3.Connection,
    exporter: str,
    event_id: str,
    seq: int,
    at: float,
    *,
    in_order_of: str | None = None,
    error: str | None = None,
) -> None:
    db.execute(
        "INSERT INTO work (exporter, key, segment, in_order_of, phase, state, after_seq, last_seq, events, due_at, "
        "pending_since, reason) VALUES (?, ?, 0, ?, 'closed', ?, ?, ?, 1, 0, ?, ?)",
        (
            exporter,
            event_key(event_id),
            in_order_of,
            "dead" if error is not None else "pending",
            seq - 1,
            seq,
            at,
            error,
        ),
    )


def insert_skipped(
    db: sqlite3.Connection,
    exporter: str,
    key: str,
    seq: int,
    at: float,
    events: int,
    reason: str,
    *,
    phase: str = "closed",
) -> None:
    """A unit of which the exporter gets nothing: an event, or a conversation that began ``at`` and goes up to ``seq``."""
    after = seq - 1 if key.startswith("event:") else 0
    db.execute(
        "INSERT INTO work (exporter, key, segment, phase, state, after_seq, last_seq, events, due_at, "
        "pending_since, reason) VALUES (?, ?, 0, ?, 'skipped', ?, ?, ?, 0, ?, ?)",
        (exporter, key, phase, after, seq, events, at, reason),
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
        "waiting_since, dated_at, pending_since) "
        "VALUES (?, ?, ?, ?, 'pending', ?, ?, 1, ?, ?, ?, ?)",
        (
            subscription.exporter,
            session_key(session),
            segment,
            _phase(subscription),
            after_seq,
            seq,
            at + subscription.quiet,
            at,
            at,
            at,
        ),
    )


def _phase(subscription: Subscription) -> str:
    return "open" if subscription.send_when == "ended" else "live"


def newest_segment(
    db: sqlite3.Connection, exporter: str, session: str
) -> tuple[int, str, str, int] | None:
    """The newest part of a session: its number, phase, state and newest entry."""
    row: tuple[int, str, str, int] | None = db.execute(
        "SELECT segment, phase, state, last_seq FROM work WHERE exporter = ? AND key = ? "
        "ORDER BY segment DESC LIMIT 1",
        (exporter, session_key(session)),
    ).fetchone()
    return row


def _add_to_conversation(
    db: sqlite3.Connection, subscription: Subscription, session: str, seq: int, at: float
) -> None:
    newest = newest_segment(db, subscription.exporter, session)
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
            "dropped = 0, waiting_since = coalesce(waiting_since, :at), "
            "dated_at = CASE state WHEN 'pending' THEN max(coalesce(dated_at, :at), :at) ELSE :at END, "
            "pending_since = coalesce(pending_since, :at), "
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


def end_session(db: sqlite3.Connection, subscription: Subscription, session: str) -> None:
    """Closes what is open of a session."""
    newest = newest_segment(db, subscription.exporter, session)
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
    f"SELECT {_COLUMNS}, in_order_of, due_at FROM work "
    "WHERE exporter = :exporter AND state = 'pending' AND due_at <= :now "
    "ORDER BY due_at, last_seq LIMIT :window"
)
_DUE_IN_ORDER = (
    # No second ORDER BY: with it the whole window is looked at, however few are wanted.
    f"SELECT {_COLUMNS} FROM ({_DUE}) AS due WHERE NOT EXISTS "
    "(SELECT 1 FROM work AS before WHERE before.exporter = :exporter "
    "AND before.in_order_of = due.in_order_of AND before.last_seq < due.last_seq "
    "AND before.state IN ('pending', 'claimed', 'inflight')) LIMIT :limit"
)
_WINDOW = 1000
"""How many due events are looked at for one whose session is free: bounds the cost of a claim."""


REDATE = (
    "UPDATE work SET due_at = :now + max(0, due_at - dated_at), "
    "not_before = CASE WHEN not_before > :now THEN :now + max(0, not_before - dated_at) ELSE not_before END, "
    "waiting_since = min(waiting_since, :now), dated_at = :now "
    "WHERE exporter = :exporter AND state = 'pending' AND dated_at > :now"
)


def redate(db: sqlite3.Connection, exporter: str, now: float) -> None:
    """What was dated by a clock that was put back since waits anew, and so never longer than it was told to."""
    db.execute(REDATE, {"exporter": exporter, "now": now})


def claim(db: sqlite3.Connection, subscription: Subscription, now: float, limit: int) -> list[Work]:
    """Claims due units, oldest first. An open conversation that is due has been idle: it closes."""
    exporter, ordered = subscription.exporter, subscription.ordered
    redate(db, exporter, now)
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
    for where, these in _found_by(exporter, works):
        db.execute(
            "UPDATE work SET state = 'claimed', waiting_since = NULL, "
            f"phase = CASE phase WHEN 'open' THEN 'closed' ELSE phase END WHERE {where}",
            these,
        )
    return works


def _found_by(exporter: str, works: Iterable[Work]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Conditions that find the rows of works, many by each: mostly all are of segment 0."""
    by_segment: defaultdict[int, list[str]] = defaultdict(list)
    for work in works:
        by_segment[work.segment].append(work.key)
    for segment, keys in by_segment.items():
        for start in range(0, len(keys), _KEYS):
            some = keys[start : start + _KEYS]
            # Filled up with the last one, so that there are few different statements to prepare.
            some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
            marks = ",".join("?" * len(some))
            yield f"exporter = ? AND segment = ? AND key IN ({marks})", (exporter, segment, *some)


def mark(db: sqlite3.Connection, exporter: str, works: Iterable[Work], state: str) -> None:
    """Sets the state of claimed work."""
    for where, these in _found_by(exporter, works):
        db.execute(
            f"UPDATE work SET state = ? WHERE state IN ('claimed', 'inflight') AND {where}",
            (state, *these),
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


def settle(db: sqlite3.Connection, exporter: str, settlements: Iterable[Settlement]) -> None:
    """Stores what became of claimed units."""
    arrived: list[Settlement] = []
    for settlement in settlements:
        if settlement.outcome == "delivered" and settlement.work.session is None:
            arrived.append(settlement)
        else:
            _settle(db, exporter, settlement)
    if arrived:
        _settle_events(db, exporter, arrived)


def _settle_events(db: sqlite3.Connection, exporter: str, arrived: Sequence[Settlement]) -> None:
    """Takes delivered events off the work, all of them by a handful of statements."""
    delivered = 0
    gone: set[str] = set()
    for where, these in _found_by(exporter, [settlement.work for settlement in arrived]):
        found, events = db.execute(
            f"SELECT count(*), total(events - delivered) FROM work WHERE {where}", these
        ).fetchone()
        delivered += int(events)
        if found < len({*these[2:]}):
            # The database was set aside meanwhile; what is read again from the journal counts by itself.
            rows = db.execute(f"SELECT key FROM work WHERE {where}", these)
            gone |= {*map(str, these[2:])} - {key for (key,) in rows}
        db.execute(f"DELETE FROM work WHERE {where}", these)
        db.execute(f"DELETE FROM dead_letters WHERE {where}", these)
    db.execute(
        "UPDATE exporters SET delivered = delivered + ? WHERE name = ?", (delivered, exporter)
    )
    _store_vendor_ids(
        db,
        [
            (exporter, settlement.work.key, settlement.work.segment, settlement.vendor_id)
            for settlement in arrived
            if settlement.vendor_id is not None and settlement.work.key not in gone
        ],
    )


def _store_vendor_ids(db: sqlite3.Connection, rows: Sequence[tuple[str, str, int, str]]) -> None:
    for start in range(0, len(rows), _KEYS):
        some = rows[start : start + _KEYS]
        marks = ",".join(["(?, ?, ?, ?)"] * len(some))
        db.execute(
            f"INSERT OR REPLACE INTO deliveries VALUES {marks}",
            [value for row in some for value in row],
        )


def _settle(db: sqlite3.Connection, exporter: str, settlement: Settlement) -> None:
    work = settlement.work
    where = {"exporter": exporter, "key": work.key, "segment": work.segment}
    if settlement.outcome == "delivered":
        _settle_conversation(db, settlement, where)
    elif settlement.outcome == "pending":
        db.execute(
            "UPDATE work SET state = 'pending', due_at = :due, not_before = :due, dated_at = :dated, "
            "attempts = :attempts, first_at = :first, reason = :reason "
            "WHERE exporter = :exporter AND key = :key AND segment = :segment",
            {
                **where,
                "due": settlement.due_at or 0.0,
                "dated": settlement.dated_at,
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


def _settle_conversation(
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
    db.execute(
        "UPDATE work SET state = CASE WHEN last_seq > :seq THEN 'pending' ELSE 'done' END, "
        "delivered = :events, delivered_seq = :seq, attempts = 0, first_at = NULL, "
        "not_before = 0, reason = NULL, pending_since = (SELECT recorded_at FROM events "
        "WHERE session = :session AND kind = 'event' AND seq > :seq AND seq <= last_seq ORDER BY seq LIMIT 1) "
        "WHERE exporter = :exporter AND key = :key AND segment = :segment",
        {**where, "seq": work.last_seq, "events": work.events, "session": work.session},
    )
    db.execute(
        "DELETE FROM dead_letters WHERE exporter = :exporter AND key = :key AND segment = :segment",
        where,
    )
    if settlement.vendor_id is not None:
        row = (where["exporter"], work.key, work.segment, settlement.vendor_id)
        _store_vendor_ids(db, [row])


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
