"""Cuts sources at the borders of lines into chunks that are worked on one by one, wherever that is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from llmtee.bulk._records import opens_document
from llmtee.bulk._source import Line, Place, Unpacked, numbered, open_bytes
from llmtee.errors import InputError

LINES = 1000
"""Lines in a chunk at most."""
BYTES = 2_000_000
"""Bytes at which a chunk ends, after the line that reaches them."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on."""

    source: int = 0
    """Number of the source in the list, from 0."""
    line: int = 1
    offset: int = 0
    """Bytes of the source before that line, without packing."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Lines of one source."""

    source: int
    name: str
    first: int
    """Number of the first line."""
    data: bytes
    document: bool = False
    """Whether all of it is one JSON document."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is worked on at a time, and packed together: at a vendor no request holds items of two chunks.

    The borders depend on the sources alone, so that the output does.
    """

    segments: tuple[Segment, ...]
    after: Position
    """Where reading goes on after it."""
    error: InputError | None = None
    """Why the source of the last segment ends there, where it cannot be read any further."""
    done: int = 0
    """Bytes that were read so far of all sources, packed as they are."""


def chunks(places: Sequence[Place], start: Position) -> Iterator[Chunk]:
    """The chunks of the sources from a position on.

    A chunk ends with its 1,000th line or its two millionth byte, and may hold the lines of several sources. A JSON
    document over many lines, which has to fit into memory, is a chunk by itself.
    """
    cutter = _Cutter(sum(size_of(place) or 0 for place in places[: start.source]))
    for number in range(start.source, len(places)):
        at = start if number == start.source else Position(number)
        try:
            with open_bytes(places[number]) as unpacked:
                yield from cutter.cut(unpacked, at)
        except InputError as error:  # the rest of this source cannot be read
            yield cutter.chunk(Position(number + 1), error)
    if cutter.segments:
        yield cutter.chunk(Position(len(places)))


def size_of(place: Place) -> int | None:
    """Bytes of a file; ``None`` for what is none."""
    if place == "-" or not isinstance(place, str | os.PathLike):
        return None
    path = Path(place)
    return path.stat().st_size if path.is_file() else None


class _Cutter:
    """Gathers segments until they are a chunk."""

    def __init__(self, before: int) -> None:
        self.segments: list[Segment] = []
        self._lines: list[bytes] = []
        self._begun: tuple[int, str, int] = (0, "", 1)
        self._count = self._bytes = 0
        self._before = self._done = before

    def cut(self, unpacked: Unpacked, at: Position) -> Iterator[Chunk]:
        """The chunks that end in this source; what is left waits for the next."""
        lines = unpacked.lines(at.line)
        if at.offset:
            unpacked.skip(at.offset)
        else:
            head, whole = _head(lines, unpacked.name)
            if whole:
                if self.segments:
                    yield self.chunk(at)
                data = b"".join(chain(head, lines))
                self.segments.append(Segment(at.source, unpacked.name, 1, data, document=True))
                self._done = self._before = self._before + (unpacked.done() or len(data))
                yield self.chunk(Position(at.source + 1))
                return
            lines = chain(head, lines)
        number, offset = at.line, at.offset
        self._begun = (at.source, unpacked.name, number)
        for line in lines:
            self._lines.append(line)
            number += 1
            offset += len(line)
            self._count += 1
            self._bytes += len(line)
            if self._count == LINES or self._bytes >= BYTES:
                self._done = self._before + (unpacked.done() or offset)
                yield self.chunk(Position(at.source, number, offset))
                self._begun = (at.source, unpacked.name, number)
        self._end_segment()
        self._done = self._before = self._before + (unpacked.done() or offset)

    def chunk(self, after: Position, error: InputError | None = None) -> Chunk:
        """What was gathered."""
        self._end_segment()
        made = Chunk(tuple(self.segments), after, error, self._done)
        self.segments, self._count, self._bytes = [], 0, 0
        return made

    def _end_segment(self) -> None:
        if self._lines:
            source, name, first = self._begun
            self.segments.append(Segment(source, name, first, b"".join(self._lines)))
            self._lines = []


def _head(lines: Iterator[bytes], name: str) -> tuple[list[bytes], bool]:
    """The lines at which it can be told whether a source is one document, and whether it is."""
    seen: list[bytes] = []

    def noted() -> Iterator[bytes]:
        for line in lines:
            seen.append(line)
            yield line

    looked_at: list[Line] = []
    return seen, opens_document(numbered(noted(), name), looked_at)
