"""Reading a segment of the journal: plain reads, which no damage and no shrinking of the file can hurt."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zlib import crc32

from llmtee.eventlog._segment import (
    FRAME,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    PAGE,
    VERSION,
    frame_bytes,
)

_READ_BYTES: Final = 256 * 1024


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
    _, version, seed, _, _, _ = HEADER.unpack_from(header)
    if version != VERSION:
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
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        return False
    check = int.from_bytes(header[HEADER.size : HEADER.size + 4], sys.byteorder)
    return check == crc32(header[: HEADER.size])


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
        head = self._get(start, FRAME.size)
        if len(head) < FRAME.size:
            return None
        length, check = FRAME.unpack(head)
        if not length or start + FRAME.size + length > self._size:
            return None
        body = self._get(start + FRAME.size, length)
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
            wanted = _READ_BYTES if self._bytes else PAGE
            self._bytes = os.pread(self._file, max(length, wanted), start)
            self._start, offset = start, 0
        return self._bytes[offset : offset + length]
