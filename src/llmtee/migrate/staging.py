"""What a migration keeps in its directory: the items as they were read, how far reading and sending are, the options.

One SQLite file. Each method is one transaction: a page and the position after it are stored together, so a process that
is killed anywhere goes on where it was. Nothing is kept in memory but the session at hand.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llmtee import jsontext
from llmtee.errors import EventLogError, UsageError
from llmtee.model import (
    Annotation,
    Conversation,
    Item,
    Supplement,
    SupplementBase,
    load_event,
    load_supplement,
)

FILE = "history.db"
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, began REAL);
CREATE TABLE IF NOT EXISTS items (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, session INTEGER NOT NULL, kind TEXT NOT NULL, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS items_of_session ON items (session, seq);
CREATE TABLE IF NOT EXISTS supplements (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, session TEXT, target TEXT, content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, session INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue (place INTEGER PRIMARY KEY, session INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS failures (reason TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_EVENTS = ("model_call", "tool_run", "step")


@dataclass(frozen=True, slots=True)
class Held:
    """What is staged, as counts."""

    sessions: int
    events: int
    conversations: int
    supplements: int
    failures: int
    """Records of the source that could not be read."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far sending is."""

    part: Literal["items", "supplements", "done"] = "items"
    place: int = 1
    """Of the session in the queue, or the number of the last supplement."""
    unit: int = 0
    """Units of that session that were handed over already."""


