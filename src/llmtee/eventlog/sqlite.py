"""The event log in SQLite: one file in WAL mode, or the same tables in bounded memory."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from llmtee.errors import EventLogError
from llmtee.eventlog import _bound, _queries, _work, schema
from llmtee.eventlog.protocol import (
    Counts,
    DeadLetter,
    Entry,
    Record,
    Settlement,
    Subscription,
    Work,
)
from llmtee.eventlog.sharing import opening

P = ParamSpec("P")
R = TypeVar("R")

FILE = "events.db"
BUSY_SECONDS = 10.0
"""How long to wait for another process's transaction; ours last milliseconds."""


def _guarded(
    method: Callable[Concatenate[SqliteLog, P], R],
) -> Callable[Concatenate[SqliteLog, P], R]:
    """Serialises the calls of all threads, and turns SQLite's errors into ours."""

    @wraps(method)
    def guarded(self: SqliteLog, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            try:
                return method(self, *args, **kwargs)
            except sqlite3.Error as error:
                raise EventLogError(f"event log in {self.place}: {error}") from error

    return guarded


class SqliteLog:
    """An ``EventLog`` in SQLite.

    One connection serves all threads of a process, behind a lock: every step is a short transaction.
    """

    def __init__(self, directory: Path | None, *, bound: int | None = None) -> None:
        """Opens the log, and creates what is missing.

        Args:
            directory: where ``events.db`` is kept; ``None`` for memory.
            bound: how many events are kept at most. Beyond it, sessions with which all exporters are finished are
                forgotten, and when there is none `append` raises.

        Raises:
            EventLogError: the directory cannot be used.
        """
        self.directory = directory
        self.bound = bound
        self._size = 0
        self._closed = False
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._of_parents: list[sqlite3.Connection] = []
        try:
            if directory is not None:
                _make_directory(directory)
            with self._lock:
                self._connection = self._open()
        except (OSError, sqlite3.Error) as error:
            raise EventLogError(f"event log in {self.place}: {error}") from error

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return "memory" if self.directory is None else str(self.directory)

    # -- what is logged ---------------------------------------------------------------------------

    @_guarded
    def append(self, record: Record) -> None:
        """Adds a record to the journal."""
        if self.bound is not None and self._size >= self.bound:
            with self._transaction() as db:
                self._size -= _bound.forget(db, max(1, self.bound // 10))
            if self._size >= self.bound:
                raise EventLogError(f"event log in {self.place}: full, {self.bound} events wait")
        self._db.execute(
            "INSERT INTO journal (id, format, payload, recorded_at, live) VALUES (?, ?, ?, ?, ?)",
            (record.id, record.format, record.payload, record.recorded_at, record.live),
        )
        self._size += 1

    @_guarded
    def journal(self, limit: int) -> list[tuple[int, Record]]:
        """The oldest records that are not decoded yet."""
        rows = self._db.execute(
            "SELECT number, id, format, payload, recorded_at, live FROM journal "
            "ORDER BY number LIMIT ?",
            (limit,),
        )
        return [
            (number, Record(record_id, format_name, payload, recorded_at, bool(live)))
            for number, record_id, format_name, payload, recorded_at, live in rows
        ]

    @_guarded
    def absorb(self, numbers: Iterable[int], entries: Sequence[Entry]) -> int:
        """Replaces records by what they decode to."""
        with self._transaction() as db:
            gone = db.executemany(
                "DELETE FROM journal WHERE number = ?", ((number,) for number in numbers)
            ).rowcount
            added = db.executemany(
                "INSERT INTO events (id, session, kind, format, payload, recorded_at, error) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                (
                    (e.id, e.session, e.kind, e.format, e.payload, e.recorded_at, e.error)
                    for e in entries
                ),
            ).rowcount
        added = max(added, 0)
        self._size += added - max(gone, 0)
        return len(entries) - added

    # -- what exporters do with it ----------------------------------------------------------------

    @_guarded
    def register(self, subscription: Subscription) -> None:
        """Makes an exporter known."""
        self._db.execute(
            "INSERT OR IGNORE INTO exporters (name, start, position) "
            "SELECT ?1, seq, seq FROM (SELECT coalesce(max(seq), 0) AS seq FROM events)",
            (subscription.exporter,),
        )

    @_guarded
    def recover(self, exporter: str, *, repeat: bool) -> int:
        """Takes back what a crash left claimed."""
        with self._transaction() as db:
            return _work.recover(db, exporter, repeat=repeat)

    @_guarded
    def take(self, subscription: Subscription, limit: int) -> int:
        """Moves the exporter's position over at most ``limit`` entries."""
        if not _work.behind(self._db, subscription.exporter):
            return 0
        with self._transaction() as db:
            return _work.take(db, subscription, limit)

    @_guarded
    def behind(self, exporter: str) -> bool:
        """Whether there are entries that the exporter has not taken."""
        return _work.behind(self._db, exporter)

    @_guarded
    def hasten(self, subscription: Subscription) -> None:
        """Makes changed conversations due at once."""
        _work.hasten(self._db, subscription.exporter)

    @_guarded
    def claim(self, subscription: Subscription, now: float, limit: int) -> list[Work]:
        """At most ``limit`` units that are due."""
        with self._transaction() as db:
            return _work.claim(db, subscription, now, limit)

    @_guarded
    def entries(self, work: Work, *, before: bool = False) -> list[Entry]:
        """The events that ``work`` covers, or those before it."""
        return _queries.entries(self._db, work, before=before)

    @_guarded
    def sending(self, exporter: str, works: Iterable[Work]) -> None:
        """Notes that a request with these leaves now."""
        with self._transaction() as db:
            _work.mark(db, exporter, works, "inflight")

    @_guarded
    def release(self, exporter: str, works: Iterable[Work]) -> None:
        """Gives claimed work back untouched."""
        with self._transaction() as db:
            _work.mark(db, exporter, works, "pending")

    @_guarded
    def settle(self, exporter: str, settlements: Iterable[Settlement]) -> None:
        """Stores what became of claimed work."""
        with self._transaction() as db:
            for settlement in settlements:
                _work.settle(db, exporter, settlement)

    # -- what people and the engine ask -----------------------------------------------------------

    @_guarded
    def next_due(self, exporter: str, after: float) -> float | None:
        """When the next unit is due that was not due at ``after``."""
        return _queries.next_due(self._db, exporter, after)

    @_guarded
    def unfinished(self, exporter: str) -> bool:
        """Whether there is work that is neither settled nor open."""
        return _queries.unfinished(self._db, exporter)

    @_guarded
    def counts(self, exporter: str) -> Counts:
        """How many events stand where."""
        with self._snapshot() as db:
            return _queries.counts(db, exporter)

    @_guarded
    def position(self, exporter: str) -> int:
        """The newest entry that the exporter has taken."""
        return _queries.position(self._db, exporter)

    @_guarded
    def recorded(self, exporter: str) -> int:
        """How many events were recorded since the exporter was registered."""
        with self._snapshot() as db:
            return _queries.recorded(db, exporter)

    @_guarded
    def outcome(self, exporter: str, event_id: str) -> str | None:
        """Where one event stands."""
        with self._snapshot() as db:
            return _queries.outcome(db, exporter, event_id)

    @_guarded
    def dead_letters(self, exporter: str | None = None) -> list[DeadLetter]:
        """The dead letters of one exporter, or of all."""
        return _queries.dead_letters(self._db, exporter)

    # -- its life ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Closes the log."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def after_fork(self) -> None:
        """Lets go of the parent's connection, in a forked child."""
        # The parent's other threads do not exist here, so its lock might never be released.
        self._lock = threading.RLock()
        if self._connection is not None:
            # Closing it here would release the parent's file locks; keeping a reference prevents that.
            self._of_parents.append(self._connection)
            self._connection = None
        self._size = 0

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._closed:
                raise EventLogError(f"event log in {self.place}: closed")
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        if self.directory is None:
            return _connected(":memory:")
        path = str(self.directory / FILE)
        with opening(self.directory):
            # Created first, so that it is never readable by others; SQLite gives -wal and -shm the same mode.
            # One that exists is left alone: closing any copy of it frees the locks that this process holds on it.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return _connected(path)

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._between("BEGIN IMMEDIATE")

    def _snapshot(self) -> AbstractContextManager[sqlite3.Connection]:
        """Several reads of one state: between two of them, another process may move an event on."""
        return self._between("BEGIN DEFERRED")

    @contextmanager
    def _between(self, begin: str) -> Iterator[sqlite3.Connection]:
        db = self._db
        db.execute(begin)
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def _connected(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        schema.prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_directory(directory: Path) -> None:
    """Creates the directory, for the owner only and ignored by git.

    One that held files before is left as it is: it may be a project's own.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        return
    directory.chmod(0o700)
    (directory / ".gitignore").write_text("*\n", encoding="utf-8")


def open_log(directory: Path, *, bound: int, warn: Callable[[str], None]) -> SqliteLog:
    """The log in ``directory``, or one in memory of at most ``bound`` events where that cannot be written.

    Args:
        directory: as ``config.event_log_dir`` gives it.
        bound: of the one in memory.
        warn: is told, once, that nothing will survive the process, and why.
    """
    try:
        return SqliteLog(directory)
    except EventLogError as error:
        warn(
            f"{error}. Events are kept in memory only (at most {bound}) and are lost when this process ends; "
            "make the directory writable, or name another with Tee(dir=…) or LLMTEE_DIR"
        )
        return SqliteLog(None, bound=bound)
