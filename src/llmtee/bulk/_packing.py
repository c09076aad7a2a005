"""How records become the bytes of a file: JSON Lines or one indented list, plain or packed.

Each piece is packed by itself, as a member (gzip, RFC 1952 §2.2) or a frame (zstd, RFC 8878 §3.1) of its own, which
readers take for one stream. So pieces can be packed in several processes, and a file can be cut after any of them.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

from llmtee import jsontext
from llmtee.errors import UsageError

BEGIN, BETWEEN, END, EMPTY = b"[\n", b",\n", b"\n]\n", b"[]\n"
"""What stands around the entries of an indented list."""


def joined(values: Iterable[Any], indent: int | None) -> bytes:
    """Records as JSON Lines; with ``indent`` as entries of a list, without what stands around them."""
    if indent is None:
        return lined([jsontext.dumps(value) for value in values])
    margin = " " * indent
    entries = []
    for value in values:
        text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
        entries.append("".join(margin + line for line in text.splitlines(keepends=True)))
    return BETWEEN.join(entry.encode() for entry in entries)


def lined(texts: Sequence[bytes]) -> bytes:
    """Records in JSON as JSON Lines."""
    return b"\n".join([*texts, b""])


def packing_of(destination: object) -> str:
    """The suffix of a path by which its content is packed; empty where it is not, and for streams.

    Raises:
        UsageError: the library for it is not installed.
    """
    if not isinstance(destination, str | os.PathLike):
        return ""
    suffix = PurePath(destination).suffix
    if suffix == ".zst":
        _zstandard()
    return suffix if suffix in (".gz", ".zst") else ""


def packed(data: bytes, packing: str) -> bytes:
    """A piece as it stands in the file. The same bytes for the same piece."""
    return _pack(data, packing) if data and packing else data


def packed_nothing(packing: str) -> bytes:
    """The content of a packed file without records: a piece of no bytes."""
    return _pack(b"", packing)


def _pack(data: bytes, packing: str) -> bytes:
    if packing == ".gz":
        return gzip.compress(data, compresslevel=6, mtime=0)  # no time: the same each time
    made: bytes = _zstandard().ZstdCompressor(level=3).compress(data)
    return made


def _zstandard() -> Any:
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError('output in .zst needs: pip install "llmtee[zstd]"') from None
    return zstandard
