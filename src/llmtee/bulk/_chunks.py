"""Cuts sources at the borders of records into chunks that are worked on one by one, wherever that is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from llmtee.bulk._documents import Cut
from llmtee.bulk._input import Reading
from llmtee.bulk._lines import Line
from llmtee.bulk._records import Raw, units
from llmtee.bulk._source import Opened, Place, opened
from llmtee.bulk.tables import rows_of, table_kind
from llmtee.decoders import Choice
from llmtee.errors import InputError

T = TypeVar("T")

COUNT = 1000
"""Lines, entries of documents or rows in a chunk at most."""
BYTES = 1_000_000
"""Bytes at which a chunk ends, after the line that reaches them."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on."""

    source: int = 0
    """Number of the file or stream, from 0."""
    count: int = 0
    """Lines of it, entries of its documents, or rows, that were read."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one source. Not decoded: whoever cuts has to be quick."""

    source: int
    name: str
    first: int
    """Number of the first line."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Entries:
    """Records of one source's JSON documents."""

    source: int
    name: str
    cuts: tuple[Cut | InputError, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table, which the process that cuts has to decode: they are read in batches, and not as text."""

    source: int
    name: str
    raws: tuple[Raw | InputError, ...]
    choose: Choice


Segment: TypeAlias = Lines | Entries | Rows


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is worked on at a time, and packed together: at a vendor no request holds items of two chunks.

    The borders depend on the sources alone, so that the output does.
    """

    segments: tuple[Segment, ...]
    after: Position
    """Where reading goes on after it."""
    errors: tuple[InputError, ...] = ()
    """Of lines that cannot be held, and of sources that cannot be read any further."""
    done: int = 0
    """Bytes that were read so far of all sources, packed as they are."""

    @property
    def travels(self) -> bool:
        """Whether another process can be given it."""
        return not any(isinstance(segment, Rows) for segment in self.segments)

    @property
    def emptied(self) -> Chunk:
        """Its place without what is in it, once that is worked on."""
        return replace(self, segments=())


def chunks(
    files: Sequence[Place | InputError], reading: Reading, start: Position
) -> Iterator[Chunk]:
    """The chunks of files and streams from a position on.

    A chunk ends with its 1,000th line or its millionth byte, and may hold the lines of several sources.

    Raises:
        UsageError: see `llmtee.read`.
    """
    cutter = _Cutter(reading, sum(size_of(file) or 0 for file in files[: start.source]))
    for number in range(start.source, len(files)):
        file = files[number]
        try:
            if isinstance(file, InputError):
                raise file
            with opened(file) as stream:
                at = start if number == start.source else Position(number)
                yield from cutter.cut(stream, at)
        except InputError as error:  # the rest of this source cannot be read
            cutter.errors.append(error)
            yield cutter.chunk(Position(number + 1))
    if cutter.segments:
        yield cutter.chunk(Position(len(files)))


def size_of(file: Place | InputError) -> int | None:
    """Bytes of a file on disk; ``None`` for a stream."""
    if isinstance(file, InputError):
        return 0
    if file == "-" or not isinstance(file, str | os.PathLike):
        return None
    path = Path(file)
    return path.stat().st_size if path.is_file() else 0


class _Cutter:
    """Gathers segments until they are a chunk."""

    def __init__(self, reading: Reading, before: int) -> None:
        self._reading = reading
        self.segments: list[Segment] = []
        self.errors: list[InputError] = []
        self._units: list[Any] = []
        self._segment: Callable[[int, list[Any]], Segment]
        self._first = 1
        self._count = self._bytes = 0
        self._before = self._done = before

    def cut(self, stream: Opened, at: Position) -> Iterator[Chunk]:
        """The chunks that end in this source; what is left waits for the next."""
        source, name = at.source, stream.label
        reading = self._reading
        kind = table_kind(stream, reading.mapping)
        if kind is not None:
            table = rows_of(stream, kind, reading.mapping, reading.choose, reading.format)
            with table as rows:
                self._segment = lambda _, raws: Rows(source, name, tuple(raws), rows.choose)
                yield from self._gather(rows.records, _size_of_row, stream, at)
                self._end_segment()  # while what reads it is open
            return
        by_line, entries = units(stream)
        if by_line is None:
            self._segment = lambda _, cuts: Entries(source, name, tuple(cuts))
            yield from self._gather(entries, _size_of_entry, stream, at)
        else:
            self._segment = lambda first, texts: Lines(source, name, first, b"".join(texts))
            yield from self._gather(self._held(by_line), len, stream, at)
        self._end_segment()

    def chunk(self, after: Position) -> Chunk:
        """What was gathered."""
        self._end_segment()
        made = Chunk(tuple(self.segments), after, tuple(self.errors), self._done)
        self.segments, self.errors, self._count, self._bytes = [], [], 0, 0
        return made

    def _gather(
        self, found: Iterable[T], weight: Callable[[T], int], stream: Opened, at: Position
    ) -> Iterator[Chunk]:
        count, size, units = at.count, 0, self._units
        self._first = count + 1
        for unit in islice(found, count, None):
            count += 1
            weighs = weight(unit)
            size += weighs
            units.append(unit)
            self._count += 1
            self._bytes += weighs
            if self._count >= COUNT or self._bytes >= BYTES:
                self._done = self._before + _read_of(stream, size)
                yield self.chunk(Position(at.source, count))
                self._first = count + 1
        self._done = self._before = self._before + _read_of(stream, size)

    def _held(self, lines: Iterable[Line]) -> Iterator[bytes]:
        """The lines; in the place of one that cannot be held, an empty one."""
        for _, text in lines:
            if isinstance(text, InputError):
                self.errors.append(text)
                yield b"\n"
            else:
                yield text

    def _end_segment(self) -> None:
        if self._units:
            self.segments.append(self._segment(self._first, self._units))
            self._units.clear()


def _size_of_row(row: Raw | InputError) -> int:
    return 0 if isinstance(row, InputError) else row.size


def _size_of_entry(cut: Cut | InputError) -> int:
    return 0 if isinstance(cut, InputError) else len(cut.text)


def _read_of(stream: Opened, size: int) -> int:
    """Bytes of a file that were read so far; of a stream, of what was unpacked."""
    return size if stream.packed is None else stream.packed.tell()
