"""Several processes on one directory: who delivers, and how the others wake it."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmtee.eventlog._directory import identity_of, is_file, make_directory

LOCK_FILE = "delivering.lock"
OPENING_FILE = "opening.lock"
BELL_FILE = "bell"
SLEEPS_FILE = "bell.sleeps"
NEW = b"."
"""There is a new record."""
HURRY = b"!"
"""Somebody flushes."""
_TRIES = 3
_LOOKING_SECONDS = 0.002
"""Longer than `leader` keeps others from becoming it."""


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


@dataclass(frozen=True, slots=True)
class Leader:
    """The process that delivers from a directory."""

    pid: int | None
    """Its number, or that of the last one; ``None`` when there was none. In a container it is the container's own."""
    alive: bool
    """Whether it still does."""


def leader(directory: Path) -> Leader:
    """Who delivers from a directory.

    Raises:
        OSError: the lock file cannot be read.
    """
    try:
        file = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Leader(None, alive=False)
    try:
        text = os.pread(file, 20, 0)
        pid = int(text) if text.isdigit() else None
        try:
            # Shared, so that several may look at once. Nobody delivers while we hold it, for a moment; a process that
            # is just about to take over tries again.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Leader(pid, alive=True)
        fcntl.flock(file, fcntl.LOCK_UN)
        return Leader(pid, alive=False)
    finally:
        os.close(file)


class Leadership:
    """The right to deliver from a directory, held by one process at a time. The kernel frees it when that one dies."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_FILE
        self._file: int | None = None

    def acquire(self) -> bool:
        """Tries to become the one that delivers; does not wait for it.

        Raises:
            OSError: the lock file cannot be used.
        """
        for _ in range(_TRIES):
            if self._file is not None or self._acquire():
                return True
            time.sleep(_LOOKING_SECONDS)
        return False

    def _acquire(self) -> bool:
        make_directory(self._path.parent)
        # flock, unlike lockf, also keeps apart two Tees of one process, and is not lost by closing another copy.
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)  # for `leader`, and for people
        self._file = file
        if not self.is_held():  # deleted between the two
            self.drop()
        return self._file is not None

    def is_held(self) -> bool:
        """Whether the lock still keeps others out: when its file was deleted, they lock a new one."""
        try:
            return self._file is not None and is_file(self._path, identity_of(self._file))
        except OSError:
            return False

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
    """A named pipe that wakes the delivering process. ``fileno()`` becomes readable when another process rings.

    A ring costs its caller three system calls, so it is only asked for when the deliverer falls asleep; as long as
    records come, it looks by itself.
    """

    def __init__(self, directory: Path) -> None:
        """Creates the pipe and begins to listen.

        Raises:
            OSError: the file system has no named pipes.
        """
        path = directory / BELL_FILE
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        self._sleeps = _mapped(directory / SLEEPS_FILE)
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

    def sleep(self, asleep: bool) -> None:
        """Says whether the next record shall ring. Who falls asleep looks once more afterwards."""
        self._sleeps[0] = asleep

    def close(self) -> None:
        """Stops listening."""
        if self._file >= 0:
            self._sleeps[0] = 0
            self.drop()

    def drop(self) -> None:
        """In a forked child: lets go of its copy, and the parent goes on listening."""
        self._sleeps.close()
        os.close(self._file)
        self._file = -1


class Ringer:
    """Rings when a record comes while the deliverer sleeps. Shared with forked children, who may go on using it."""

    def __init__(self, directory: Path) -> None:
        """Nothing happens where the file system cannot map files: the deliverer looks by itself, if more slowly."""
        self._directory = directory
        try:
            self._sleeps: mmap.mmap | None = _mapped(directory / SLEEPS_FILE)
        except OSError:
            self._sleeps = None

    def news(self) -> None:
        """There is a new record. Costs nothing unless the deliverer sleeps."""
        sleeps = self._sleeps
        if sleeps is not None and sleeps[0]:
            sleeps[0] = 0
            ring(self._directory, NEW)

    def close(self) -> None:
        """Rings no more. The page is given back when no thread is in `news` any more."""
        self._sleeps = None


def _mapped(path: Path) -> mmap.mmap:
    """A page that the processes share."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(file).st_size == 0:
            os.pwrite(
                file, b"\0", 0
            )  # a page that the disk has no room for would be a SIGBUS later
        return mmap.mmap(file, 1)
    finally:
        os.close(file)


def ring(directory: Path, message: bytes) -> None:
    """Wakes the process that delivers from ``directory``; nothing happens where there is none."""
    try:
        file = os.open(directory / BELL_FILE, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # nobody listens, or there is no pipe: whoever delivers next looks by itself
    with contextlib.suppress(OSError):  # the pipe is full of earlier rings
        os.write(file, message)
    os.close(file)
