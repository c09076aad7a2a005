"""One file of the journal: a memory-mapped run of frames with one writer, read by others with plain reads.

Layout, in the machine's byte order: a header of 64 bytes, then frames, each on a multiple of 8 bytes::

    length  u32   of the body; written last, so that a frame counts only when all of it is there; 0: no frame yet
    check   u32   CRC-32 of length and body, started from the segment's own seed
    body

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
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zlib import crc32

SUFFIX: Final = ".journal"
NEW_SUFFIX: Final = ".journal-new"
"""Of a segment that is being made: it has no lock yet, and would look complete."""

HEADER_BYTES: Final = 64
_MAGIC: Final = b"llmteeJL"
_VERSION: Final = 1
_HEADER: Final = struct.Struct("=8sIIQ16sQ")
"""Magic, version, seed of the checksums, process id, the writer's own id, number of the segment at its writer.

Its own CRC-32 follows.
"""
_FRAME: Final = struct.Struct("=II")
_PAGE: Final = mmap.PAGESIZE
_CRC_CHUNK: Final = 5 * 1024
"""zlib lets go of the interpreter lock for more than this; getting it back can take 5 ms beside a busy thread."""
_READ_BYTES: Final = 256 * 1024


def frame_bytes(body: int) -> int:
    """What a frame with a body of that many bytes takes."""
    return (_FRAME.size + body + 7) & ~7


def checksum(data: bytes, start: int) -> int:
    """CRC-32 of ``data``, computed without letting go of the interpreter lock."""
    if len(data) <= _CRC_CHUNK:
        return crc32(data, start)
    view = memoryview(data)
    for place in range(0, len(view), _CRC_CHUNK):
        start = crc32(view[place : place + _CRC_CHUNK], start)
    return start


def allocate(file: int, size: int) -> None:
    """Gives the file its whole size on disk, so that a full disk is an error now and not a SIGBUS later.

    Raises:
        OSError: there is no room, or the file may not be that large.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    zeros = bytes(_PAGE)  # macOS has no such call: written zeros are allocated too
    for place in range(0, size, _PAGE):
        os.pwrite(file, zeros, place)


