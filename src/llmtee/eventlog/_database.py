"""The connection to ``events.db``: opened late, shared by all threads, set aside when it is damaged."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from llmtee.errors import EventLogError
from llmtee.eventlog import schema
from llmtee.eventlog._directory import make_directory
from llmtee.eventlog.sharing import opening

FILE = "events.db"
BUSY_SECONDS = 10.0
"""How long to wait for another process's transaction; ours last milliseconds."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Database:
    """One connection for all threads of a process, behind a lock: every step is a short transaction."""

    def __init__(
        self,
        directory: Path | None,
        *,
        prepare: Callable[[sqlite3.Connection], None],
        warn: Callable[[str], None],
    ) -> None:
        """Connects, and creates what is missing.

        Args:
            directory: of ``events.db``; ``None`` for memory.
            prepare: is called with each new connection.
            warn: is told when a damaged file was set aside.

        Raises:
            OSError: the directory cannot be used.
            sqlite3.Error: the file cannot be opened.
            NewerEventLog: a newer llmtee wrote it.
        """
        self._directory = directory
        self._prepare = prepare
        self._warn = warn
        self._closed = False
        self._inode = 0
        self._connection: sqlite3.Connection | None = None
        self._of_parents: list[sqlite3.Connection] = []
        self.lock = threading.RLock()
        with self.lock:
            self._connection = self._open()

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return "memory" if self._directory is None else str(self._directory)

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, opened again where that is needed. For the holder of `lock`."""
        if self._closed:
            raise EventLogError(f"event log in {self.place}: closed")
        old = self._connection
        if old is not None and (old.in_transaction or not self._is_replaced()):
            return old
        new = self._connection = self._open(old)
        if old is not None:
            old.close()
        return new

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """One step: all of it is stored, or nothing."""
        return self._between("BEGIN IMMEDIATE")

    def snapshot(self) -> AbstractContextManager[sqlite3.Connection]:
        """Several reads of one state: between two of them, another process may move an event on."""
        return self._between("BEGIN DEFERRED")

    def close(self) -> None:
        """Closes the connection. Closing twice is fine."""
        with self.lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def after_fork(self) -> None:
        """Lets go of the parent's connection, in a forked child."""
        # The parent's other threads do not exist here, so its lock might never be released.
        self.lock = threading.RLock()
        if self._connection is not None:
            # Closing it here would release the parent's file locks; keeping a reference prevents that.
            self._of_parents.append(self._connection)
            self._connection = None

    def failed(self, error: sqlite3.Error) -> None:
        """Looks at an error that a step ended with: a damaged file is set aside, and the next step finds a new one."""
        if self._directory is None or getattr(error, "sqlite_errorcode", None) not in _DAMAGED:
            return
        if self._connection is not None:
            with suppress(sqlite3.Error):  # closing a damaged database may fail once more
                self._connection.close()
            self._connection = None
        with opening(self._directory):
            self._set_aside(self._directory, error)

    @contextmanager
    def _between(self, begin: str) -> Iterator[sqlite3.Connection]:
        db = self.connection
        db.execute(begin)
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # some errors have ended it already
                db.execute("ROLLBACK")
            raise

    def _open(self, old: sqlite3.Connection | None = None) -> sqlite3.Connection:
        """Connects to the file; one that was deleted is made anew from what ``old`` still has."""
        if self._directory is None:
            return self._connected(":memory:")
        path = self._directory / FILE
        make_directory(self._directory)
        with opening(self._directory):
            if old is not None and not path.exists() and not self._is_set_aside(self._directory):
                self._restore(self._directory, old)
            _create(path)
            try:
                connection = self._connected(str(path))
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode not in _DAMAGED:
                    raise
                self._inode = path.stat().st_ino
                self._set_aside(self._directory, error)
                _create(path)
                connection = self._connected(str(path))
            self._inode = path.stat().st_ino
        return connection

    def _connected(self, path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            schema.prepare(connection)
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_replaced(self) -> bool:
        """Whether the file is another one by now: set aside by a process that found it damaged, or deleted."""
        if self._directory is None:
            return False
        try:
            return (self._directory / FILE).stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def _is_set_aside(self, directory: Path) -> bool:
        """Whether the file has another name by now, because a process found it damaged."""
        return any(
            path.stat().st_ino == self._inode for path in directory.glob(f"{FILE}.corrupt-*")
        )

    def _restore(self, directory: Path, old: sqlite3.Connection) -> None:
        # An open file stays whole when it is deleted.
        being_made = directory / f"{FILE}.restoring"
        being_made.unlink(missing_ok=True)
        _create(being_made)
        copy = sqlite3.connect(being_made, isolation_level=None)
        try:
            old.backup(copy)
            copy.execute(
                "PRAGMA journal_mode = DELETE"
            )  # leaves nothing beside it; WAL comes when it is opened
        finally:
            copy.close()
        being_made.rename(directory / FILE)
        self._warn(
            f"the event log in {directory} was deleted while it was in use; it is made anew with what this process "
            "still had of it"
        )

    def _set_aside(self, directory: Path, error: sqlite3.Error) -> None:
        path = directory / FILE
        if path.exists() and path.stat().st_ino != self._inode:
            return  # another process was faster
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        kept = next(
            name
            for number in range(1, 1000)
            if not (name := directory / f"{FILE}.corrupt-{stamp}-{number}").exists()
        )
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                (directory / (FILE + suffix)).rename(f"{kept}{suffix}")
        self._warn(
            f"the event log in {directory} is damaged ({error}); it is kept as {kept.name}, and a new one is begun "
            "with what the journal still holds. What else was pending is only in the kept file"
        )


def _create(path: Path) -> None:
    # Created first, so that it is never readable by others; SQLite gives -wal and -shm the same mode.
    # One that exists is left alone: closing any copy of it frees the locks that this process holds on it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
