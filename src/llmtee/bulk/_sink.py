"""Where converted records go: a file that appears when it is complete, a stream, or stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias
from uuid import uuid4

from llmtee.bulk._packing import (
    BEGIN,
    BETWEEN,
    EMPTY,
    END,
    joined,
    packed,
    packed_nothing,
    packing_of,
)
from llmtee.errors import UsageError

Destination: TypeAlias = str | os.PathLike[str] | IO[str] | IO[bytes]
"""A path, an open stream, or ``-`` for stdout."""

Write: TypeAlias = Callable[[Any], None]
"""Writes one record."""

_PIECE = 1000
"""Records that are packed together."""


@contextmanager
def open_sink(destination: Destination, indent: int | None) -> Iterator[Write]:
    """A function that writes records: JSON Lines, or with ``indent`` one indented list.

    A file is written beside its place and moved there when the block ends well; otherwise it is removed, and what
    was there before stays. A name that ends in ``.gz`` or ``.zst`` is packed.

    Raises:
        UsageError: the file cannot be written.
    """
    output = Output(destination, indent)
    values: list[Any] = []

    def put() -> None:
        output.add(packed(joined(values, indent), output.packing))
        values.clear()

    def write(value: Any) -> None:
        values.append(value)
        if len(values) == _PIECE:
            put()

    try:
        output.open()
        yield write
        put()
        output.finish()
    except BaseException:
        output.discard()
        raise


class Output:
    """The bytes that are written, piece by piece.

    Args:
        destination: where they go.
        indent: of an indented list.
        partial: the file in which a file grows; by default one with a name of its own.

    Attributes:
        packing: how each piece has to be packed: ``".gz"``, ``".zst"``, or not at all.
        path: the file that appears in the end; ``None`` for what is no regular file.
        length: bytes that were written.
    """

    def __init__(
        self, destination: Destination, indent: int | None, partial: Path | None = None
    ) -> None:
        self._destination, self._indent = destination, indent
        self.path = regular(destination)
        self.packing = packing_of(destination)
        self.length = 0
        self._partial = partial
        if partial is None and self.path is not None:
            self._partial = self.path.with_name(f".{self.path.name}.{uuid4().hex[:8]}.part")
        self._file: Any = None
        self._put: Callable[[bytes], Any]

    def open(self, length: int = 0) -> None:
        """Begins, or goes on after so many bytes of the partial file; what follows them is cut off.

        Raises:
            UsageError: the file cannot be written.
        """
        self.length = length
        if self._destination == "-":
            self._put = sys.stdout.buffer.write
        elif isinstance(self._destination, str | os.PathLike):
            self._file = _opened(
                self._partial or Path(self._destination), length, self._destination
            )
            self._put = self._file.write
        else:
            stream: Any = self._destination
            text = hasattr(stream, "encoding")
            self._put = lambda data: stream.write(data.decode() if text else data)

    def add(self, piece: bytes) -> None:
        """Writes a piece, packed as it has to be; of an indented list, entries."""
        if not piece:
            return
        if self._indent is not None:
            self._write(packed(BETWEEN if self.length else BEGIN, self.packing))
        self._write(piece)

    def sync(self) -> None:
        """Sees to it that what was written outlives the machine."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Ends the content; a file appears."""
        self.end()
        self.appear()

    def end(self) -> None:
        """Ends the content."""
        if self._indent is not None:
            self._write(packed(END if self.length else EMPTY, self.packing))
        if not self.length and self.packing:
            self._write(packed_nothing(self.packing))
        if self._destination == "-":
            sys.stdout.buffer.flush()

    def appear(self) -> None:
        """Lets a file appear that has ended, unless it has."""
        self.close()
        if self._partial is not None and self.path is not None and self._partial.exists():
            self._partial.replace(self.path)

    def close(self) -> None:
        """Closes the file and leaves it as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Removes what was written of a file."""
        self.close()
        if self._partial is not None:
            self._partial.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self._put(data)
        self.length += len(data)


def regular(destination: Destination) -> Path | None:
    """The regular file that a destination names, links followed; ``None`` where it is none."""
    if destination == "-" or not isinstance(destination, str | os.PathLike):
        return None
    path = Path(os.path.realpath(destination))  # a link stays a link
    return None if path.exists() and not path.is_file() else path  # /dev/stdout, a pipe


def _opened(path: Path, length: int, destination: object) -> Any:
    try:
        if not length:
            return path.open("wb")
        file = path.open("r+b")
        file.truncate(length)
        file.seek(length)
    except OSError as error:
        raise UsageError(f"{destination}: cannot be written: {error.strerror or error}") from None
    return file
