"""What stands in the journal and is not absorbed yet, over the segments of all processes."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from llmtee.eventlog._reading import Reading, UnknownVersionError, read_segment
from llmtee.eventlog._segment import NEW_SUFFIX
from llmtee.eventlog.journal import decode, segment_files
from llmtee.eventlog.protocol import END, Place, Record

_ABANDONED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A segment to which nothing will be added, read to its end."""

    segment: str
    end: int
    torn: int
    """Damaged frames at its end."""


class JournalReader:
    """Reads the segments of all processes. Keeps no file open, and no position: the caller stores how far it is."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._turn = 0
        self._ids: dict[str, _Ids] = {}
        self.unreadable: dict[str, str] = {}
        """Segments that cannot be read for now, by name, each with the reason. The others do not wait for them."""

    def read(self, positions: Mapping[str, int], limit: int) -> list[tuple[Place, Record]]:
        """The oldest records of each writer after ``positions``, every writer in its turn first.

        Raises:
            OSError: the directory or a file cannot be read.
        """
        found: list[tuple[Place, Record]] = []
        writers = self._by_writer()
        self._turn += 1
        first = self._turn % len(writers) if writers else 0
        for paths in writers[first:] + writers[:first]:
            for path in paths:
                room = limit - len(found)
                if room <= 0:
                    return found
                position = positions.get(path.name, 0)
                reading = self._look(path, position, room)
                if reading is None:
                    continue
                for frame in reading.frames:
                    place = Place(path.name, frame.end, frame.torn)
                    found.append((place, decode(frame.body)))
                if not reading.finished:
                    break
        return found

    def names(self) -> set[str]:
        """The segments that are there.

        Raises:
            OSError: the directory cannot be read.
        """
        return {path.name for path in segment_files(self._directory)}

    def finished(self, positions: Mapping[str, int]) -> list[Finished]:
        """The segments whose writer is gone and that are read to their end."""
        done: list[Finished] = []
        for path in segment_files(self._directory):
            reading = self._look(path, positions.get(path.name, 0), 1)
            if reading is not None and reading.finished and not reading.frames:
                done.append(Finished(path.name, reading.end, reading.torn))
        return done

    def remove(self, segments: list[Finished]) -> None:
        """Deletes what `finished` gave, after that was stored; and what writers left that died while making a segment.

        Raises:
            OSError: the directory is read-only.
        """
        for segment in segments:
            (self._directory / segment.segment).unlink(missing_ok=True)
        if segments:
            for path in self._directory.glob("*" + NEW_SUFFIX):
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                        path.unlink()

    def index(self, positions: Mapping[str, int]) -> list[str]:
        """Reads on what is not read yet, for `waiting`; returns the names of the segments there are.

        Raises:
            OSError: the directory or a file cannot be read.
        """
        paths = segment_files(self._directory)
        self._ids = {path.name: self._ids.get(path.name) or _Ids() for path in paths}
        for path in paths:
            ids = self._ids[path.name]
            ids.forget(positions.get(path.name, 0))
            while (reading := self._look(path, ids.end, 1000)) is not None and reading.frames:
                for frame in reading.frames:
                    record = decode(frame.body)
                    ids.add(frame.end, None if record.format == END else record)
        return list(self._ids)

    def waiting(self, positions: Mapping[str, int]) -> Iterator[str]:
        """The ids of the records after ``positions``, as far as `index` has seen them; ends of sessions left out."""
        for name, ids in self._ids.items():
            yield from ids.after(positions.get(name, 0))

    def since(self, positions: Mapping[str, int]) -> float | None:
        """When the oldest of these was recorded, in unix seconds; ``None`` when there are none."""
        firsts = (ids.since(positions.get(name, 0)) for name, ids in self._ids.items())
        return min((at for at in firsts if at is not None), default=None)

    def _by_writer(self) -> list[list[Path]]:
        paths = segment_files(self._directory)
        return [list(own) for _, own in groupby(paths, lambda path: path.name.rpartition("-")[0])]

    def _look(self, path: Path, position: int, limit: int) -> Reading | None:
        try:
            reading = read_segment(path, position, limit)
        except (OSError, UnknownVersionError) as error:
            self.unreadable[path.name] = str(error)
            return None
        self.unreadable.pop(path.name, None)
        return reading


class _Ids:
    """The ids of one segment's records that were not absorbed when it was looked at, ends of sessions left out."""

    def __init__(self) -> None:
        self.end = 0
        """How far it was looked at."""
        self._ends: list[int] = []
        self._ids: list[str] = []
        self._times: list[float] = []

    def add(self, end: int, record: Record | None) -> None:
        self.end = end
        if record is not None:
            self._ends.append(end)
            self._ids.append(record.id)
            self._times.append(record.recorded_at)

    def forget(self, position: int) -> None:
        gone = bisect_right(self._ends, position)
        del self._ends[:gone], self._ids[:gone], self._times[:gone]
        self.end = max(self.end, position)

    def after(self, position: int) -> Iterator[str]:
        return iter(self._ids[bisect_right(self._ends, position) :])

    def since(self, position: int) -> float | None:
        # One writer's records stand in the order in which they were recorded.
        first = bisect_right(self._ends, position)
        return self._times[first] if first < len(self._times) else None
