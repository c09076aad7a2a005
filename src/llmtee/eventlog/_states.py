"""How far sessions were assembled. Derived from the events: what is missing here, or behind, is made anew from them.

Events are only ever added, with a higher number, or forgotten with their whole session. So what was assembled of a
session up to a number holds for every exporter, and as long as the event of that number is there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from llmtee.eventlog._intake import count
from llmtee.eventlog.protocol import Entry, Mark, State, Story

UNREADABLE = "unreadable_states"
"""Counter: states that were discarded. No event is lost with them."""

READ = (
    "SELECT seq, id, session, kind, format, payload, recorded_at, error FROM events "
    "WHERE session = ? AND seq > ? AND seq <= ? AND kind = 'event' ORDER BY seq"
)
NEWEST = (
    "SELECT seq, CAST(content AS BLOB) FROM states "
    "WHERE session = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
)


def story(db: sqlite3.Connection, session: str, upto: int, known: Mark | None) -> Story:
    """What is needed to have a session as far as ``upto``, inside one transaction."""
    log = _identity(db)
    state = None
    goes_on = known is not None and known.log == log and _goes_on(db, session, upto, known)
    if known is not None and goes_on:
        after = known.seq
    else:
        row = db.execute(NEWEST, (session, upto)).fetchone()
        state = None if row is None else State(session, Mark(log, row[0]), row[1])
        after = 0 if state is None else state.mark.seq
    rows = db.execute(READ, (session, after, upto)).fetchall()
    mark = Mark(log, rows[-1][0] if rows else after)
    return Story(mark, [Entry(*row[1:]) for row in rows], state, goes_on)


def _identity(db: sqlite3.Connection) -> bytes:
    return bytes(db.execute("SELECT id FROM identity").fetchone()[0])


def _goes_on(db: sqlite3.Connection, session: str, upto: int, known: Mark) -> bool:
    """Whether the event up to which the session is known is there still: else it was forgotten meanwhile."""
    if known.seq > upto:
        return False
    row = db.execute("SELECT session FROM events WHERE seq = ?", (known.seq,)).fetchone()
    return row is not None and bool(row[0] == session)


def store(db: sqlite3.Connection, exporter: str, states: Iterable[State]) -> None:
    """Keeps the newest state of each session, inside a transaction.

    One of another database is passed over: this one may have been begun since it was made.
    """
    log = _identity(db)
    db.executemany(
        "INSERT INTO states SELECT ?1, ?2, ?3, ?4 "
        "WHERE EXISTS (SELECT 1 FROM events WHERE seq = ?3 AND session = ?1) "
        "ON CONFLICT DO UPDATE SET seq = excluded.seq, content = excluded.content "
        "WHERE excluded.seq > seq",
        (
            (state.session, exporter, state.mark.seq, state.content)
            for state in states
            if state.mark.log == log
        ),
    )


def discard(db: sqlite3.Connection, state: State) -> None:
    """Deletes a state that cannot be read, and counts it."""
    gone = db.execute(
        "DELETE FROM states WHERE session = ? AND seq = ?", (state.session, state.mark.seq)
    ).rowcount
    count(db, UNREADABLE, gone)


def forget(db: sqlite3.Connection, session: str) -> None:
    """Deletes the states of a session whose events go."""
    db.execute("DELETE FROM states WHERE session = ?", (session,))


def discarded(db: sqlite3.Connection) -> int:
    """How many states were discarded since the log was made."""
    row = db.execute("SELECT value FROM counters WHERE name = ?", (UNREADABLE,)).fetchone()
    return 0 if row is None else int(row[0])