class SegmentWriter:
    """Writes one segment. `append` may be broken off anywhere, by a signal or a kill; it is not thread-safe."""

    def __init__(self, path: Path, size: int, *, writer: bytes, number: int) -> None:
        """Creates the file.

        Args:
            path: where it will be; it must not exist.
            size: of the file in bytes, rounded up to pages.
            writer: 16 bytes that no other writer has.
            number: of the segment at this writer.

        Raises:
            OSError: the disk is full or read-only, or the file system cannot map files.
        """
        self.path = path
        self.size = -(-size // _PAGE) * _PAGE
        self._synced = 0
        self._syncing = threading.RLock()
        self._seed = int.from_bytes(os.urandom(4), sys.byteorder)
        being_made = path.with_suffix(NEW_SUFFIX)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(being_made, flags, 0o600)
        try:
            allocate(self._file, self.size)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._map = mmap.mmap(self._file, self.size)
            header = _HEADER.pack(_MAGIC, _VERSION, self._seed, os.getpid(), writer, number)
            header += crc32(header).to_bytes(4, sys.byteorder)
            self._map[: len(header)] = header
            self._words = memoryview(self._map).cast("I")
            being_made.rename(path)
        except BaseException:
            os.close(self._file)
            with suppress(OSError):  # the first error is the one to tell
                being_made.unlink()
            raise
        self._tail = HEADER_BYTES

    def append(self, head: bytes, payload: bytes) -> bool:
        """Adds a frame whose body is ``head`` and ``payload``; false when there is no room for it.

        When this returns true the frame outlives the process. An exception that a signal handler raises in here may
        leave the frame out or in, and harms no other frame.
        """
        start = self._heal()
        length = len(head) + len(payload)
        after = start + frame_bytes(length)
        if after > self.size:
            return False
        check = checksum(payload, crc32(head, self._seed ^ length)).to_bytes(4, sys.byteorder)
        # With the frame, the next length is set to 0: one that was broken off here may have left something there.
        tail = bytes(after + 4 - (start + _FRAME.size + length)) if after < self.size else b""
        written = b"".join((check, head, payload, tail))
        self._map[start + 4 : start + 4 + len(written)] = written
        self._words[start >> 2] = length
        self._tail = after
        return True

    def _heal(self) -> int:
        """Where the next frame goes."""
        tail = self._tail
        while tail < self.size and (length := self._words[tail >> 2]):
            # Broken off after the length was written: that frame is valid.
            tail = self._tail = tail + frame_bytes(length)
        return tail

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


@dataclass(slots=True)
class Frame:
    """One frame of a segment."""

    end: int
    """Where the next one begins."""
    body: bytes
    torn: int = 0
    """Damaged frames that were skipped before it."""


@dataclass(slots=True)
class Reading:
    """What a look into a segment gave."""

    frames: list[Frame] = field(default_factory=list)
    finished: bool = False
    """Whether nothing follows, now or later: the writer is gone, and these frames are the last."""
    end: int = 0
    """When finished: past everything."""
    torn: int = 0
    """When finished: damaged frames after the last good one; what follows a damaged length counts as one."""


class UnknownVersionError(Exception):
    """A newer llmtee wrote the segment."""


def read_segment(path: Path, position: int, limit: int) -> Reading | None:
    """The next frames of a segment; ``None`` when the file is gone.

    A frame that is not whole is waited for while its writer lives, and skipped and counted when it is gone, or when a
    whole frame follows. Whatever the file holds, what is returned was written as it is.

    Args:
        path: the segment.
        position: ``end`` of the last frame that was read; 0 at the start.
        limit: how many frames at most.

    Raises:
        OSError: the file cannot be read.
        UnknownVersionError: it is not ours to judge.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return _read(file, position, limit)
    finally:
        os.close(file)


def _read(file: int, position: int, limit: int) -> Reading:
    # First of all: what is read after the writer has gone is all there will be.
    complete = not _is_locked(file)
    size = os.fstat(file).st_size
    header = os.pread(file, HEADER_BYTES, 0)
    if not _is_whole(header):
        torn = int(position < size) if size else 0
        return Reading(finished=complete, end=max(size, position), torn=torn)
    _, version, seed, _, _, _ = _HEADER.unpack_from(header)
    if version != _VERSION:
        raise UnknownVersionError(f"version {version}")
    window = _Window(file, size, seed)
    reading = Reading()
    position = max(position, HEADER_BYTES)
    while len(reading.frames) < limit:
        skipped, start = 0, position
        frame = window.frame(start)
        while frame is None and (after := window.after_damage(start)) is not None:
            skipped, start = skipped + 1, after
            frame = window.frame(start)
        if frame is None:
            if complete:
                reading.finished, reading.end = True, max(size, position)
                reading.torn = int(window.has_remains(position))
            break
        frame.torn = skipped
        reading.frames.append(frame)
        position = frame.end
    return reading


def _is_whole(header: bytes) -> bool:
    if len(header) < HEADER_BYTES or not header.startswith(_MAGIC):
        return False
    check = int.from_bytes(header[_HEADER.size : _HEADER.size + 4], sys.byteorder)
    return check == crc32(header[: _HEADER.size])


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


class _Window:
    """The part of a file that is being looked at."""

    def __init__(self, file: int, size: int, seed: int) -> None:
        self._file, self._size, self._seed = file, size, seed
        self._start, self._bytes = 0, b""

    def frame(self, start: int) -> Frame | None:
        """The whole frame at ``start``, if there is one."""
        head = self._get(start, _FRAME.size)
        if len(head) < _FRAME.size:
            return None
        length, check = _FRAME.unpack(head)
        if not length or start + _FRAME.size + length > self._size:
            return None
        body = self._get(start + _FRAME.size, length)
        if len(body) < length or crc32(body, self._seed ^ length) != check:
            return None
        return Frame(start + frame_bytes(length), body)

    def after_damage(self, start: int) -> int | None:
        """Where a whole frame follows the damaged one at ``start``, going by its length; else ``None``."""
        head = self._get(start, 4)
        length = int.from_bytes(head, sys.byteorder)
        if len(head) < 4 or not length:
            return None
        after = start + frame_bytes(length)
        return after if self.frame(after) is not None else None

    def has_remains(self, start: int) -> bool:
        """Whether anything but zeros follows."""
        return any(chunk.count(0) < len(chunk) for chunk in self._chunks(start))

    def _chunks(self, start: int) -> Iterator[bytes]:
        while chunk := os.pread(self._file, _READ_BYTES, start):
            yield chunk
            start += len(chunk)

    def _get(self, start: int, length: int) -> bytes:
        offset = start - self._start
        if offset < 0 or offset + length > len(self._bytes):
            # A short first look: mostly there is nothing new.
            wanted = _READ_BYTES if self._bytes else _PAGE
            self._bytes = os.pread(self._file, max(length, wanted), start)
            self._start, offset = start, 0
        return self._bytes[offset : offset + length]
