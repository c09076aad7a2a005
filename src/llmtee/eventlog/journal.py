"""The journal: where `record` puts what it is given, before anything else happens.

Each process appends to segments of its own in the directory of the event log (see ``_segment``); the process that
delivers reads those of all, and stores how far it has read in the same transaction as what it read. So each record is
absorbed exactly once, whoever is killed when.
"""

from __future__ import annotations

import logging
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from llmtee.errors import EventLogError
from llmtee.eventlog._directory import make_directory
from llmtee.eventlog._segment import (
    HEADER_BYTES,
    SUFFIX,
    SegmentWriter,
    frame_bytes,
)
from llmtee.eventlog.protocol import END, Record

logger = logging.getLogger("llmtee")

SEGMENT_BYTES = 4 * 2**20
_GROWTH = 8
"""How many times larger the segments become of a process that fills them: making one costs its caller a moment."""
_NESTED_BYTES = 2**16
"""Of a segment for what signal handlers record: seldom much."""
MAX_BYTES = 2**30
_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 1.0
"""Between two looks whether the files are still there, by the times of the records."""
_HEAD = struct.Struct("=d?xxxII")
"""When it was recorded, whether live, length of the format's name in bytes, length of the id in bytes."""


def decode(body: bytes) -> Record:
    """The record of a frame."""
    recorded_at, live, name_bytes, id_bytes = _HEAD.unpack_from(body)
    id_start = _HEAD.size + name_bytes
    payload_start = id_start + id_bytes
    return Record(
        id=body[id_start:payload_start].decode(),
        format=body[_HEAD.size : id_start].decode(),
        payload=body[payload_start:],
        recorded_at=recorded_at,
        live=live,
    )


