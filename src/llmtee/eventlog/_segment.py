"""One file of the journal: a memory-mapped run of frames with one writer, read by others with plain reads.

Layout, in the machine's byte order: a header of 64 bytes, then frames, each on a multiple of 8 bytes::

    length  u32   of the body; written last, so that a frame counts only when all of it is there; 0: no frame yet
    check   u32   CRC-32 of length and body, started from the segment's own seed
    body

Damage is found by the checksums. How the reader goes on behind it: whatever is a whole frame by the seed was written
as one, and the mark in the header says how far frames must reach while the writer lives. The seed follows from the
file's name, so that a damaged header costs no record.

The pages belong to the kernel from the moment they are written: the death of the process does not touch them.
The writer holds an exclusive ``flock`` for as long as it may write; a segment that nobody locks is complete.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from llmtee.eventlog._directory import identity_of, is_file

SUFFIX: Final = ".journal"
NEW_SUFFIX: Final = ".journal-new"
"""Of a segment that is being made: it has no lock yet, and would look complete."""

HEADER_BYTES: Final = 64
MAGIC: Final = b"llmteeJL"
VERSION: Final = 1
HEADER: Final = struct.Struct("=8sIIQ16sQ")
"""Magic, version, seed of the checksums, process id, the writer's own id, number of the segment at its writer.

Its own CRC-32 follows, and the mark.
"""
MARK: Final = HEADER.size + 4
"""Where the mark stands, a u32: the end of the last frame, in units of 8 bytes."""
_MARK_WORD: Final = MARK // 4
FRAME: Final = struct.Struct("=II")
FRAME_BYTES: Final = FRAME.size
_ZEROS: Final = bytes(16)
_POPULATE_WRITE: Final = 23
"""``MADV_POPULATE_WRITE`` of Linux 5.14 and later, for which the standard library has no name."""
_AHEAD: Final = 256 * 1024
"""Bytes of the map that are made ready at a time: one call, which keeps the interpreter lock, instead of a page fault for
every few records, each of which costs its caller tens of microseconds."""
PAGE: Final = mmap.PAGESIZE
_CRC_CHUNK: Final = 5 * 1024
"""zlib lets go of the interpreter lock for more than this; getting it back can take 5 ms beside a busy thread."""


def frame_bytes(body: int) -> int:
    """What a frame with a body of that many bytes takes."""
    return (FRAME.size + body + 7) & ~7


def checksum(data: bytes, start: int) -> int:
    """CRC-32 of ``data``, computed without letting go of the interpreter lock."""
    if len(data) <= _CRC_CHUNK:
        return crc32(data, start)
    view = memoryview(data)
    for place in range(0, len(view), _CRC_CHUNK):
        start = crc32(view[place : place + _CRC_CHUNK], start)
    return start


def seed_of(path: Path) -> int:
    """What the checksums of a segment start from: no two segments have the same."""
    return crc32(path.stem.encode())


def allocate(file: int, size: int) -> None:
    """Gives the file its whole size on disk, so that a full disk is an error now and not a SIGBUS later.

    Raises:
        OSError: there is no room, or the file may not be that large.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    zeros = bytes(PAGE)  # macOS has no such call: written zeros are allocated too
    for place in range(0, size, PAGE):
        os.pwrite(file, zeros, place)


