"""Opens a table and decides how its rows are read: by its schema, by a mapping, or as records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from llmtee.bulk._records import Raw
from llmtee.bulk._source import Opened
from llmtee.bulk.tables import _cells as cells
from llmtee.bulk.tables._arrow import arrow_table
from llmtee.bulk.tables._csv import csv_table
from llmtee.bulk.tables._kind import CSV
from llmtee.bulk.tables._messages import MessageRows, join
from llmtee.bulk.tables._propose import SAMPLE, Proposal, propose
from llmtee.bulk.tables._rows import ExchangeDecoder, RowDecoder
from llmtee.bulk.tables._table import Table
from llmtee.bulk.tables._vocabulary import EXCHANGE, FIELDS
from llmtee.bulk.tables.mapping import TableMapping, check
from llmtee.decoders import AUTO, Choice, Decoder, Detection, choice
from llmtee.errors import InputError, UsageError
from llmtee.frames import item_of
from llmtee.model import Item, SupplementBase
from llmtee.spec import Traces

TABLE = "table"
"""The format of a row, in what ``auto`` says."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table as records, and what reads them."""

    records: Iterator[Raw | InputError]
    choose: Choice


@dataclass(frozen=True, slots=True)
class _Fixed:
    """The same for all records."""

    decoder: Decoder
    found: Detection | None = None

    def __call__(self, _: Any) -> tuple[Decoder, Detection | None]:
        return self.decoder, self.found


def choice_by(mapping: TableMapping, format_name: str | None) -> Choice:
    """What reads rows by a mapping.

    Args:
        mapping: of the columns.
        format_name: of the requests and responses in the rows; ``None`` to tell it by what they hold.

    Raises:
        UsageError: a format was named, and rows hold neither requests nor responses.
    """
    return _Fixed(_decoder(mapping, format_name))


def _decoder(mapping: TableMapping, format_name: str | None) -> Decoder:
    if mapping.by_exchange:
        return Decoder(ExchangeDecoder(mapping, _Records(format_name or AUTO)), single=True)
    if format_name is not None:
        raise UsageError(
            f"{format_name} is the format of requests and responses, and the mapping has neither; "
            "leave the format out"
        )
    if mapping.by_message:
        rows = MessageRows(mapping)
        return Decoder(_Joined(rows), single=False, traces=Traces(split=rows.split, join=join))
    return Decoder(RowDecoder(mapping), single=True)


@dataclass(frozen=True, slots=True)
class _Records:
    """Decodes a record of a format."""

    format: str

    def __call__(self, record: Any) -> list[Item]:
        return choice(self.format)(record)[0].decode(record)


@dataclass(frozen=True, slots=True)
class _Joined:
    rows: MessageRows

    def __call__(self, row: Any) -> list[Item]:
        return join([part for _, part in self.rows.split(row)])


@contextmanager
def rows_of(
    stream: Opened,
    kind: str,
    mapping: TableMapping | None,
    choose: Choice,
    format_name: str | None,
) -> Iterator[Rows]:
    """The rows of a table.

    Args:
        stream: where it is read.
        kind: as `table_kind` tells it.
        mapping: of the columns, if one was given.
        choose: what reads records that need no mapping.
        format_name: that was named for them, if one was.

    Raises:
        InputError: the table cannot be read.
        UsageError: it needs a mapping, or has other columns than the mapping names; or an extra is missing.
    """
    if kind == CSV:
        table = csv_table(stream, mapping)
        yield (
            Rows(iter(()), choose)
            if table is None
            else _rows(stream, table, mapping, choose, format_name)
        )
        return
    with arrow_table(stream, kind) as table:
        yield _rows(stream, table, mapping, choose, format_name)


