"""Items to Arrow tables, pandas and polars frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from llmtee import jsontext
from llmtee.errors import UsageError
from llmtee.frames._columns import COLUMNS, KEY, SchemaName
from llmtee.frames._schema import arrow_type, library, schema
from llmtee.model import Conversation, Item, Supplement, SupplementBase

ROWS = 1024
"""Rows of a batch at most."""
BYTES = 16_000_000
"""Bytes of JSON in a batch, after which it is closed."""


def to_frame(
    items: Iterable[Item | Supplement], frame: Literal["pyarrow", "pandas", "polars"] = "pyarrow"
) -> Any:
    """Events, or conversations, as a table with a row for each; `from_frame` gives the very same items back.

    Args:
        items: events, conversations or both, and supplements; any iterable, such as what ``llmtee.read`` gives. It is
            taken in batches, so that beside the table itself little is held.
        frame: ``pyarrow`` for a ``pyarrow.Table``, ``pandas`` for a ``DataFrame`` whose columns are Arrow's
            (``pandas.ArrowDtype``), ``polars`` for a ``polars.DataFrame``.

    Returns:
        A table of the schema ``event``, or ``conversation`` where all items are conversations, or ``item``, with the
        columns of both, where there are both. The columns are described in ``docs/arrow.md``; ``json`` holds the item
        whole.

    Raises:
        UsageError: ``frame`` is another word, or what it needs is not installed.
    """
    if frame not in ("pyarrow", "pandas", "polars"):
        raise UsageError(f"frame must be pyarrow, pandas or polars, not {frame!r:.60}")
    wanted = None if frame == "pyarrow" else library(frame, f"llmtee[frames] {frame}")
    table = _table(items)
    if frame == "pandas":
        made = table.to_pandas(types_mapper=library("pandas").ArrowDtype)
        made.attrs = {KEY.decode(): table.schema.metadata[KEY].decode()}
        return made
    return table if wanted is None else wanted.from_arrow(table)


def _table(items: Iterable[Item | Supplement]) -> Any:
    arrow = library("pyarrow")
    batches = [_batch(chunk, _name_for(chunk)) for chunk in _chunks(items, ROWS, BYTES)]
    if not batches:
        return schema("event").empty_table()
    if len({batch.schema for batch in batches}) == 1:
        return arrow.Table.from_batches(batches)
    return arrow.Table.from_batches([_widened(batch) for batch in batches])


def write_batches(
    items: Iterable[Item | Supplement],
    schema: SchemaName | None = None,
    *,
    rows: int = ROWS,
    bytes: int = BYTES,  # noqa: A002 - what it counts
) -> Iterator[Any]:
    """Items as ``pyarrow.RecordBatch``es of one schema, one after another: for files and streams.

    Args:
        items: any iterable; it is taken a batch at a time.
        schema: ``event``, ``conversation`` or ``item`` (which takes both); by default what the first item is.
        rows: of a batch at most.
        bytes: of JSON in a batch, after which it is closed.

    Raises:
        UsageError: pyarrow is not installed, or an item has no place in the schema.
    """
    for chunk in _chunks(items, rows, bytes):
        schema = schema or ("conversation" if _is_conversation(chunk[0][0]) else "event")
        if schema not in COLUMNS:
            raise UsageError(f"schema must be one of {', '.join(COLUMNS)}, not {schema!r:.60}")
        for item, _ in chunk:
            if schema != "item" and _is_conversation(item) != (schema == "conversation"):
                raise UsageError(
                    f"the {item.kind} {item.id} has no place in a table of {schema}s;"
                    " write events and conversations into a table each, or with schema='item'"
                )
        yield _batch(chunk, schema)


def item_text(item: Item | Supplement) -> bytes:
    """The item as JSON, lossless: what the column ``json`` holds."""
    if isinstance(item, SupplementBase):
        return item.to_json_text()
    runs = item.tool_runs if isinstance(item, Conversation) else (item,)
    if all(run.duration_ms is None or math.isfinite(run.duration_ms) for run in runs):
        return item.to_json_text()
    # JSON has no number for these, and the model reads them from text.
    written = item.to_json()
    for run in written["tool_runs"] if isinstance(item, Conversation) else [written]:
        if not math.isfinite(run.get("duration_ms", 0.0)):
            run["duration_ms"] = str(run["duration_ms"])
    return jsontext.dumps(written)


def _is_conversation(item: Item | Supplement) -> bool:
    return isinstance(item, Conversation)


_Chunk = list[tuple[Item | Supplement, bytes]]


def _chunks(items: Iterable[Item | Supplement], rows: int, size: int) -> Iterator[_Chunk]:
    chunk: _Chunk = []
    held = 0
    for item in items:
        text = item_text(item)
        chunk.append((item, text))
        held += len(text)
        if len(chunk) >= rows or held >= size:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _name_for(chunk: _Chunk) -> SchemaName:
    found = {_is_conversation(item) for item, _ in chunk}
    return "item" if len(found) > 1 else "conversation" if found == {True} else "event"


def _batch(chunk: _Chunk, name: SchemaName) -> Any:
    arrow = library("pyarrow")
    arrays = [
        arrow.array(
            [text if column.name == "json" else column.of(item) for item, text in chunk],
            arrow_type(column.type),
        )
        for column in COLUMNS[name]
    ]
    return arrow.RecordBatch.from_arrays(arrays, schema=schema(name))


def _widened(batch: Any) -> Any:
    """The batch with the columns of ``item``."""
    arrow = library("pyarrow")
    wide = schema("item")
    arrays = [
        batch.column(field.name)
        if field.name in batch.schema.names
        else arrow.nulls(batch.num_rows, field.type)
        for field in wide
    ]
    return arrow.RecordBatch.from_arrays(arrays, schema=wide)