class SegmentWriter:
    """Writes one segment. `append` may be broken off anywhere, by a signal or a kill; it is not thread-safe."""

    def __init__(self, path: Path, size: int, *, writer: bytes, number: int) -> None:
        """Creates the file.

        Args:
            path: where it will be; it must not exist, nor have existed.
            size: of the file in bytes, rounded up to pages.
            writer: 16 bytes that no other writer has.
            number: of the segment at this writer.

        Raises:
            OSError: the disk is full or read-only, or the file system cannot map files.
        """
        self.path = path
        self.size = -(-size // PAGE) * PAGE
        self._synced = 0
        self._syncing = threading.RLock()
        self._seed = seed_of(path)
        being_made = path.with_suffix(NEW_SUFFIX)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(being_made, flags, 0o600)
        try:
            allocate(self._file, self.size)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._map = mmap.mmap(self._file, self.size)
            header = HEADER.pack(MAGIC, VERSION, self._seed, os.getpid(), writer, number)
            header += crc32(header).to_bytes(4, sys.byteorder)
            self._map[: len(header)] = header
            self._words = memoryview(self._map).cast("I")
            self._identity = identity_of(self._file)
            being_made.rename(path)
        except BaseException:
            os.close(self._file)
            with suppress(OSError):  # the first error is the one to tell
                being_made.unlink()
            raise
        self._tail = HEADER_BYTES
        self._ready = 0
        self._make_ready(HEADER_BYTES)

    def append(self, head: bytes, payload: bytes) -> bool:
        """Adds a frame whose body is ``head`` and ``payload``; false when there is no room for it.

        When this returns true the frame outlives the process. An exception that a signal handler raises in here may
        leave the frame out or in, and harms no other frame.
        """
        # Flat, and without a call that is not needed: between two calls of a model, everything it touches leaves the
        # processor's caches, and a function more is a microsecond more.
        words, start = self._words, self._tail
        if start < self.size and words[start >> 2]:
            start = self._heal()
        length = len(head) + len(payload)
        after = start + (FRAME_BYTES + length + 7 & ~7)
        if after > self._ready:
            if after > self.size:
                return False
            self._make_ready(after)
        check = crc32(head, self._seed ^ length)
        check = (crc32 if len(payload) <= _CRC_CHUNK else checksum)(payload, check)
        # With the frame, the next length is set to 0: one that was broken off here may have left something there.
        tail = after + 4 - (start + FRAME_BYTES + length) if after < self.size else 0
        written = b"".join((check.to_bytes(4, sys.byteorder), head, payload, _ZEROS[:tail]))
        self._map[start + 4 : start + 4 + len(written)] = written
        words[start >> 2] = length
        words[_MARK_WORD] = after >> 3
        self._tail = after
        return True

    def _make_ready(self, after: int) -> None:
        """Has the kernel prepare the pages up to ``after``, and some more."""
        start = self._ready
        self._ready = min(max(start + _AHEAD, -(-after // PAGE) * PAGE), self.size)
        try:
            self._map.madvise(_POPULATE_WRITE, start, self._ready - start)
        except (OSError, AttributeError):
            self._ready = (
                self.size
            )  # a system without this: a page is prepared when it is first written

    def _heal(self) -> int:
        """Where the next frame goes."""
        tail = self._tail
        while tail < self.size and (length := self._words[tail >> 2]):
            # Broken off after the length was written: that frame is valid. Or else somebody damaged the file.
            tail = self._tail = min(tail + frame_bytes(length), self.size)
        return tail

    def is_gone(self) -> bool:
        """Whether the file was deleted or moved away, so that nobody will read it.

        Raises:
            OSError: nobody can say.
        """
        return not is_file(self.path, self._identity)

    def bodies(self, position: int) -> list[bytes]:
        """The bodies of the whole frames after ``position``, an ``end`` of a frame or 0."""
        found = []
        place, end = max(position, HEADER_BYTES), self._heal()
        while place < end:
            length, check = FRAME.unpack_from(self._map, place)
            body = self._map[place + FRAME.size : place + FRAME.size + length]
            if checksum(body, crc32(b"", self._seed ^ length)) == check:
                found.append(body)
            place += frame_bytes(length)
        return found

    def sync(self) -> None:
        """Puts what was appended on the disk itself.

        Raises:
            OSError: the disk failed.
        """
        target = self._tail
        with self._syncing:
            # Whoever waited here may find that the one before has taken its frame along.
            if self._synced < target:
                target = self._tail
                # Not msync: Python keeps the interpreter lock for that, and every thread would wait.
                os.fdatasync(self._file)
                self._synced = target

    def seal(self) -> None:
        """Says that nothing will be added, and gives back the room that is left."""
        end = self._heal()
        with self._syncing:
            self._unmap()
            with suppress(OSError):  # only the room is not given back
                os.ftruncate(self._file, end)
            # Said aloud, because closing is not enough where a process was forked without Python's hooks.
            fcntl.flock(self._file, fcntl.LOCK_UN)
            os.close(self._file)
            self._synced = self.size

    def drop(self) -> None:
        """In a forked child: lets go of the parent's segment, which stays locked for the parent."""
        self._unmap()
        os.close(self._file)

    def _unmap(self) -> None:
        self._words.release()
        self._map.close()
