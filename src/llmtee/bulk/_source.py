"""Where records come from: files, plain or gzipped, streams and stdin, one line at a time."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any, TypeAlias

from llmtee.errors import InputError

Place: TypeAlias = str | os.PathLike[str] | IO[str] | IO[bytes]
"""One source: a path, an open stream, or ``-`` for stdin."""

Source: TypeAlias = Place | Sequence[Place]

Line: TypeAlias = tuple[int, str | InputError]
"""A line and its number; the error where the line alone cannot be read."""

_GZIP = b"\x1f\x8b"
_READ_ERRORS = (OSError, EOFError, zlib.error)
_SNIFF = 4096
_NOT_TEXT = (
    "is not text but a binary file; records are JSON Lines or JSON, in UTF-8, plain or gzipped"
)


def places(source: Source) -> list[Place]:
    """The sources, one by one."""
    if isinstance(source, Sequence) and not isinstance(source, str):
        return list(source)
    return [source]


def name_of(place: Place) -> str:
    """What errors call a source."""
    if place == "-":
        return "stdin"
    if isinstance(place, str | os.PathLike):
        return os.fspath(place)
    name = getattr(place, "name", None)
    return name if isinstance(name, str) else "stream"


class Unpacked:
    """The bytes of one source as they are without packing, line by line.

    Args:
        name: what errors call the source.
        stream: where they are read; binary, with ``readline`` and, for `skip`, ``seek``.
        raw: the file under it, which says how far it was read.
    """

    def __init__(self, name: str, stream: Any, raw: Any = None) -> None:
        self.name, self._stream, self._raw = name, stream, raw

    def skip(self, offset: int) -> None:
        """Goes to a place, counted in bytes without packing.

        Raises:
            InputError: it cannot be read that far.
        """
        try:
            self._stream.seek(offset)
        except _READ_ERRORS as error:
            raise _unreadable(error, self.name, None) from None

    def lines(self, first: int = 1) -> Iterator[bytes]:
        """The lines from here on, each with its end.

        Args:
            first: the number of the next line.

        Raises:
            InputError: the source cannot be read or unpacked any further; it names the line.
        """
        read = self._stream.readline
        for number in count(first):
            try:
                line = read()
            except UnicodeDecodeError as error:
                reason = f"is not {error.encoding} text"
                raise InputError(reason, source=self.name, line=number) from None
            except _READ_ERRORS as error:
                raise _unreadable(error, self.name, number) from None
            if not line:
                return
            # A lone surrogate is refused where the line is decoded, and costs only this line.
            yield line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")

    def done(self) -> int | None:
        """Bytes of the file that were read so far, packed as they are; ``None`` for what is no file."""
        return None if self._raw is None else self._raw.tell()


def numbered(lines: Iterable[bytes], source: str, first: int = 1) -> Iterator[Line]:
    """Lines as text, numbered, without a byte order mark; an error in the place of one that is not UTF-8."""
    for number, line in enumerate(lines, first):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            reason = f"is not UTF-8 at byte {error.start + 1}: {error.reason}"
            yield number, InputError(reason, source=source, line=number)


@contextmanager
def open_lines(place: Place) -> Iterator[Iterator[Line]]:
    """The lines of a source, numbered from 1, without a byte order mark. A stream that was open stays open.

    Raises:
        InputError: the source cannot be opened, read or unpacked, or is no text.
    """
    with open_bytes(place) as unpacked:
        yield numbered(unpacked.lines(), unpacked.name)


@contextmanager
def open_bytes(place: Place) -> Iterator[Unpacked]:
    """The bytes of a source, unpacked. A stream that was open stays open.

    Raises:
        InputError: the source cannot be opened, or is no text.
    """
    name = name_of(place)
    if isinstance(place, str | os.PathLike) and place != "-":
        with _open(Path(place), name) as file, _unpacked(file, name) as unpacked:
            yield Unpacked(name, unpacked, file)
        return
    stream: Any = sys.stdin.buffer if place == "-" else place
    if isinstance(stream.read(0), str):
        yield Unpacked(name, stream)
    elif hasattr(stream, "peek"):
        with _unpacked(stream, name) as opened:
            yield Unpacked(name, opened)
    else:
        buffered = io.BufferedReader(stream)
        try:
            with _unpacked(buffered, name) as opened:
                yield Unpacked(name, opened)
        finally:
            buffered.detach()  # or it would close the caller's stream


def _open(path: Path, name: str) -> Any:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise InputError("no such file", source=name) from None
    except IsADirectoryError:
        raise InputError("is a directory; name the files in it", source=name) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be opened: {error}", source=name) from None


@contextmanager
def _unpacked(stream: Any, name: str) -> Iterator[Any]:
    if not _peek(stream, name).startswith(_GZIP):
        _refuse_binary(_peek(stream, name), name)
        yield stream
        return
    with gzip.open(stream) as unpacked:
        _refuse_binary(_peek(unpacked, name), name)
        yield unpacked


def _peek(stream: Any, name: str) -> bytes:
    try:
        return bytes(stream.peek(_SNIFF)[:_SNIFF])
    except _READ_ERRORS as error:
        raise _unreadable(error, name, 1) from None


def _refuse_binary(head: bytes, name: str) -> None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError("is UTF-16; convert it to UTF-8", source=name)
    # Text has no NUL, and its first line is UTF-8; a later line that is not spoils only itself.
    first = head.split(b"\n", 1)[0]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        raise InputError(_NOT_TEXT, source=name) from None
    if b"\0" in head:
        raise InputError(_NOT_TEXT, source=name)


def _unreadable(error: BaseException, name: str, line: int | None) -> InputError:
    if isinstance(error, EOFError):
        return InputError("the gzip data is cut short", source=name, line=line)
    return InputError(f"cannot be read: {error}", source=name, line=line)
