"""CSV as programs and spreadsheets write it, a row at a time."""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any

from llmtee.bulk._lines import MOST, text_head
from llmtee.bulk._records import Raw
from llmtee.bulk._source import READ_ERRORS, Opened, unreadable
from llmtee.bulk.tables._table import Table
from llmtee.bulk.tables.mapping import TableMapping
from llmtee.errors import InputError, UsageError

DELIMITERS = (",", ";", "\t", "|")
_MOST_CELL = 1 << 24
"""Characters in a cell: 16 million. A quote that nobody closed would otherwise swallow the rest of the file."""
_SEP = "sep="
_SAMPLE = 20


def csv_table(stream: Opened, mapping: TableMapping | None) -> Table | None:
    """The table in a text; ``None`` if there is not even a header.

    Raises:
        InputError: it cannot be read, or its encoding is another one.
        UsageError: what separates the cells cannot be told.
    """
    encoding = (mapping.encoding if mapping else None) or "utf-8"
    head = _head(stream, encoding)
    # What is not of the encoding spoils its own row only: it is looked for there.
    text = io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline="")
    tape = _Tape(iter(lambda: text.readline(MOST), ""), stream.label)
    said = mapping.delimiter if mapping else None
    delimiter = said or _delimiter(head, stream.label)
    rows = _rows(tape, delimiter, stream.label)
    header: list[str] | None = None
    for found in rows:
        if isinstance(found, InputError):
            raise found
        if found.value[0].lower().startswith(_SEP) and found.line == 1:  # a hint for spreadsheets
            continue
        header = _named(found.value, stream.label)
        break
    if header is None:
        return None
    return Table(header, _records(rows, header, stream.label, encoding, text), typed=False)


def _head(stream: Opened, encoding: str) -> str:
    if encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        raw = stream.look(lambda head: len(head) > 1 << 12)
    else:
        stream.look(lambda head: head.count(b"\n") > _SAMPLE)
        text_head(stream)
        raw = stream.look(lambda _: True)
    return raw.decode(encoding, "replace")


def _delimiter(head: str, name: str) -> str:
    """What separates the cells: that which cuts the rows into as many pieces as the header, and into most."""
    first = head.partition("\n")[0]
    if first.lower().startswith(_SEP) and len(first.rstrip("\r")) == len(_SEP) + 1:
        return first[len(_SEP)]
    counts: dict[str, tuple[float, int]] = {}
    for one in DELIMITERS:
        try:
            rows = [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=one) if row]
        except csv.Error:
            continue
        rows = rows[:-1] if len(rows) > 1 else rows  # the last may be cut
        if rows and len(rows[0]) > 1:
            width = len(rows[0])
            counts[one] = (sum(len(row) == width for row in rows) / len(rows), width)
    if not counts:
        return ","
    best = [one for one in counts if counts[one] == max(counts.values())]
    if len(best) > 1:
        said = " or ".join(map(repr, best))
        raise UsageError(
            f"{name}: the cells could be separated by {said}; say in the mapping: delimiter = {best[0]!r}"
        )
    return best[0]


class _Tape:
    """Lines, kept since a row began, so that a row that does not end can be left behind."""

    def __init__(self, lines: Iterator[str], name: str) -> None:
        self._lines, self._name = lines, name
        self._again: deque[str] = deque()
        self.kept: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        self.kept.append(line)
        self.number += 1
        return line

    def _read(self) -> str:
        try:
            line = next(self._lines)
        except (*READ_ERRORS, UnicodeError) as error:
            raise unreadable(error, self._name, self.number + 1) from None
        if len(line) == MOST:
            raise InputError(
                "the line is too long for a table", source=self._name, line=self.number + 1
            )
        return line

    @property
    def first(self) -> int:
        """The number of the first line that is kept."""
        return self.number - len(self.kept) + 1

    def rewind(self) -> None:
        """Goes back to the line after the first that is kept."""
        self._again.extendleft(reversed(self.kept[1:]))
        self.number = self.first


def _rows(tape: _Tape, delimiter: str, name: str) -> Iterator[Raw | InputError]:
    """Rows of cells, without blank lines, each with the number of its first line."""
    # A limit of the whole process, too low for transcripts; nobody relies on it being low.
    csv.field_size_limit(max(csv.field_size_limit(), _MOST_CELL))
    reader = csv.reader(tape, delimiter=delimiter, strict=True)
    while True:
        tape.kept = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = tape.first
            tape.rewind()
            reader = csv.reader(tape, delimiter=delimiter, strict=True)
            yield InputError(
                f"is not CSV: {error}; a cell with quotes stands in quotes, and those in it are doubled",
                source=name,
                line=line,
            )
            continue
        if cells and (len(cells) > 1 or cells[0].strip()):
            size = sum(map(len, tape.kept))
            yield Raw(cells, tape.first, "", name, 0, size)


def _named(header: list[str], name: str) -> list[str]:
    names = [one.strip().removeprefix("\ufeff") or f"column {i}" for i, one in enumerate(header, 1)]
    if twice := [one for one, count in Counter(names).items() if count > 1]:
        raise UsageError(f"{name}: two columns are named {twice[0]!r}; give each a name of its own")
    return names


def _records(
    rows: Iterable[Raw | InputError], header: list[str], name: str, encoding: str, text: Any
) -> Iterator[Raw | InputError]:
    try:
        for ordinal, row in enumerate(rows):
            if isinstance(row, InputError):
                yield row
            elif (reason := _broken(row.value, header, encoding)) is not None:
                yield InputError(reason, source=name, line=row.line)
            else:
                cells = dict(zip(header, row.value, strict=False))
                yield row._replace(value=cells, ordinal=ordinal)
    finally:
        text.detach()  # or it would close the stream


def _broken(cells: list[str], header: list[str], encoding: str) -> str | None:
    if len(cells) != len(header) and (len(cells) < len(header) or any(cells[len(header) :])):
        return (
            f"has {len(cells)} cell{'s' if len(cells) > 1 else ''}, but the header has {len(header)}; "
            "a cell that holds the delimiter or a quote stands in quotes"
        )
    if any(not cell.isascii() and _escaped(cell) for cell in cells):
        return (
            f"is not {encoding.upper()}; save the table as CSV in UTF-8, or name its encoding in the mapping: "
            'encoding = "cp1252"'
        )
    return None


def _escaped(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return True
    return False
