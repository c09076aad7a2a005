"""Tells a table from records in JSON, by its first bytes, and where these do not say it by its name."""

from __future__ import annotations

import csv
import io
from itertools import zip_longest

from llmtee import jsontext
from llmtee.bulk._source import PACKED, Opened
from llmtee.bulk.tables._csv import DELIMITERS
from llmtee.bulk.tables.mapping import TableMapping
from llmtee.errors import InputError

CSV, PARQUET, ARROW_FILE, ARROW_STREAM = "csv", "parquet", "arrow-file", "arrow-stream"

_MAGIC = {b"PAR1": PARQUET, b"ARROW1": ARROW_FILE, b"\xff\xff\xff\xff": ARROW_STREAM}
_ENCRYPTED, _FEATHER_1 = b"PARE", b"FEA1"
_BOM = "\ufeff"


def table_kind(stream: Opened, mapping: TableMapping | None) -> str | None:
    """What kind of table a source is; ``None`` for records in JSON, and for what is neither.

    Raises:
        InputError: it is a table that cannot be read.
    """
    head = stream.look(lambda head: len(head) >= 8)
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head.startswith(_ENCRYPTED):
        raise InputError("is encrypted Parquet; write it without encryption", source=stream.label)
    if head.startswith(_FEATHER_1):
        raise InputError(
            "is Feather of version 1; write it again as version 2, which is Arrow IPC",
            source=stream.label,
        )
    return CSV if _is_csv(stream, mapping) else None


def _is_csv(stream: Opened, mapping: TableMapping | None) -> bool:
    suffix = _suffix(stream.label)
    if suffix in (".json", ".jsonl", ".ndjson"):
        return False
    if mapping is not None and mapping.encoding is not None:
        return True
    raw = stream.look(lambda head: b"\n" in head.lstrip())
    text = raw.decode("utf-8", "replace").removeprefix(_BOM).lstrip()
    first = text.split("\n", 1)[0].strip()
    if not first or "\0" in text:
        return False
    if first[0] in "{[":
        return suffix in (".csv", ".tsv") and first not in "{[" and not _parses(first)
    if suffix in (".csv", ".tsv") or mapping is not None:
        return True
    return _has_columns(first, stream)


def _suffix(name: str) -> str:
    name = name.lower()
    for pack in PACKED:
        name = name.removesuffix(pack)
    dot = name.rfind(".")
    return name[dot:] if dot >= 0 else ""


def _parses(text: str) -> bool:
    try:
        jsontext.loads(text)
    except ValueError:
        return False
    return True


def _has_columns(first: str, stream: Opened) -> bool:
    """Whether a text without a telling name begins with names of columns, and goes on with as many cells."""
    raw = stream.look(lambda head: head.lstrip().count(b"\n") > 1)
    text = raw.decode("utf-8", "replace").removeprefix(_BOM)
    for delimiter in DELIMITERS:
        if delimiter not in first:
            continue
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            header, row = next(rows), next(rows, [])
        except (csv.Error, StopIteration):
            continue
        if row and row[0].lstrip()[:1] in ("{", "["):  # something else than a header before records
            continue
        pairs = list(zip_longest(header, row))
        if len(header) > 1 and all(_is_name(name) and cell is not None for name, cell in pairs):
            return True
    return False


def _is_name(cell: str | None) -> bool:
    return cell is not None and any(one.isalpha() for one in cell) and not _parses(cell)