def _rows(
    stream: Opened,
    table: Table,
    mapping: TableMapping | None,
    choose: Choice,
    format_name: str | None,
) -> Rows:
    if mapping is not None and not mapping.auto:
        if wrong := mapping.missing(table.columns):
            raise UsageError(f"{stream.label}: {wrong}")
        return Rows(table.rows, choice_by(mapping, format_name))
    if table.schema is not None and (mapping is None or mapping.auto):
        found = Detection("llmtee", f"the schema of the table is {table.schema}")
        return Rows(table.rows, _Fixed(Decoder(own_items, single=False), found))
    if mapping is None and (format_name is not None or _holds_records(table)):
        _refuse_naive(stream, table)
        return Rows(_as_records(table.rows), choose)
    head = list(islice(table.rows, SAMPLE))
    rows = chain(head, table.rows)
    proposal = propose(table.columns, [raw.value for raw in head if isinstance(raw, Raw)])
    if mapping is None:
        raise UsageError(_needs_mapping(stream.label, table, proposal))
    return _accepted(stream, table, rows, mapping, proposal, format_name)


def own_items(row: Any) -> list[Item]:
    """The event or conversation in a row of a table with a schema of llmtee's own.

    Raises:
        InputError: it cannot be read, or is neither.
    """
    found = item_of(row)
    if isinstance(found, SupplementBase):
        raise InputError(
            f"is neither an event nor a conversation, but of kind {found.kind}; llmtee.from_frame reads it"
        )
    return [found]


def _accepted(
    stream: Opened,
    table: Table,
    rows: Iterator[Raw | InputError],
    said: TableMapping,
    proposal: Proposal | None,
    format_name: str | None,
) -> Rows:
    """The rows by a proposal; what was said goes before it."""
    proposed = proposal.mapping if proposal is not None else TableMapping()
    own = {one.field for one in said.columns}
    taken = {one.column for one in said.columns}
    columns = [one for one in proposed.columns if one.field not in own and one.column not in taken]
    defaults = TableMapping()
    whole = replace(
        said,
        columns=(*said.columns, *columns),
        times=said.times if said.times != defaults.times else proposed.times,
        decimal=said.decimal or proposed.decimal,
    )
    if not whole.columns:
        raise UsageError(_needs_mapping(stream.label, table, None))
    check(whole)
    if wrong := whole.missing(table.columns):
        raise UsageError(f"{stream.label}: {wrong}")
    found = Detection(TABLE, Proposal(whole).says)
    return Rows(rows, _Fixed(_decoder(whole, format_name), found))


def _holds_records(table: Table) -> bool:
    return table.typed and any(name in table.columns for name in EXCHANGE)


def _refuse_naive(stream: Opened, table: Table) -> None:
    times = [name for name in table.naive if name in FIELDS and FIELDS[name].kind == "time"]
    if times:
        raise UsageError(
            f"{stream.label}: the times in {times[0]!r} have no zone; say which with a mapping: "
            'auto = true and timezone = "UTC" (--map auto --map timezone=UTC)'
        )


def _as_records(rows: Iterator[Raw | InputError]) -> Iterator[Raw | InputError]:
    """Rows as records: objects and lists that stand as text are JSON, and empty cells are not there."""
    for raw in rows:
        if isinstance(raw, InputError):
            yield raw
            continue
        record = {
            name: cells.json_or_text(cell)
            for name, cell in raw.value.items()
            if not cells.is_absent(cell, ("",))
        }
        yield raw._replace(value=record)


def _needs_mapping(name: str, table: Table, proposal: Proposal | None) -> str:
    columns = ", ".join(map(repr, table.columns))
    if proposal is None:
        return (
            f"{name} is a table, and the names of its columns do not tell what was asked and answered; it has "
            f"{columns}. Say which column is which: --map session=… --map input=… --map output=…, or mapping= in "
            "Python; see docs/tables.md"
        )
    return (
        f"{name} is a table: say which column is which. By their names (columns that are not named become "
        f"properties):\n\n{proposal.toml()}\n\n"
        'Check it, save it as mapping.toml and add --map mapping.toml (in Python: mapping="mapping.toml"); or add\n\n'
        f"{proposal.options()}\n\nor --map auto, to take it as it is"
    )
