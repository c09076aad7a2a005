"""Several processes on one directory: who delivers, and how the others wake it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

LOCK_FILE = "delivering.lock"
OPENING_FILE = "opening.lock"
BELL_FILE = "bell"
NEW = b"."
"""There is a new record."""
HURRY = b"!"
"""Somebody flushes."""


@contextlib.contextmanager
def opening(directory: Path) -> Iterator[None]:
    """Lets one process at a time create or open the database; the others wait.

    SQLite's own waiting does not cover the change to WAL mode.
    """
    file = os.open(directory / OPENING_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        # Said aloud, because closing is not enough when a child was forked meanwhile and has a copy.
        fcntl.flock(file, fcntl.LOCK_UN)
        os.close(file)


class Leadership:
    """The right to deliver from a directory, held by one process at a time. The kernel frees it when that one dies."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_FILE
        self._file: int | None = None

    def acquire(self) -> bool:
        """Tries to become the one that delivers; does not wait.

        Raises:
            OSError: the lock file cannot be used.
        """
        if self._file is not None:
            return True
        # flock, unlike lockf, also keeps apart two Tees of one process, and is not lost by closing another copy.
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Lets another process deliver."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self.drop()

    def drop(self) -> None:
        """In a forked child: closes its copy, and the parent keeps the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Bell:
    """A named pipe that wakes the delivering process. ``fileno()`` becomes readable when another process rings."""

    def __init__(self, directory: Path) -> None:
        """Creates the pipe and begins to listen.

        Raises:
            OSError: the file system has no named pipes.
        """
        path = directory / BELL_FILE
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Open for writing too, so that there is no end of file when the last ringer leaves.
        self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """For an event loop's ``add_reader``."""
        return self._file

    def read(self) -> bytes:
        """What was rung since the last look, as `NEW` and `HURRY`."""
        try:
            return os.read(self._file, 65536)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Stops listening."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def ring(directory: Path, message: bytes) -> None:
    """Wakes the process that delivers from ``directory``; nothing happens where there is none."""
    try:
        file = os.open(directory / BELL_FILE, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # nobody listens, or there is no pipe: whoever delivers next looks by itself
    with contextlib.suppress(OSError):  # the pipe is full of earlier rings
        os.write(file, message)
    os.close(file)
