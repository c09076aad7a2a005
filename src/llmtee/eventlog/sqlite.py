"""The event log of a directory: the journal, and SQLite in WAL mode; or the same tables in bounded memory."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from llmtee.errors import EventLogError, UsageError
from llmtee.eventlog import (
    _intake,
    _letters,
    _moving,
    _queries,
    _replay,
    _retention,
    _states,
    _work,
)
from llmtee.eventlog._backlog import JournalReader
from llmtee.eventlog._database import FILE, Database
from llmtee.eventlog.journal import JournalWriter
from llmtee.eventlog.operation import Located, Mended, Period, Replayed, Selection
from llmtee.eventlog.protocol import (
    END,
    Counts,
    DeadLetter,
    Entry,
    Mark,
    Place,
    Record,
    Retention,
    Settlement,
    Standings,
    State,
    Story,
    Subscription,
    Work,
)
from llmtee.eventlog.sharing import NEW, Ringer, ring

logger = logging.getLogger("llmtee")

_FORGET = 1000
"""Events that one step of tidying deletes at most, more or less."""
_FORGET_LOOKS = 4
_GIVE_BACK_PAGES = 1000
_HINT = (
    "name the directory that the application uses (dir=, LLMTEE_DIR, or dir in the settings file)"
)

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


class _OnlyTried(Exception):
    """Ends a transaction of which nothing shall stay."""


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
        self._data_version = 0
        self._moved_to: str | None = None
        """Of a log in memory: the directory that has taken it over."""
        try:
            self._database = Database(directory, prepare=self._register_all, warn=warn)
        except (OSError, sqlite3.Error) as error:
            place = "memory" if directory is None else directory
            raise EventLogError(f"event log in {place}: {error}") from error
        self._writer: JournalWriter | None = None
        if directory is not None:
            self._writer = JournalWriter(
                directory,
                max_bytes=self.retention.journal_bytes,
                fsync=fsync,
                absorbed=self._absorbed,
                warn=warn,
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

    def look(self) -> None:
        """Notices that files were deleted, and makes them anew."""
        if self._writer is not None:
            self.behind("")  # any question opens the database again
            self._writer.look()

    def _absorbed(self, segment: str) -> int:
        """How far a segment was read that is gone."""
        if self.directory is not None:
            self._ringer = Ringer(self.directory)  # its file is gone too, most likely
        try:
            return self._position_in(segment)
        except EventLogError:
            return 0  # what was read comes again, and is known by its id

    @_guarded
    def _position_in(self, segment: str) -> int:
        return _queries.positions(self._db).get(segment, 0)

    @_guarded
    def _append_in_memory(self, record: Record) -> None:
        if self._moved_to is not None:
            raise EventLogError(f"event log in {self.place}: moved to {self._moved_to}")
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
        if self.directory is None:
            return
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
    def redate(self, exporter: str, now: float) -> None:
        """What was dated by a clock that was put back since waits anew."""
        _work.redate(self._db, exporter, now)

    @_guarded
    def entry(self, work: Work) -> Entry:
        """The event of a unit of work that is one."""
        return _queries.entry(self._db, work)

    @_guarded
    def story(self, session: str, upto: int, known: Mark | None = None) -> Story:
        """What is needed to have a session as far as ``upto``."""
        with self._database.snapshot() as db:
            return _states.story(db, session, upto, known)

    @_guarded
    def discard(self, state: State) -> None:
        """Deletes a state that cannot be read, and counts it."""
        with self._database.transaction() as db:
            _states.discard(db, state)

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
        """Stores what became of claimed work, and the states that came of it."""
        settlements = list(settlements)
        states = [one.work.state for one in settlements if one.work.state is not None]
        try:
            self._settle(exporter, settlements, [] if states and self._is_full() else states)
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            if not (full and states):
                raise
            # What little room there is belongs to what became of the work.
            self._settle(exporter, settlements, [])

    def _settle(self, exporter: str, settled: list[Settlement], states: list[State]) -> None:
        with self._database.transaction() as db:
            _work.settle(db, exporter, settled)
            _states.store(db, exporter, states)

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
    def standing(self, exporters: Iterable[str]) -> Standings:
        """Where each of these exporters stands, all of the same moment."""
        with self._whole() as (db, waiting):
            return _queries.standings(db, exporters, waiting)

    def counts(self, exporter: str) -> Counts:
        """How many events stand where."""
        return self.standing([exporter]).exporters[exporter].counts

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
        return self.letters(Selection(exporter=exporter))

    @_guarded
    def lost(self) -> dict[str, int]:
        """What the log has lost, by cause."""
        return _queries.counters(self._db)

    @_guarded
    def discarded(self) -> int:
        """How many states could not be read."""
        return _states.discarded(self._db)

    @_guarded
    def adopt(self, memory: SqliteLog) -> int:
        """Takes over all that a log in memory holds; returns how many events that is.

        Nobody may work on that log meanwhile, and what was claimed there must be recovered. Records that come to it
        from then on are refused. When this fails nothing has changed, and that log goes on.

        Raises:
            EventLogError: it does not fit on the disk, say.
        """
        with memory._database.lock:
            with self._database.transaction() as db:
                moved = _moving.move(memory._db, db, self._subscriptions.values())
            memory._moved_to = self.place
        return moved

    # -- for those who operate it -----------------------------------------------------------------

    @_guarded
    def letters(self, selection: Selection, *, whole: bool = True) -> list[DeadLetter]:
        """The selected letters, oldest first."""
        return _letters.find(self._db, selection, whole=whole)

    @_guarded
    def letter_entries(self, letter: DeadLetter) -> list[Entry]:
        """The events that a letter is about."""
        return _letters.entries(self._db, letter)

    @_guarded
    def retry(self, selection: Selection) -> Mended:
        """Makes the selected items pending again."""
        with self._database.transaction() as db:
            mended = _letters.retry(db, selection)
        self._wake()
        return mended

    @_guarded
    def drop(self, selection: Selection) -> Mended:
        """Gives the selected items up."""
        with self._database.transaction() as db:
            return _letters.drop(db, selection)

    @_guarded
    def replay(
        self, subscription: Subscription, period: Period, *, dry_run: bool = False
    ) -> Replayed:
        """Makes events of a time pending again."""
        with suppress(_OnlyTried), self._database.transaction() as db:
            replayed = _replay.replay(db, subscription, period)
            if dry_run:
                raise _OnlyTried
        if not dry_run:
            self._wake()
        return replayed

    @_guarded
    def locate(self, event_id: str) -> Located | None:
        """Where one event stands."""
        with self._whole() as (db, waiting):
            return _queries.locate(db, event_id, waiting)

    @_guarded
    def exporters(self) -> list[str]:
        """The names of all that were ever registered."""
        return _queries.exporters(self._db)

    @_guarded
    def note_health(self, notes: Mapping[str, Mapping[str, Any]], now: float) -> None:
        """Stores what the delivering process tells of exporters."""
        with self._database.transaction() as db:
            _intake.note_health(db, notes, now)

    @_guarded
    def health(self) -> dict[str, tuple[float, dict[str, Any]]]:
        """What was told last."""
        return _queries.health(self._db)

    @_guarded
    def delivered(self) -> dict[str, int]:
        """How many events each exporter has delivered."""
        return _queries.delivered(self._db)

    @_guarded
    def touched(self) -> bool:
        """Whether another connection has changed the database since the last call."""
        before, self._data_version = self._data_version, _queries.data_version(self._db)
        return before != self._data_version

    def _wake(self) -> None:
        if self.directory is not None:
            ring(self.directory, NEW)

    # -- its life ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Closes the log, whatever fails meanwhile."""
        try:
            if self._writer is not None:
                self._ringer.close()
                self._writer.close()
        except OSError as error:
            raise EventLogError(f"event log in {self.place}: {error}") from error
        finally:
            self._database.close()

    def leave(self) -> None:
        """Closes the database, and completes the journal; whoever still runs while the process exits may `append`."""
        if self._writer is not None:
            self._writer.look()
            self._writer.seal()
        self._database.close()

    def before_fork(self, seconds: float) -> bool:
        """Lets no thread begin a step, when none runs within so many seconds; returns whether that is so."""
        # SQLite has locks of its own, which a child that is forked while a thread holds one would wait for, for ever.
        return self._database.lock.acquire(timeout=seconds)

    def after_fork_in_parent(self) -> None:
        """Goes on, when `before_fork` returned true. To be called by the same thread."""
        self._database.lock.release()

    def after_fork(self) -> None:
        """Lets go of what is the parent's, in a forked child."""
        self._database.after_fork()
        self._size = self._appended = 0
        self._moved_to = None
        if self._writer is not None:
            self._writer.after_fork()

    @property
    def _db(self) -> sqlite3.Connection:
        return self._database.connection

    @contextmanager
    def _whole(self) -> Iterator[tuple[sqlite3.Connection, _queries.Waiting]]:
        """A state of the database, with what waited in the journal at that moment."""
        if self._writer is not None:
            # The files first: what is absorbed, and its file deleted, after this look is told by the positions.
            self._reader.index(_queries.positions(self._db))
        with self._database.snapshot() as db:
            waiting = _queries.Waiting()
            if self._writer is not None:
                positions = _queries.positions(db)
                waiting = _queries.Waiting(
                    list(self._reader.waiting(positions)), self._reader.since(positions)
                )
            yield db, waiting

    def _tell_unreadable(self) -> None:
        for name, reason in self._reader.unreadable.items():
            if name not in self._unreadable:
                self._unreadable.add(name)
                self._warn(f"{name} in {self.place} cannot be read and is left alone: {reason}")


def existing_log(directory: Path) -> SqliteLog:
    """The log in a directory, for those who look at it and mend it. Creates no directory.

    Raises:
        UsageError: there is none.
        EventLogError: it cannot be used.
    """
    try:
        if not directory.is_dir():
            raise UsageError(f"{directory}: no such directory, so there is no event log; {_HINT}")
        if not (directory / FILE).exists():
            raise UsageError(f"{directory}: holds no event log (no {FILE}); {_HINT}")
    except OSError as error:
        raise EventLogError(f"event log in {directory}: {error}") from error
    return SqliteLog(directory)
