"""What a summary counts of each event, whether it comes as an item or as a row of a table."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from llmtee import jsontext
from llmtee.assembly import fit
from llmtee.errors import UsageError
from llmtee.frames import COLUMNS
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
    except ModuleNotFoundError:  # then nobody can have handed in a frame that it knows
        return None
    if hasattr(source, "schema") and hasattr(source, "to_pylist"):  # a table or a batch of Arrow's
        source = nw.from_native(_whole(source), eager_only=True)
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    return frame.to_arrow() if isinstance(frame, nw.DataFrame) else None


def _whole(batch: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    return pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
