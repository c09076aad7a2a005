"""The pure steps as functions of record batches, for engines that map them over many machines.

Each is a plain function of a module: to pickle and import it starts nothing. A row that cannot be worked on becomes a
row that says why in ``error``; only a call that cannot work at all, such as one that names an unknown vendor, raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from llmtee import decoders, jsontext, registry
from llmtee.assembly import assemble
from llmtee.errors import LlmteeError, UsageError
from llmtee.frames._columns import (
    ASSEMBLED_COLUMNS,
    DECODED_COLUMNS,
    ERROR,
    RENDERED_COLUMNS,
    Column,
)
from llmtee.frames._read import load
from llmtee.frames._schema import arrow_type, library, schema_of
from llmtee.frames._write import item_text
from llmtee.functions import Rendered, render
from llmtee.model import Conversation, Event, Item, Supplement, SupplementBase
from llmtee.model.snapshot import error_text
from llmtee.spec import ExporterSettings

Batch: TypeAlias = Any
"""A ``pyarrow.RecordBatch``, or a ``pyarrow.Table`` where an engine gives that; what comes back is of the same kind."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What one row of an answer is made from."""

    item: Item | Supplement | None = None
    error: str | None = None
    origin: int = 0
    """The row that it comes from."""


def decode_batch(
    batch: Batch,
    *,
    format: str = decoders.AUTO,  # noqa: A002 - the name that users type
    column: str | None = None,
    keep: Sequence[str] = (),
) -> Batch:
    """Raw records to events and conversations.

    Each row of ``batch`` is one record, and is worked on by itself, so that it does not matter where an engine cuts
    its batches. It gives a row for each item in it, mostly one, in order; a row that cannot be read, or holds no item,
    gives one row with ``error``. So there are at least as many rows as before. Two equal records without an id of
    their own get the same id, and parts of one trace in several records are not joined: ``llmtee.read`` does both.

    Args:
        batch: the records.
        format: as for ``llmtee.read``: name of a format or a vendor, or ``auto``.
        column: where the records are: JSON as text or bytes, or a struct. By default the only column there is, or
            where there are several, each row as a whole, its columns the keys. A null in a struct is an absent key.
        keep: columns of ``batch`` that are copied in front of what is read, such as a file's name.

    Returns:
        The kept columns, those of the schema ``item``, and ``error``.

    Raises:
        UsageError: the format or a column is unknown, or pyarrow is not installed.
    """
    choose = decoders.choice(format)
    names = batch.schema.names
    for name in (*([] if column is None else [column]), *keep):
        if name not in names:
            raise UsageError(f"no column is named {name!r}; there are {', '.join(names)}")
    record = names[0] if column is None and len(names) == 1 else column
    rows = [row for i in range(batch.num_rows) for row in _decoded(batch, i, record, choose)]
    arrow = library("pyarrow")
    origins = arrow.array([row.origin for row in rows], arrow.int64())
    kept = [(batch.schema.field(name), batch.column(name).take(origins)) for name in keep]
    return _like(batch, _item_arrays(rows, DECODED_COLUMNS), batch_schema("decoded"), kept)


def render_batch(
    batch: Batch,
    target: str | ExporterSettings,
    *,
    carry: bool | None = None,
    ledger: bool = True,
) -> Batch:
    """Events or conversations as a vendor gets them.

    Each row is worked on by itself, so that it does not matter where an engine cuts its batches. It gives a row for
    each body that is sent: one, or for a conversation at a vendor of events, one for each event that it is split into.
    A row that cannot be rendered, or came with an ``error``, gives one row with ``error``; so does an event at a
    vendor of conversations, since which other events belong to its session cannot be told from one row: let
    `assemble_batch` go before.

    Args:
        batch: with the column ``json`` of any of our schemas, such as `decode_batch` gives.
        target: a vendor's name, or settings.
        carry: as for ``llmtee.render``.
        ledger: whether to count what the vendor keeps, which takes about twice the time of rendering.

    Returns:
        The columns ``id``, ``session``, ``body``, ``bytes``, ``kept``, ``parked``, ``changed``, ``trimmed``, ``lost``,
        ``skip`` and ``error``.

    Raises:
        UsageError: the vendor is unknown, there is no column ``json``, or pyarrow is not installed.
    """
    name = target if isinstance(target, str) else target.vendor
    vendor = registry.vendor(name)
    rows: list[dict[str, Any]] = []
    for row in _items(batch):
        item = row.item
        if item is None:
            rows.append({"error": row.error})
        elif isinstance(item, SupplementBase):
            rows.append({"id": item.id, "skip": f"{item.kind}: rendered by none; send it"})
        elif vendor.grain == "conversation" and not isinstance(item, Conversation):
            error = f"{vendor.title} takes conversations; make them with assemble_batch"
            rows.append({"id": item.id, "session": item.session, "error": error})
        else:
            rows += _rendered(item, target, carry, ledger)
    arrow = library("pyarrow")
    arrays = [
        arrow.array([row.get(column.name) for row in rows], arrow_type(column.type))
        for column in RENDERED_COLUMNS
    ]
    return _like(batch, arrays, batch_schema("rendered"))


