"""What a summary counts of each event, whether it comes as an item or as a row of a table."""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from llmtee.assembly import fit
from llmtee.errors import UsageError
from llmtee.frames import COLUMNS, items_of
from llmtee.model import Conversation, EventBase, SupplementBase, times


class Fact(NamedTuple):
    """One event, as far as a summary goes. The fields are columns of ``llmtee.to_frame``."""

    kind: str | None = None
    session: str | None = None
    agent: str | None = None
    model: str | None = None
    response_model: str | None = None
    tool_name: str | None = None
    started_at: dt.datetime | None = None
    duration_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    currency: str | None = None
    error_type: str | None = None
    error_message: str | None = None


_OF: Final = {one.name: one.of for one in COLUMNS["event"] if one.name in Fact._fields}
_NUMBERS: Final = ("duration_ms", "input_tokens", "output_tokens", "cost")


def facts(source: Any) -> Iterator[Fact]:
    """What a summary counts, of events, conversations (split into their events), or a table of them.

    Args:
        source: items; or an Arrow table or batch, a pandas or a polars frame with columns of ``llmtee.to_frame``, any
            of which may be missing.

    Raises:
        UsageError: ``source`` is neither, or is a table with other columns.
    """
    if isinstance(source, EventBase | Conversation):
        return _of_items([source])
    if (table := _table(source)) is not None:
        return _of_table(table)
    if isinstance(source, Iterable) and not isinstance(source, str | bytes | Mapping):
        return _of_items(source)
    raise UsageError(
        "a summary is made of events, conversations, or a table of them (pyarrow, pandas or polars),"
        f" not of {type(source).__name__}; llmtee.read reads files"
    )


def _of_items(items: Iterable[Any]) -> Iterator[Fact]:
    for item in items:
        if isinstance(item, SupplementBase):
            continue
        if not isinstance(item, EventBase | Conversation):
            raise UsageError(f"a summary is made of events and conversations, not of {item!r:.60}")
        for event in fit([item], "event") if isinstance(item, Conversation) else (item,):
            yield Fact(**{name: of(event) for name, of in _OF.items()})


def _table(source: Any) -> Any:
    """An Arrow table, of whatever kind of frame it is; ``None`` where it is none."""
    if isinstance(source, list | tuple | set | Iterator):
        return None
    try:
        import narwhals as nw  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        if hasattr(source, "columns"):
            raise UsageError("frames need narwhals: pip install 'llmtee[frames]'") from None
        return None
    arrow = sys.modules.get("pyarrow")
    if arrow is not None and isinstance(source, arrow.RecordBatch):
        source = arrow.Table.from_batches([source])
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    return frame.to_arrow() if isinstance(frame, nw.DataFrame) else None


def _of_table(table: Any) -> Iterator[Fact]:
    there = [name for name in Fact._fields if name in table.column_names]
    if not {"kind", "model", "tool_name"} & {*there}:
        raise UsageError(
            "a summary needs a column kind, model or tool_name, as llmtee.to_frame makes them;"
            f" there are {', '.join(map(str, table.column_names)) or 'none'}"
        )
    json = ["json"] if "json" in table.column_names else []
    return _of_rows(table.select([*there, *json]), there)


def _of_rows(table: Any, there: list[str]) -> Iterator[Fact]:
    for batch in table.to_batches(max_chunksize=4096):
        columns = [batch.column(place).to_pylist() for place in range(len(there))]
        for row, values in enumerate(zip(*columns, strict=True)):
            fact = Fact(**dict(zip(there, values, strict=True)))
            if fact.kind == "conversation":
                if "json" not in table.column_names:
                    raise UsageError("a summary of a table of conversations needs its column json")
                yield from _of_items(items_of(batch.slice(row, 1)))
            elif fact.kind not in ("annotation", "vendor_request"):
                yield _tidied(fact)


def _tidied(fact: Fact) -> Fact:
    """A row as our own columns have it, whatever a table that went through other hands makes of types and gaps."""
    numbers = {name: _number(getattr(fact, name)) for name in _NUMBERS}
    kind = fact.kind or ("tool_run" if fact.tool_name and not fact.model else "model_call")
    return fact._replace(kind=kind, started_at=times.parse_time(fact.started_at), **numbers)


def _number(value: Any) -> Any:
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value
