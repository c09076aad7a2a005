"""The event log of a directory: the journal, and SQLite in WAL mode; or the same tables in bounded memory."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from llmtee.errors import EventLogError
from llmtee.eventlog import _intake, _queries, _retention, _work
from llmtee.eventlog._backlog import JournalReader
from llmtee.eventlog._database import Database
from llmtee.eventlog.journal import JournalWriter
from llmtee.eventlog.protocol import (
    END,
    Counts,
    DeadLetter,
    Entry,
    Place,
    Record,
    Retention,
    Settlement,
    Subscription,
    Work,
)
from llmtee.eventlog.sharing import Ringer

logger = logging.getLogger("llmtee")

_FORGET = 1000
"""Events that one step of tidying deletes at most, more or less."""
_FORGET_LOOKS = 4
_GIVE_BACK_PAGES = 1000

P = ParamSpec("P")
R = TypeVar("R")


def _guarded(
    method: Callable[Concatenate[SqliteLog, P], R],
) -> Callable[Concatenate[SqliteLog, P], R]:
    """Serialises the calls of all threads, and turns SQLite's and the disk's errors into ours."""

    @wraps(method)
    def guarded(self: SqliteLog, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._database.lock:
            try:
                return method(self, *args, **kwargs)
            except sqlite3.Error as error:
                self._database.failed(error)
                raise EventLogError(f"event log in {self.place}: {error}") from error
            except OSError as error:
                raise EventLogError(f"event log in {self.place}: {error}") from error

    return guarded


class SqliteLog:
    """An ``EventLog`` in a directory, or in memory."""

    def __init__(
        self,
        directory: Path | None,
        *,
        bound: int | None = None,
        retention: Retention | None = None,
        fsync: bool = False,
        warn: Callable[[str], None] = logger.warning,
    ) -> None:
        """Opens the log, and creates what is missing.

        Args:
            directory: where it is kept; ``None`` for memory.
            bound: of a log in memory: how many events are kept at most. Beyond it, sessions with which all exporters
                are finished are forgotten, and when there is none `append` raises.
            retention: of a log on disk.
            fsync: whether `append` returns only when the record is on the disk itself.
            warn: is told of what people should know.

        Raises:
            EventLogError: the directory cannot be used.
        """
        self.directory = directory
        self.bound = bound
        self.retention = retention or Retention()
        self._size = 0
        self._appended = 0
        self._subscriptions: dict[str, Subscription] = {}
        self._warn = warn
        self._unreadable: set[str] = set()
        self._forgot_after = 0
        try:
            self._database = Database(directory, prepare=self._register_all, warn=warn)
        except (OSError, sqlite3.Error) as error:
            place = "memory" if directory is None else directory
            raise EventLogError(f"event log in {place}: {error}") from error
        self._writer: JournalWriter | None = None
        if directory is not None:
            self._writer = JournalWriter(
                directory, max_bytes=self.retention.journal_bytes, fsync=fsync
            )
            self._reader = JournalReader(directory)
            self._ringer = Ringer(directory)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return self._database.place

    # -- what is logged ---------------------------------------------------------------------------

    def append(self, record: Record) -> None:
        """Adds a record to the journal, and wakes whoever delivers."""
        if self._writer is None:
            self._append_in_memory(record)
            return
        self._writer.append(record)
        self._ringer.news()

    @property
    def appended(self) -> int:
        """Records that this process has appended, ends of sessions left out."""
        return self._appended if self._writer is None else self._writer.appended

    def try_again(self) -> None:
        """The next `append` tries to write even though the last one failed just now."""
        if self._writer is not None:
            self._writer.try_again()

    @_guarded
    def _append_in_memory(self, record: Record) -> None:
        if self.bound is not None and self._size >= self.bound:
            with self._database.transaction() as db:
                names = self._subscriptions.keys()
                gone = _retention.forget(db, max(1, self.bound // 10), exporters=names)
                self._size -= gone.events
            if self._size >= self.bound:
                raise EventLogError(f"event log in {self.place}: full, {self.bound} events wait")
        self._db.execute(
            "INSERT INTO journal (id, format, payload, recorded_at, live) VALUES (?, ?, ?, ?, ?)",
            (record.id, record.format, record.payload, record.recorded_at, record.live),
        )
        self._size += 1
        self._appended += record.format != END

    @_guarded
    def journal(self, limit: int) -> list[tuple[int | Place, Record]]:
        """The oldest records that are not decoded yet."""
        # In memory, and from a time before there were segments.
        rows = self._db.execute(
            "SELECT number, id, format, payload, recorded_at, live FROM journal "
            "ORDER BY number LIMIT ?",
            (limit,),
        )
        found: list[tuple[int | Place, Record]] = [
            (number, Record(record_id, format_name, payload, recorded_at, bool(live)))
            for number, record_id, format_name, payload, recorded_at, live in rows
        ]
        if self._writer is not None and len(found) < limit:
            found += self._reader.read(_queries.positions(self._db), limit - len(found))
            self._tell_unreadable()
        return found

    @_guarded
    def absorb(self, places: Iterable[int | Place], entries: Sequence[Entry]) -> int:
        """Replaces records by what they decode to."""
        if self._is_full():
            raise EventLogError(
                f"event log in {self.place}: full, {self.retention.database_bytes:,} bytes are pending"
            )
        with self._database.transaction() as db:
            gone = _intake.pass_over(db, places)
            added = _intake.add_events(db, entries)
        self._size += added - gone
        return len(entries) - added

    @_guarded
    def tidy(self, now: float) -> None:
        """Deletes what is not needed any more, a little at a time."""
        if self._writer is None:
            return
        finished = self._reader.finished(_queries.positions(self._db))
        if finished:
            with self._database.transaction() as db:
                _intake.finish_segments(db, finished)
            if torn := sum(segment.torn for segment in finished):
                self._warn(f"{torn} damaged records at the end of the journal were skipped")
            self._reader.remove(finished)
        with self._database.transaction() as db:
            _intake.forget_segments(db, self._reader.names())
            gone = _retention.forget(
                db,
                _FORGET,
                exporters=self._subscriptions.keys(),
                after=self._forgot_after,
                before=None if self._is_full() else now - self.retention.keep_seconds,
                looks=_FORGET_LOOKS,
            )
        self._forgot_after = gone.after
        _retention.give_back(self._db, _GIVE_BACK_PAGES)

    @_guarded
    def vacuum(self) -> None:
        """Makes the file as small as it can be. Takes a while, and as much room again, when it is large."""
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # files of version 1 learn it here
        self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _is_full(self) -> bool:
        if self.directory is None:
            return False
        return _retention.used_bytes(self._db) >= self.retention.database_bytes

    # -- what exporters do with it ----------------------------------------------------------------

    @_guarded
    def register(self, subscription: Subscription) -> None:
        """Makes an exporter known."""
        self._subscriptions[subscription.exporter] = subscription
        self._register_all(self._db)

    def _register_all(self, db: sqlite3.Connection) -> None:
        for subscription in self._subscriptions.values():
            _intake.register(db, subscription)

    @_guarded
    def recover(self, exporter: str, *, repeat: bool) -> int:
        """Takes back what a crash left claimed."""
        with self._database.transaction() as db:
            return _work.recover(db, exporter, repeat=repeat)

    @_guarded
    def take(self, subscription: Subscription, limit: int) -> int:
        """Moves the exporter's position over at most ``limit`` entries."""
        if not _work.behind(self._db, subscription.exporter):
            return 0
        with self._database.transaction() as db:
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
        with self._database.transaction() as db:
            return _work.claim(db, subscription, now, limit)

    @_guarded
    def entries(self, work: Work, *, before: bool = False) -> list[Entry]:
        """The events that ``work`` covers, or those before it."""
        return _queries.entries(self._db, work, before=before)

    @_guarded
    def event(self, event_id: str) -> Entry | None:
        """The event of that id."""
        return _queries.event(self._db, event_id)

    @_guarded
    def newest(self, session: str, before: int) -> str | None:
        """The newest event of a session before a place."""
        return _queries.newest(self._db, session, before)

    @_guarded
    def sending(self, exporter: str, works: Iterable[Work]) -> None:
        """Notes that a request with these leaves now."""
        with self._database.transaction() as db:
            _work.mark(db, exporter, works, "inflight")

    @_guarded
    def release(self, exporter: str, works: Iterable[Work]) -> None:
        """Gives claimed work back untouched."""
        with self._database.transaction() as db:
            _work.mark(db, exporter, works, "pending")

    @_guarded
    def settle(self, exporter: str, settlements: Iterable[Settlement]) -> None:
        """Stores what became of claimed work."""
        with self._database.transaction() as db:
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
        with self._whole() as (db, waiting):
            return _queries.counts(db, exporter, waiting)

    @_guarded
    def position(self, exporter: str) -> int:
        """The newest entry that the exporter has taken."""
        return _queries.position(self._db, exporter)

    @_guarded
    def recorded(self, exporter: str) -> int:
        """How many events were recorded since the exporter was registered."""
        with self._whole() as (db, waiting):
            return _queries.recorded(db, exporter, waiting)

    @_guarded
    def outcome(self, exporter: str, event_id: str) -> str | None:
        """Where one event stands."""
        with self._whole() as (db, waiting):
            return _queries.outcome(db, exporter, event_id, waiting)

    @_guarded
    def vendor_id(self, exporter: str, event_id: str) -> str | None:
        """The vendor's own id of what holds an event."""
        return _queries.vendor_id(self._db, exporter, event_id)

    @_guarded
    def dead_letters(self, exporter: str | None = None) -> list[DeadLetter]:
        """The dead letters of one exporter, or of all."""
        return _queries.dead_letters(self._db, exporter)

    @_guarded
    def lost(self) -> dict[str, int]:
        """What the log has lost, by cause."""
        return _queries.counters(self._db)

    # -- its life ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Closes the log."""
        if self._writer is not None:
            self._writer.close()
        self._database.close()

    def after_fork(self) -> None:
        """Lets go of what is the parent's, in a forked child."""
        self._database.after_fork()
        self._size = self._appended = 0
        if self._writer is not None:
            self._writer.after_fork()

    @property
    def _db(self) -> sqlite3.Connection:
        return self._database.connection

    @contextmanager
    def _whole(self) -> Iterator[tuple[sqlite3.Connection, list[str]]]:
        """A state of the database, with the ids that waited in the journal at that moment."""
        if self._writer is not None:
            # The files first: what is absorbed, and its file deleted, after this look is told by the positions.
            self._reader.index(_queries.positions(self._db))
        with self._database.snapshot() as db:
            waiting = (
                [] if self._writer is None else list(self._reader.waiting(_queries.positions(db)))
            )
            yield db, waiting

    def _tell_unreadable(self) -> None:
        for name, reason in self._reader.unreadable.items():
            if name not in self._unreadable:
                self._unreadable.add(name)
                self._warn(f"{name} in {self.place} cannot be read and is left alone: {reason}")


def open_log(
    directory: Path,
    *,
    bound: int,
    warn: Callable[[str], None],
    retention: Retention | None = None,
    fsync: bool = False,
) -> SqliteLog:
    """The log in ``directory``, or one in memory of at most ``bound`` events where that cannot be written.

    Args:
        directory: as ``config.event_log_dir`` gives it.
        bound: of the one in memory.
        warn: is told, once, that nothing will survive the process, and why.
        retention: of the one on disk.
        fsync: whether `append` returns only when the record is on the disk itself.
    """
    try:
        return SqliteLog(directory, retention=retention, fsync=fsync, warn=warn)
    except EventLogError as error:
        warn(
            f"{error}. Events are kept in memory only (at most {bound}) and are lost when this process ends; "
            "make the directory writable, or name another with Tee(dir=…) or LLMTEE_DIR"
        )
        return SqliteLog(None, bound=bound, warn=warn)
