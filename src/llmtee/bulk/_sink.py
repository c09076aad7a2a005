"""Where converted records go: a file that appears when it is complete, a stream, or stdout."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias
from uuid import uuid4

from llmtee import jsontext
from llmtee.errors import UsageError

Destination: TypeAlias = str | os.PathLike[str] | IO[str] | IO[bytes]
"""A path, an open stream, or ``-`` for stdout."""

Write: TypeAlias = Callable[[Any], None]
"""Writes one record."""


@contextmanager
def open_sink(destination: Destination, indent: int | None) -> Iterator[Write]:
    """A function that writes records: JSON Lines, or with ``indent`` one indented list.

    A file is written beside its place and moved there when the block ends well; otherwise it is removed, and what
    was there before stays. A name that ends in ``.gz`` is packed.

    Raises:
        UsageError: the file cannot be written.
    """
    with _open(destination) as put:
        if indent is None:
            yield lambda value: put(jsontext.dumps(value) + b"\n")
            return
        writer = _ListWriter(put, indent)
        yield writer.write
        writer.close()


class _ListWriter:
    """Writes the entries of one JSON list as they come."""

    def __init__(self, put: Callable[[bytes], Any], indent: int) -> None:
        self._put, self._indent, self._begun = put, indent, False

    def write(self, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False, indent=self._indent, allow_nan=False)
        margin = " " * self._indent
        entry = "".join(margin + line for line in text.splitlines(keepends=True))
        self._put(((",\n" if self._begun else "[\n") + entry).encode())
        self._begun = True

    def close(self) -> None:
        self._put(b"\n]\n" if self._begun else b"[]\n")


@contextmanager
def _open(destination: Destination) -> Iterator[Callable[[bytes], Any]]:
    if destination == "-":
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
    elif isinstance(destination, str | os.PathLike):
        with _file(Path(destination)) as file:
            yield file.write
    else:
        stream: Any = destination
        text = hasattr(stream, "encoding")
        yield lambda data: stream.write(data.decode() if text else data)


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    path = Path(os.path.realpath(path))  # a link stays a link
    special = path.exists() and not path.is_file()  # /dev/stdout, a pipe: nothing to move
    target = path if special else path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        stream = target.open("wb" if special else "xb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        with stream, _packed(stream, path) as file:
            yield file
        if not special:
            target.replace(path)
    except BaseException:
        if not special:
            target.unlink(missing_ok=True)
        raise


@contextmanager
def _packed(stream: Any, path: Path) -> Iterator[Any]:
    if path.suffix != ".gz":
        yield stream
        return
    # No time and no name in the header: the same records give the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed:
        yield packed
