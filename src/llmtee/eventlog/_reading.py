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
    MARK,
    PAGE,
    VERSION,
    frame_bytes,
    seed_of,
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
    """When finished: damaged frames after the last good one; a run of them may count as one."""


class UnknownVersionError(Exception):
    """A newer llmtee wrote the segment."""


def read_segment(path: Path, position: int, limit: int) -> Reading | None:
    """The next frames of a segment; ``None`` when the file is gone.

    A frame that is not whole is waited for while its writer lives, and skipped and counted when it is gone, or when a
    whole frame follows. Whatever the file holds, what is returned was written as it is, and what was not damaged is
    returned; while the writer lives as far as its mark says, and all of it when it is gone.

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
        return _read(file, seed_of(path), position, limit)
    finally:
        os.close(file)


def _read(file: int, own_seed: int, position: int, limit: int) -> Reading:
    # First of all: what is read after the writer has gone is all there will be.
    complete = not _is_locked(file)
    size = os.fstat(file).st_size
    header = os.pread(file, HEADER_BYTES, 0)
    whole = _is_whole(header)
    seed = own_seed
    if whole:
        _, version, seed, _, _, _ = HEADER.unpack_from(header)
        if version != VERSION:
            raise UnknownVersionError(f"version {version}")
    written = size if complete else min(size, 8 * _word(header, MARK))
    window = _Window(file, size, seed)
    reading = Reading()
    start = position = max(position, HEADER_BYTES)
    while len(reading.frames) < limit:
        frame = window.frame(position) or window.frame_behind(position, written)
        if frame is None:
            if complete:
                reading.finished, reading.end = True, max(size, position)
                reading.torn = int(
                    window.has_remains(position) or (not whole and 0 < size <= start)
                )
            break
        reading.frames.append(frame)
        position = frame.end
    return reading


def _is_whole(header: bytes) -> bool:
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        return False
    return _word(header, HEADER.size) == crc32(header[: HEADER.size])


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], sys.byteorder)


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

    def frame_behind(self, start: int, end: int) -> Frame | None:
        """The first whole frame between ``start``, where there is none, and ``end``."""
        found = self._search(start, end)
        if found is None:
            return None
        # A frame that was written during the search must not be taken for damage: those before what was found are
        # whole by now, or never will be.
        self._bytes = b""
        place, frame = self._search(start, found[1].end) or found
        frame.torn = self._damaged_between(start, place)
        return frame

    def _search(self, start: int, end: int) -> tuple[int, Frame] | None:
        for place in self._plausible(start, end):
            frame = self.frame(place)
            if frame is not None:
                return place, frame
        return None

    def _plausible(self, start: int, end: int) -> Iterator[int]:
        """Where the length of a frame may stand that ends before ``end``."""
        for first in range(start, end, _READ_BYTES):
            chunk = os.pread(self._file, min(_READ_BYTES, end - first), first)
            if chunk.count(0) == len(chunk):
                continue
            lengths = memoryview(chunk)[: len(chunk) & ~7].cast("I")[::2]
            for number, length in enumerate(lengths.tolist()):
                place = first + 8 * number
                if length and place + FRAME.size + length <= end:
                    yield place

    def _damaged_between(self, start: int, end: int) -> int:
        """How many frames stand between, as far as their lengths can be believed; else one."""
        count, place = 0, start
        while place < end and (length := _word(self._get(place, 4), 0)):
            count, place = count + 1, place + frame_bytes(length)
        return count if place == end else min(1, end - start)

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
