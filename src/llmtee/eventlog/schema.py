"""The tables of ``events.db``. ``PRAGMA user_version`` says which version a file has."""

from __future__ import annotations

import sqlite3

from llmtee.errors import EventLogError

VERSION = 1

_TABLES = """
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


def prepare(connection: sqlite3.Connection) -> None:
    """Creates the tables in a new database. One process at a time may call it.

    Raises:
        EventLogError: a newer llmtee wrote the file.
    """
    connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode NORMAL survives the death of the process; only the loss of power can take the last moments.
    connection.execute("PRAGMA synchronous = NORMAL")
    if _version(connection) == 0:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
        )
    if (version := _version(connection)) > VERSION:
        raise EventLogError(
            f"the event log has version {version}, which this llmtee does not know (it knows {VERSION}); "
            "upgrade llmtee or name another directory"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