class Staging:
    """The file of one migration. For one thread; close it."""

    def __init__(self, directory: Path) -> None:
        """Opens it, and creates what is missing.

        Raises:
            EventLogError: the directory cannot be used.
            UsageError: a newer llmtee wrote it.
        """
        self.path = directory / FILE
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(self.path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise EventLogError(f"migration in {directory}: {error}") from error
        with self._step():
            self._db.execute("PRAGMA journal_mode = WAL")
            # The page that a power cut takes is read again.
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found > _VERSION:
                raise UsageError(f"{self.path} was written by a newer llmtee: use that one")
            self._db.execute(f"PRAGMA user_version = {_VERSION}")

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @contextmanager
    def _step(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            if write:
                self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            if write:
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            raise EventLogError(f"{self.path}: {error}") from error
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    # -- facts ----------------------------------------------------------------------------------------------------

    def fact(self, name: str) -> Any:
        """A JSON value that was kept under a name; ``None`` when there is none."""
        with self._step() as db:
            row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else jsontext.loads(row[0])

    def keep(self, **facts: Any) -> None:
        """Keeps JSON values under names."""
        with self._step(write=True) as db:
            _keep(db, facts)

    # -- reading --------------------------------------------------------------------------------------------------

    def add(
        self,
        items: Iterable[Item | Supplement],
        *,
        position: Mapping[str, Any] | None,
        limit: int | None = None,
        failures: Iterable[str] = (),
    ) -> None:
        """Stores a page, and where the next begins.

        What comes again under an id takes the place of what was there.

        Args:
            items: of the page.
            position: where reading goes on; ``None`` at the end.
            limit: of sessions; further ones are left out.
            failures: what could not be read meanwhile.
        """
        with self._step(write=True) as db:
            for item in items:
                if isinstance(item, SupplementBase):
                    _add_supplement(db, item)
                else:
                    _add_item(db, item, limit)
            db.executemany(
                "INSERT OR IGNORE INTO failures VALUES (?)", [(one,) for one in failures]
            )
            _keep(db, {"position": position, "read": position is None})

    def sessions(self) -> int:
        """How many sessions there are."""
        with self._step() as db:
            return int(db.execute("SELECT count(*) FROM sessions").fetchone()[0])

    def end(self) -> None:
        """Everything was read: fixes the order in which it is sent, the oldest sessions first."""
        with self._step(write=True) as db:
            db.execute(
                "INSERT INTO queue (session) SELECT number FROM sessions "
                "WHERE NOT EXISTS (SELECT 1 FROM queue) ORDER BY began IS NULL, began, number"
            )
            _keep(db, {"read": True, "position": None})

    def held(self) -> Held:
        """What is staged."""
        with self._step() as db:
            kinds = dict(db.execute("SELECT kind, count(*) FROM items GROUP BY kind").fetchall())
            sessions, supplements, failures = (
                db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - names of this module's own
                for table in ("sessions", "supplements", "failures")
            )
        events = sum(kinds.get(kind, 0) for kind in _EVENTS)
        return Held(sessions, events, kinds.get("conversation", 0), supplements, failures)

    def span(self) -> tuple[dt.datetime | None, bool]:
        """When the oldest session began, as far as that is known, and whether it is known of all."""
        with self._step() as db:
            first, unknown = db.execute(
                "SELECT min(began), coalesce(sum(began IS NULL), 0) FROM sessions"
            ).fetchone()
        return None if first is None else dt.datetime.fromtimestamp(first, dt.UTC), not unknown

    def failures(self, limit: int) -> list[str]:
        """What could not be read, sorted."""
        with self._step() as db:
            rows = db.execute("SELECT reason FROM failures ORDER BY reason LIMIT ?", (limit,))
            return [reason for (reason,) in rows]

    # -- sending --------------------------------------------------------------------------------------------------

    def queued(self, first: int = 1) -> Iterator[tuple[int, list[Item]]]:
        """The items of one session after another, with its place in the queue; from a place on."""
        place = first
        while True:
            with self._step() as db:
                row = db.execute("SELECT session FROM queue WHERE place = ?", (place,)).fetchone()
            if row is None:
                return
            yield place, self._items_of(row[0])
            place += 1

    def at(self, place: int) -> list[Item]:
        """The items of the session at a place of the queue."""
        return next(self.queued(place))[1]

    def session(self, name: str) -> list[Item]:
        """The items of a session; none when there is no such."""
        with self._step() as db:
            row = db.execute("SELECT number FROM sessions WHERE name = ?", (name,)).fetchone()
        return [] if row is None else self._items_of(row[0])

    def home(self, target: str) -> list[Item]:
        """The items of the session that an event, a conversation or a message is of; none when nobody knows it."""
        with self._step() as db:
            row = db.execute(
                "SELECT session FROM items WHERE id = ?1 UNION ALL SELECT session FROM messages WHERE id = ?1",
                (target,),
            ).fetchone()
        return [] if row is None else self._items_of(row[0])

    def supplements(self, after: int = 0) -> Iterator[tuple[int, Supplement]]:
        """The supplements, in order, each with its number; after a number."""
        while True:
            with self._step() as db:
                row = db.execute(
                    "SELECT seq, content FROM supplements WHERE seq > ? ORDER BY seq LIMIT 1",
                    (after,),
                ).fetchone()
            if row is None:
                return
            after = row[0]
            yield after, load_supplement(jsontext.loads(zlib.decompress(row[1])))

    @property
    def cursor(self) -> Cursor:
        """How far sending is."""
        found = self.fact("cursor")
        return Cursor() if found is None else Cursor(*found)

    def advance(self, cursor: Cursor) -> None:
        """Notes how far sending is."""
        self.keep(cursor=[cursor.part, cursor.place, cursor.unit])

    def _items_of(self, number: int) -> list[Item]:
        with self._step() as db:
            rows = db.execute(
                "SELECT content FROM items WHERE session = ? ORDER BY seq", (number,)
            ).fetchall()
        return [_loaded(jsontext.loads(zlib.decompress(content))) for (content,) in rows]


def _loaded(value: Any) -> Item:
    if value["kind"] == "conversation":
        return Conversation.model_validate(value)
    return load_event(value)


def _keep(db: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO facts VALUES (?, ?)",
        [(name, jsontext.dumps(value)) for name, value in facts.items()],
    )


def _add_item(db: sqlite3.Connection, item: Item, limit: int | None) -> None:
    name = item.session if item.session is not None else item.id
    row = db.execute("SELECT number FROM sessions WHERE name = ?", (name,)).fetchone()
    if row is None:
        if limit is not None:
            (known,) = db.execute("SELECT count(*) FROM sessions").fetchone()
            if known >= limit:
                return
        row = db.execute(
            "INSERT INTO sessions (name) VALUES (?) RETURNING number", (name,)
        ).fetchone()
    (number,) = row
    began = item.started_at or item.ended_at
    if began is not None:
        db.execute(
            "UPDATE sessions SET began = min(coalesce(began, ?1), ?1) WHERE number = ?2",
            (began.timestamp(), number),
        )
    content = zlib.compress(item.to_json_text(), 1)
    db.execute(
        "INSERT INTO items (id, session, kind, content) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "session = excluded.session, kind = excluded.kind, content = excluded.content",
        (item.id, number, item.kind, content),
    )
    if isinstance(item, Conversation):
        ids = [(message.id, number) for message in item.messages if message.id is not None]
        db.executemany("INSERT OR IGNORE INTO messages VALUES (?, ?)", ids)


def _add_supplement(db: sqlite3.Connection, supplement: Supplement) -> None:
    about = supplement if isinstance(supplement, Annotation) else None
    db.execute(
        "INSERT INTO supplements (id, session, target, content) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "content = excluded.content",
        (
            supplement.id,
            None if about is None else about.session,
            None if about is None else about.target,
            zlib.compress(supplement.to_json_text(), 1),
        ),
    )
