"""Lines of bytes, numbered, and what is no text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import count
from typing import TypeAlias

from llmtee.bulk._source import READ_ERRORS, Opened, unreadable
from llmtee.errors import InputError

Line: TypeAlias = tuple[int, bytes | InputError]
"""A line with its end and its number; the error where it cannot be held."""

MOST = 1 << 26
"""Bytes of one record at most: 64 MB. What is longer is not records, and would not leave room for them."""

_NOT_TEXT = (
    "is not text but a binary file; records are JSON Lines, JSON, CSV, Parquet or Arrow IPC, "
    "plain or packed by gzip or zstd"
)
_ZIP = b"PK\x03\x04"


def lines(stream: Opened) -> Iterator[Line]:
    """The lines of a text, numbered from 1.

    Raises:
        InputError: the rest cannot be read.
    """
    readline, name = stream.readline, stream.label
    for number in count(1):
        try:
            line = readline(MOST)
            if len(line) == MOST and not line.endswith(b"\n"):
                while more := readline(MOST):
                    if more.endswith(b"\n"):
                        break
                yield number, too_large("line", name, number)
                continue
        except (*READ_ERRORS, UnicodeDecodeError) as error:
            raise unreadable(error, name, number) from None
        if not line:
            return
        yield number, line


def too_large(what: str, name: str, line: int) -> InputError:
    """The error of a record that is too large to be held."""
    reason = (
        f"the {what} has more than {MOST >> 20} MB; write each record on a line of its own, "
        "for instance with jq -c '.[]'"
    )
    return InputError(reason, source=name, line=line)


def text_head(stream: Opened) -> bytes:
    """What a text begins with: a line, or 64 KB of it. The byte order mark is taken off the stream.

    Raises:
        InputError: it is no text, or one in UTF-16.
    """
    head = stream.look(lambda head: b"\n" in head)
    _refuse_binary(head, stream.label)
    if head.startswith(codecs.BOM_UTF8):
        stream.skip(len(codecs.BOM_UTF8))
    return head.removeprefix(codecs.BOM_UTF8)


def _refuse_binary(head: bytes, name: str) -> None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(
            "is UTF-16; convert it to UTF-8, or name the encoding of a table in its mapping: "
            'encoding = "utf-16"',
            source=name,
        )
    if head.startswith(_ZIP):
        raise InputError(
            "is a zip archive, as .xlsx files are: unpack it, or save the sheet as CSV in UTF-8",
            source=name,
        )
    # In a later line, a crash or a disk has spoiled that line alone.
    if b"\0" in head.split(b"\n", 1)[0]:
        raise InputError(_NOT_TEXT, source=name)


def refuse_other_encoding(head: bytes, name: str) -> None:
    """Raises an `InputError` if the first line is not UTF-8. A later line that is not spoils only itself."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head.split(b"\n", 1)[0])
    except UnicodeDecodeError:
        raise InputError(_NOT_TEXT, source=name) from None


def not_utf8(text: bytes) -> str | None:
    """Why bytes are not UTF-8; ``None`` if they are."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 at byte {error.start + 1}: {error.reason}"
    return None