class JournalWriter:
    """Appends records. Thread-safe, safe in signal handlers and finalizers, and after a fork.

    A signal handler may record while the same thread is inside `append`. Waiting would be for ever, so each level of
    such nesting has a segment of its own.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        max_bytes: int = MAX_BYTES,
        fsync: bool = False,
        absorbed: Callable[[str], int] = lambda _: 0,
        warn: Callable[[str], None] = logger.warning,
    ) -> None:
        """Touches nothing: the first segment is made by the first `append`.

        Args:
            directory: of the event log.
            segment_bytes: size of the first segments; a record that is larger gets one of its own size.
            max_bytes: of all segments in the directory, at most. Beyond it, `append` refuses what is new.
            fsync: whether `append` returns only when the record is on the disk itself.
            absorbed: how far a segment was read, by its name; asked when its file was deleted.
            warn: is told when that happened.
        """
        self._absorbed, self._warn = absorbed, warn
        self._looked_at = 0.0
        self._read_up_to: dict[str, int] = {}
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._fsync = fsync
        self._lock = threading.RLock()
        self._level = 0
        self._lanes: list[_Lane] = []
        self._failure: str | None = None
        self._again_at = 0.0
        self._closed = False

    @property
    def appended(self) -> int:
        """Records that were appended, ends of sessions left out."""
        return sum(lane.appended for lane in self._lanes)

    def append(self, record: Record) -> None:
        """Adds a record; when this returns, it outlives the process.

        Raises:
            EventLogError: it cannot be written. For a second after that, nothing is tried.
        """
        text, format_name, payload, recorded_at, live = record
        name, own_id = format_name.encode(), text.encode()
        head = _HEAD.pack(recorded_at, live, len(name), len(own_id)) + name + own_id
        with self._lock:
            level = self._level
            try:
                self._level = level + 1
                lane = self._lanes[level] if level < len(self._lanes) else self._new_lane()
                segment = lane.segment
                if segment is None or not segment.append(head, payload):
                    segment = self._rotate(lane, len(head) + len(payload))
                    segment.append(head, payload)
                lane.appended += format_name != END
            finally:
                self._level = level
        if not -_LOOK_SECONDS < recorded_at - self._looked_at < _LOOK_SECONDS:
            self._looked_at = recorded_at
            self.look()
        if self._fsync:
            try:
                segment.sync()
            except OSError as error:
                raise EventLogError(f"journal in {self._directory}: {error}") from error

    def _new_lane(self) -> _Lane:
        nested = bool(self._lanes)
        lane = _Lane(min(self._segment_bytes, _NESTED_BYTES) if nested else self._segment_bytes)
        self._lanes.append(lane)
        return lane

    def look(self) -> None:
        """Notices segments whose files were deleted, and writes again what nobody has read of them."""
        try:
            segments = [lane.segment for lane in self._lanes]
            gone = [one.path.name for one in segments if one is not None and one.is_gone()]
            if not gone:
                return
            # Before the lock is taken: whoever answers may have to wait, and a signal handler must not wait for us then.
            self._read_up_to = {name: self._absorbed(name) for name in gone}
            with self._lock:
                if (
                    not self._level
                ):  # a signal handler inside `append`: whoever it interrupted looks soon
                    self._save_all()
        except (OSError, EventLogError):
            return  # the segment is kept, and it is tried again

    def _save_all(self) -> None:
        self._level = 1
        try:
            for lane in self._lanes:
                if lane.segment is not None and lane.segment.is_gone():
                    self._rotate(lane, 0)
        finally:
            self._level = 0

    def try_again(self) -> None:
        """The next `append` tries to write even though the last one failed just now."""
        self._again_at = 0.0

    def seal(self) -> None:
        """Completes this writer's segments. The next `append` begins another one."""
        with self._lock:
            for lane in self._lanes:
                self._seal(lane)

    def close(self) -> None:
        """Completes this writer's segments, for good. Closing twice is fine."""
        self.look()
        with self._lock:
            self._closed = True
            self.seal()

    def after_fork(self) -> None:
        """In a forked child: lets go of the parent's segments; the first `append` makes one of the child's own."""
        # The parent's other threads do not exist here, so its lock might never be released.
        self._lock = threading.RLock()
        self._level = 0
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            if lane.segment is not None:
                lane.segment.drop()

    def _rotate(self, lane: _Lane, body: int) -> SegmentWriter:
        """A new segment with room for ``body`` bytes."""
        if self._closed:
            raise EventLogError(f"journal in {self._directory}: closed")
        if self._failure is not None:
            if time.monotonic() < self._again_at:
                raise EventLogError(self._failure)
            self._failure = None
        try:
            if not self._directory.exists():
                make_directory(self._directory)
            left = self._left_behind(lane)
            needed = frame_bytes(body) + sum(frame_bytes(len(one)) for one in left)
            size = max(lane.segment_bytes, HEADER_BYTES + needed)
            self._check_room(size)
            lane.number += 1
            path = self._directory / f"{lane.writer}-{lane.number:08d}{SUFFIX}"
            segment = SegmentWriter(path, size, writer=lane.identity, number=lane.number)
            if self._fsync:
                _sync_directory(self._directory)
            for one in left:
                segment.append(one, b"")
            self._seal(lane)
        except (OSError, EventLogError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._failure = f"journal in {self._directory}: {reason}"
            self._again_at = time.monotonic() + _RETRY_SECONDS
            raise EventLogError(self._failure) from error
        lane.segment = segment
        if lane.number > 1:
            lane.segment_bytes = min(lane.segment_bytes * 2, lane.most_bytes)
        return segment

    def _left_behind(self, lane: _Lane) -> list[bytes]:
        """What only this process still has of the lane's segment, because its file was deleted."""
        segment = lane.segment
        if segment is None or not segment.is_gone():
            return []
        # Where that is not known, what was read comes again, and is known by its id.
        left = segment.bodies(self._read_up_to.get(segment.path.name, 0))
        self._warn(
            f"a segment of the journal in {self._directory} was deleted while it was in use; "
            f"{len(left)} records that were not read from it yet are written again"
        )
        return left

    def _seal(self, lane: _Lane) -> None:
        segment, lane.segment = lane.segment, None
        if segment is not None:
            if self._fsync:
                segment.sync()
            segment.seal()

    def _check_room(self, size: int) -> None:
        used = sum(map(_size, segment_files(self._directory)))
        if used + size > self._max_bytes:
            raise EventLogError(
                f"{used:,} bytes wait, and {self._max_bytes:,} is the most; is there a process that delivers?"
            )


class _Lane:
    """What is written at one level of nesting."""

    def __init__(self, segment_bytes: int) -> None:
        self.segment_bytes = segment_bytes
        self.most_bytes = segment_bytes * _GROWTH
        self.identity = os.urandom(16)
        # The names of one writer sort by number, whatever the clock does.
        self.writer = f"{time.time_ns():020d}-{self.identity.hex()[:12]}"
        self.number = 0
        self.segment: SegmentWriter | None = None
        self.appended = 0


def segment_files(directory: Path) -> list[Path]:
    """The segments in a directory, those of one writer in their order.

    Raises:
        OSError: the directory cannot be read.
    """
    found: list[Path] = []
    with os.scandir(directory) as entries:
        found.extend(directory / entry.name for entry in entries if entry.name.endswith(SUFFIX))
    return sorted(found)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # absorbed and deleted meanwhile
        return 0


def _sync_directory(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
