"""The tables of ``events.db``, as the steps from each version to the next. ``PRAGMA user_version`` says which a file has."""

from __future__ import annotations

import sqlite3

from llmtee.errors import NewerEventLog

_VERSION_1 = """
CREATE TABLE journal (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  format TEXT NOT NULL,
  payload BLOB NOT NULL,
  recorded_at REAL NOT NULL,
  live INTEGER NOT NULL
);
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  session TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('event', 'undecodable', 'end')),
  format TEXT NOT NULL,
  payload BLOB NOT NULL,
  recorded_at REAL NOT NULL,
  error TEXT
);
CREATE INDEX events_of_session ON events (session, seq);
CREATE TABLE exporters (
  name TEXT PRIMARY KEY,
  start INTEGER NOT NULL,
  position INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0,
  forgotten INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
-- One row a unit: 'event:<id>', or 'session:<session>' with its segment. A delivered event's row is removed; a
-- conversation's stays, to know where its next segment begins. phase: 'open' waits for the session's end, 'live' is
-- sent again whenever it changes, 'closed' takes no further event.
CREATE TABLE work (
  exporter TEXT NOT NULL,
  key TEXT NOT NULL,
  segment INTEGER NOT NULL,
  -- Of an event that must not overtake the others of its session.
  in_order_of TEXT,
  phase TEXT NOT NULL CHECK (phase IN ('open', 'live', 'closed')),
  state TEXT NOT NULL CHECK
    (state IN ('pending', 'claimed', 'inflight', 'done', 'dead', 'unknown', 'skipped')),
  after_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  delivered_seq INTEGER NOT NULL DEFAULT 0,
  events INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0,
  due_at REAL NOT NULL,
  not_before REAL NOT NULL DEFAULT 0,
  waiting_since REAL,
  attempts INTEGER NOT NULL DEFAULT 0,
  first_at REAL,
  reason TEXT,
  PRIMARY KEY (exporter, key, segment)
) WITHOUT ROWID;
CREATE INDEX work_due ON work (exporter, state, due_at, last_seq);
CREATE INDEX work_in_order ON work (exporter, in_order_of, last_seq) WHERE in_order_of IS NOT NULL;
CREATE TABLE dead_letters (
  exporter TEXT NOT NULL,
  key TEXT NOT NULL,
  segment INTEGER NOT NULL,
  at REAL NOT NULL,
  reason TEXT NOT NULL,
  request BLOB,
  answer BLOB,
  PRIMARY KEY (exporter, key, segment)
) WITHOUT ROWID;
"""


_VERSION_2 = """
-- How far each segment of the journal was read.
CREATE TABLE segments (
  name TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) WITHOUT ROWID;
-- What was lost, and why.
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
-- The vendor's own id of what it took.
CREATE TABLE deliveries (
  exporter TEXT NOT NULL,
  key TEXT NOT NULL,
  segment INTEGER NOT NULL,
  vendor_id TEXT NOT NULL,
  PRIMARY KEY (exporter, key, segment)
) WITHOUT ROWID;
-- Counting must read neither the payloads nor the rest of the work.
CREATE INDEX events_counted ON events (seq) WHERE kind <> 'end';
DROP INDEX work_due;
CREATE INDEX work_due ON work (exporter, state, due_at, last_seq, phase, events, delivered);
CREATE INDEX work_settled ON work (exporter, state, events, delivered)
  WHERE state IN ('dead', 'unknown', 'skipped');
"""

_STATES = """
-- What was assembled of a session up to an event. Derived: it may be behind, or missing.
CREATE TABLE states (
  session TEXT NOT NULL,
  exporter TEXT NOT NULL,
  seq INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (session, exporter)
);
-- Of this database: what is kept in memory of one must not be taken for another's.
CREATE TABLE identity (id BLOB NOT NULL);
INSERT INTO identity VALUES (randomblob(16));
-- When due_at was set. A clock that shows less was put back since.
ALTER TABLE work ADD COLUMN dated_at REAL;
UPDATE work SET dated_at = strftime('%s', 'now') WHERE due_at > strftime('%s', 'now') + 0.0;
CREATE INDEX work_dated ON work (exporter, dated_at) WHERE state = 'pending' AND dated_at IS NOT NULL;
"""

# For those who operate a log.
_OPERATION = """
-- What the delivering process told of each exporter, as JSON, and when.
CREATE TABLE health (
  exporter TEXT PRIMARY KEY,
  at REAL NOT NULL,
  note BLOB NOT NULL
) WITHOUT ROWID;
-- Whether work that is skipped was dropped by hand.
ALTER TABLE work ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
DROP INDEX work_settled;
CREATE INDEX work_settled ON work (exporter, state, dropped, events, delivered)
  WHERE state IN ('dead', 'unknown', 'skipped');
"""

_PENDING_SINCE = """
-- When the oldest event was recorded of those that a unit of work has not delivered; NULL: there is none.
ALTER TABLE work ADD COLUMN pending_since REAL;
UPDATE work SET pending_since = (SELECT recorded_at FROM events WHERE seq = CASE
    WHEN key LIKE 'event:%' THEN last_seq
    ELSE (SELECT min(seq) FROM events WHERE session = substr(key, 9) AND kind = 'event'
      AND seq > max(after_seq, delivered_seq)) END)
  WHERE state <> 'done';
DROP INDEX work_due;
CREATE INDEX work_due ON work (exporter, state, due_at, last_seq, phase, events, delivered, pending_since);
"""

_VERSION_3 = _STATES + _PENDING_SINCE + _OPERATION

_STEPS = (_VERSION_1, _VERSION_2, _VERSION_3)
"""What leads from version 0, an empty file, to 1, to 2, and so on. A step that was released is never changed."""

VERSION = len(_STEPS)


def prepare(connection: sqlite3.Connection) -> None:
    """Brings a database to the version of this llmtee. One process at a time may call it.

    Raises:
        NewerEventLog: a newer llmtee wrote the file.
    """
    version = _version(connection)
    if version > VERSION:
        raise NewerEventLog(
            f"the event log has version {version}, which this llmtee does not know (it knows {VERSION}); "
            "upgrade llmtee or name another directory"
        )
    if version == 0:
        # Only an empty file takes it; without it what is deleted never makes the file smaller.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode NORMAL survives the death of the process; only the loss of power can take the last moments.
    connection.execute("PRAGMA synchronous = NORMAL")
    for number, step in enumerate(_STEPS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
