"""Looks into the event log of a directory that others may be writing to: takes no part, and changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from llmtee.errors import EventLogError, NewerEventLog, UsageError
from llmtee.eventlog import schema
from llmtee.eventlog._backlog import JournalReader
from llmtee.eventlog._database import BUSY_SECONDS, FILE
from llmtee.eventlog.journal import segment_files
from llmtee.eventlog.protocol import Entry, Record

_SEGMENTS_SINCE_VERSION: Final = 2
_IDENTITY_SINCE_VERSION: Final = 3
_IDS: Final = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry, with its place among all."""

    number: int
    """They grow; what was deleted leaves gaps."""
    entry: Entry


class Look:
    """A connection to the database that can only read. Close it."""

    def __init__(self, directory: Path) -> None:
        """Opens it.

        Raises:
            UsageError: there is no event log.
            NewerEventLog: a newer llmtee wrote it.
            EventLogError: it cannot be read.
        """
        self.directory = directory
        if not directory.is_dir():
            raise UsageError(f"{directory}: no such directory, so there is no event log")
        path = directory / FILE
        if not path.exists() and not segment_files(directory):
            raise UsageError(f"{directory}: holds no event log (no {FILE}, and no journal)")
        self._version = 0
        self._db: sqlite3.Connection | None = None
        if path.exists():
            with self._told():
                self._db = self._open(path)
                self._version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if self._version > schema.VERSION:
                self.close()
                raise NewerEventLog(
                    f"the event log in {directory} has version {self._version}, which this llmtee does not know (it "
                    f"knows {schema.VERSION}); upgrade llmtee"
                )

    def close(self) -> None:
        """Closes it. Closing twice is fine."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    @property
    def identity(self) -> str | None:
        """Of the database; one that was begun anew has another. ``None``: nobody has given it one yet."""
        if self._db is None or self._version < _IDENTITY_SINCE_VERSION:
            return None
        with self._told():
            return bytes(self._db.execute("SELECT id FROM identity").fetchone()[0]).hex()

    def counts(self) -> tuple[int, int]:
        """How many events there are, and how many of the first were deleted."""
        if self._db is None or not self._version:
            return 0, 0
        with self._told():
            count, first = self._db.execute(
                "SELECT count(*), coalesce(min(seq), 1) FROM events WHERE kind <> 'end'"
            ).fetchone()
        return int(count), int(first) - 1

    def entries(self, after: int, limit: int) -> list[Seen]:
        """At most so many entries after a number, in the order in which they were taken in."""
        if self._db is None or not self._version:
            return []
        with self._told():
            rows = self._db.execute(
                "SELECT seq, id, session, kind, format, payload, recorded_at, error FROM events "
                "WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, limit),
            ).fetchall()
        return [Seen(number, Entry(*values)) for number, *values in rows]

    def known(self, ids: Sequence[str], upto: int) -> set[str]:
        """Which of these ids the entries up to a number have."""
        found: set[str] = set()
        if self._db is None or not self._version:
            return found
        with self._told():
            for start in range(0, len(ids), _IDS):
                some = ids[start : start + _IDS]
                marks = ",".join("?" * len(some))
                rows = self._db.execute(
                    f"SELECT id FROM events WHERE seq <= ? AND id IN ({marks})",  # noqa: S608 - marks, no values
                    (upto, *some),
                )
                found |= {own_id for (own_id,) in rows}
        return found

    def journal(self, limit: int) -> list[Record]:
        """What no process has taken into the database yet, in the order in which it was recorded.

        Raises:
            EventLogError: a part of it cannot be read, or it is more than ``limit``.
        """
        positions: dict[str, int] = {}
        records: list[Record] = []
        reader = JournalReader(self.directory)
        with self._told():
            if self._db is not None and self._version:
                rows = self._db.execute(
                    "SELECT id, format, payload, recorded_at, live FROM journal ORDER BY number LIMIT ?",
                    (limit + 1,),
                )
                records = [
                    Record(own_id, form, payload, at, bool(live))
                    for own_id, form, payload, at, live in rows
                ]
            if self._db is not None and self._version >= _SEGMENTS_SINCE_VERSION:
                positions = dict(self._db.execute("SELECT name, position FROM segments"))
            records += [record for _, record in reader.read(positions, limit + 1)]
        if reader.unreadable:
            name, reason = next(iter(reader.unreadable.items()))
            raise EventLogError(f"{name} in {self.directory} cannot be read: {reason}")
        if len(records) > limit:
            raise EventLogError(
                f"more than {limit:,} records wait in the journal of {self.directory}: let `llmtee deliver` or the "
                "application itself take them in first"
            )
        return sorted(records, key=lambda record: record.recorded_at)

    def _open(self, path: Path) -> sqlite3.Connection:
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        try:
            db = self._connected(address)
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            # In a directory that cannot be written to, SQLite has no place for its shared memory. Without a log of
            # changes beside the file, nobody is writing.
            if path.with_name(f"{FILE}-wal").exists():
                raise
            db = self._connected(f"{address}&immutable=1")
        return db

    @staticmethod
    def _connected(address: str) -> sqlite3.Connection:
        return sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns SQLite's and the disk's errors into ours."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            with suppress(sqlite3.Error):
                self.close()
            raise EventLogError(f"event log in {self.directory}: {error}") from error