def assemble_batch(batch: Batch) -> Batch:
    """Events to the conversations that they belong to.

    A session must be in one batch as a whole: of one that is split over several, each gives a conversation of its part,
    under the same id. So let the engine group by ``session`` first; Spark's ``applyInArrow`` gives this function one
    session at a time, as a table. An event without a session makes a conversation of its own.

    Args:
        batch: with the column ``json`` of any of our schemas. Conversations in it come through as they are, first.

    Returns:
        The columns of the schema ``conversation``, and ``error``, in which each row that is no event is told, last.

    Raises:
        UsageError: there is no column ``json``, or pyarrow is not installed.
    """
    events: list[Event] = []
    whole: list[_Row] = []
    failed: list[_Row] = []
    for row in _items(batch):
        if row.item is None:
            failed.append(row)
        elif isinstance(row.item, SupplementBase):
            failed.append(
                _Row(error=f"the {row.item.kind} {row.item.id} is part of no conversation")
            )
        elif isinstance(row.item, Conversation):
            whole.append(row)
        else:
            events.append(row.item)
    rows = [*whole, *(_Row(one) for one in assemble(events)), *failed]
    return _like(batch, _item_arrays(rows, ASSEMBLED_COLUMNS), batch_schema("assembled"))


@cache
def batch_schema(name: Literal["decoded", "rendered", "assembled"]) -> Any:
    """The ``pyarrow.Schema`` of what a step gives, without the columns that `decode_batch` keeps."""
    columns, kind = {
        "decoded": (DECODED_COLUMNS, "item"),
        "rendered": (RENDERED_COLUMNS, "rendered"),
        "assembled": (ASSEMBLED_COLUMNS, "conversation"),
    }[name]
    return schema_of(columns, kind)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _decoded(batch: Batch, i: int, column: str | None, choose: decoders.Choice) -> list[_Row]:
    try:
        raw = _record(batch, i, column)
        items = choose(raw)[0].decode(raw)
    except Exception as error:  # noqa: BLE001 - a plug-in's format may do anything, and the other rows can be read
        return [_Row(error=_said(error), origin=i)]
    return [_Row(item, origin=i) for item in items] or [
        _Row(error="holds no event and no conversation", origin=i)
    ]


def _record(batch: Batch, i: int, column: str | None) -> Any:
    if column is None:
        fields = zip(batch.schema, batch.columns, strict=True)
        cells = {field.name: _plain(values[i].as_py(), field.type) for field, values in fields}
        return {name: value for name, value in cells.items() if value is not None}
    value = _plain(batch.column(column)[i].as_py(), batch.schema.field(column).type)
    if value is None:
        raise ValueError("is null")
    return jsontext.loads(value) if isinstance(value, str | bytes) else value


def _plain(value: Any, kind: Any) -> Any:
    """A cell as a JSON-like value: structs without nulls, since absent keys are null in them; maps as objects."""
    types = library("pyarrow.types")
    if value is None:
        return None
    if types.is_struct(kind):
        inner = ((field.name, _plain(value[field.name], field.type)) for field in kind)
        return {name: one for name, one in inner if one is not None}
    if types.is_map(kind):
        pairs = value.items() if isinstance(value, dict) else value
        return {str(key): _plain(one, kind.item_type) for key, one in pairs}
    if isinstance(value, list):
        return [_plain(one, kind.value_type) for one in value]
    return value


def _items(batch: Batch) -> Iterator[_Row]:
    """The item of each row, or why there is none."""
    names = batch.schema.names
    if "json" not in names:
        raise UsageError(
            f"there is no column 'json', only {', '.join(names)}; make one with decode_batch"
        )
    told = batch.column("error") if ERROR.name in names else None
    for i, cell in enumerate(batch.column("json")):
        try:
            text = cell.as_py()
            row = _Row(error=_missing(told, i)) if text is None else _Row(load(text))
        except (LlmteeError, ValueError) as error:
            row = _Row(error=_said(error))
        yield row


def _missing(told: Any, i: int) -> str:
    """Why a row has no JSON."""
    error = None if told is None else told[i].as_py()
    return str(error or "has no text in 'json'")


def _rendered(
    item: Item, target: str | ExporterSettings, carry: bool | None, ledger: bool
) -> list[dict[str, Any]]:
    told = {"id": item.id, "session": item.session}
    try:
        found = render([item], target, carry=carry)
        return [_rendered_row(one, ledger) for one in found] or [
            told | {"skip": "there is nothing in it to send"}
        ]
    except UsageError:
        raise  # wrong for every row
    except Exception as error:  # noqa: BLE001 - a plug-in's vendor may do anything; the other rows can be rendered
        return [told | {"error": _said(error)}]


def _rendered_row(one: Rendered, ledger: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"id": one.item.id, "session": one.item.session, "skip": one.skip}
    if one.request is not None:
        row |= {"body": one.request.content, "bytes": len(one.request.content)}
    if ledger:
        row |= {name: getattr(one.ledger, name) for name in _COUNTED}
    return row


_COUNTED = ("kept", "parked", "changed", "trimmed", "lost")


def _said(error: BaseException) -> str:
    text = error_text(error)
    if isinstance(error, LlmteeError | ValueError) and text:
        return text
    return f"{type(error).__name__}: {text}"


# ── arrays ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _item_arrays(rows: Sequence[_Row], columns: Sequence[Column]) -> list[Any]:
    arrow = library("pyarrow")

    def cell(row: _Row, column: Column) -> Any:
        if column is ERROR:
            return row.error
        if row.item is None:
            return None
        return item_text(row.item) if column.name == "json" else column.of(row.item)

    return [
        arrow.array([cell(row, column) for row in rows], arrow_type(column.type))
        for column in columns
    ]


def _like(
    given: Batch, arrays: Sequence[Any], schema: Any, kept: Sequence[tuple[Any, Any]] = ()
) -> Batch:
    """A batch, or a table where one was given, of those columns behind the kept ones."""
    arrow = library("pyarrow")
    fields = [*(field for field, _ in kept), *schema]
    named = arrow.schema(fields, metadata=schema.metadata)
    kind = arrow.Table if isinstance(given, arrow.Table) else arrow.RecordBatch
    return kind.from_arrays([*(array for _, array in kept), *arrays], schema=named)
