"""Where records come from: files, plain or gzipped, streams and stdin, one line at a time."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
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


@contextmanager
def open_lines(place: Place) -> Iterator[Iterator[Line]]:
    """The lines of a source, numbered from 1, without a byte order mark. A stream that was open stays open.

    Raises:
        InputError: the source cannot be opened, read or unpacked, or is no text.
    """
    name = name_of(place)
    if isinstance(place, str | os.PathLike) and place != "-":
        with _open(Path(place), name) as file:
            yield _byte_lines(file, name)
        return
    stream: Any = sys.stdin.buffer if place == "-" else place
    if isinstance(stream.read(0), str):
        yield _text_lines(stream, name)
    elif hasattr(stream, "peek"):
        yield _byte_lines(stream, name)
    else:
        buffered = io.BufferedReader(stream)
        try:
            yield _byte_lines(buffered, name)
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


def _byte_lines(stream: Any, name: str) -> Iterator[Line]:
    if _peek(stream, name).startswith(_GZIP):
        with gzip.open(stream) as unpacked:
            yield from _decoded(unpacked, name)
    else:
        yield from _decoded(stream, name)


def _peek(stream: Any, name: str) -> bytes:
    try:
        return bytes(stream.peek(_SNIFF)[:_SNIFF])
    except _READ_ERRORS as error:
        raise _unreadable(error, name, 1) from None


def _decoded(stream: Any, name: str) -> Iterator[Line]:
    _refuse_binary(_peek(stream, name), name)
    for number in count(1):
        try:
            line = stream.readline()
        except _READ_ERRORS as error:
            raise _unreadable(error, name, number) from None
        if not line:
            return
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            reason = f"is not UTF-8 at byte {error.start + 1}: {error.reason}"
            yield number, InputError(reason, source=name, line=number)


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


def _text_lines(stream: Any, name: str) -> Iterator[Line]:
    for number in count(1):
        try:
            line = stream.readline()
        except UnicodeDecodeError as error:
            raise InputError(f"is not {error.encoding} text", source=name, line=number) from None
        if not line:
            return
        yield number, line.removeprefix("\ufeff") if number == 1 else line


def _unreadable(error: BaseException, name: str, line: int) -> InputError:
    if isinstance(error, EOFError):
        return InputError("the gzip data is cut short", source=name, line=line)
    return InputError(f"cannot be read: {error}", source=name, line=line)
