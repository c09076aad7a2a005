"""Tables and frames to items."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError, UsageError
from llmtee.formats import canonical
from llmtee.frames._schema import library, schema_name
from llmtee.model import Item, Supplement, load_supplement

FROM_COLUMNS = "columns_only"
"""Flag of an item that was made from the columns, since the frame has no JSON for it."""

_SUPPLEMENTS = ("annotation", "vendor_request")


def from_frame(frame: Any) -> list[Any]:
    """The items of a table that `to_frame` or Parquet of its schema gave, in order.

    The column ``json`` is the truth: where it stands, the item is read from it and from nothing else, so a changed
    value in another column changes nothing. Where a row has none, or the frame has no such column, the item is made
    from the other columns. These hold the last question and the first answer of a model call, not its history, and
    of a conversation no messages; such an item is flagged ``columns_only``.

    Args:
        frame: a pyarrow ``Table``, ``RecordBatch`` or ``RecordBatchReader``, a list of batches, or any dataframe that
            narwhals knows: pandas, polars (lazy too), duckdb relations, and others.

    Returns:
        Events, conversations and supplements.

    Raises:
        UsageError: it is no frame, or has neither the column ``json`` nor ``kind``; narwhals is not installed.
        InputError: a row is no item; the error names the row, from 1, and the JSON path.
    """
    return list(_items(_eager(part) for part in _parts(frame)))


def items_of(batch: Any) -> Iterator[Item | Supplement]:
    """The items of one ``pyarrow.RecordBatch``, as `from_frame` reads them."""
    return _items(iter([_eager(batch)]))


def _parts(frame: Any) -> Iterable[Any]:
    """The frame in parts that stand in memory: each batch of a stream by itself."""
    if isinstance(frame, list | tuple | Iterator) or hasattr(frame, "read_next_batch"):
        return frame  # type: ignore[no-any-return]
    return [frame]


def _eager(frame: Any) -> Any:
    narwhals = library("narwhals")
    arrow = library("pyarrow")
    if isinstance(frame, arrow.RecordBatch):
        frame = arrow.Table.from_batches([frame])
    if isinstance(frame, arrow.Table):
        schema_name(frame.schema)  # raises for a newer one
    try:
        known = narwhals.from_native(frame)
    except TypeError:
        kind = type(frame)
        raise UsageError(
            f"a {kind.__module__}.{kind.__qualname__} is no frame; pass a pyarrow, pandas or polars"
            " table, or another that narwhals reads"
        ) from None
    return known.collect(backend="pyarrow") if isinstance(known, narwhals.LazyFrame) else known


def _items(frames: Iterator[Any]) -> Iterator[Item | Supplement]:
    row = 0
    for frame in frames:
        names = frame.columns
        if "json" not in names and "kind" not in names:
            raise UsageError(
                "the frame has neither the column 'json' nor 'kind', so it is none of llmtee's: it has"
                f" {', '.join(names) or 'no columns'}; read tables of other shapes with llmtee.read"
            )
        texts = frame["json"].to_list() if "json" in names else [None] * len(frame)
        whole = all(isinstance(text, str | bytes) for text in texts)
        rows = iter([{}] * len(texts)) if whole else frame.iter_rows(named=True)
        for text, others in zip(texts, rows, strict=True):
            row += 1
            try:
                yield load(text) if isinstance(text, str | bytes) else _made(others)
            except InputError as error:
                raise InputError(error.reason, source=f"row {row}", path=error.path) from None


def item_of(row: Mapping[str, Any]) -> Item | Supplement:
    """The item of one row, as `from_frame` reads it.

    Raises:
        InputError: it is no item; the error names the JSON path.
    """
    text = row.get("json")
    return load(text) if isinstance(text, str | bytes) else _made(row)


def load(text: str | bytes) -> Item | Supplement:
    """The item of one JSON text.

    Raises:
        InputError: it is not JSON, or no item.
    """
    try:
        value = jsontext.loads(text)
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", path="json") from None
    if isinstance(value, dict) and value.get("kind") in _SUPPLEMENTS:
        try:
            return load_supplement(value)
        except ValueError as error:
            raise InputError(f"is no {value['kind']}: {error}", path="json") from None
    [item] = canonical.decode(value)
    return item


# ── without JSON ────────────────────────────────────────────────────────────────────────────────────────────────

_AS_THEY_ARE = (
    *("id", "kind", "session", "trace_id", "parent", "name", "provider", "model", "response_model"),
    *("started_at", "ended_at", "first_token_at", "duration_ms", "step_type", "source", "tags"),
    *("segment", "title", "visibility", "updated_at"),
)
_OBJECTS = ("metrics", "feedback", "properties")
_COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "total_tokens": "total_tokens",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "reasoning_tokens": "reasoning",
}
_OF_KIND = {
    "conversation": {"segment", "title", "visibility", "updated_at"},
    "model_call": {"provider", "model", "response_model"},
    "step": {"step_type"},
    "tool_run": set[str](),
}
_OF_SOME = set().union(*_OF_KIND.values())
_OF_EVENTS = {"parent", "name", "first_token_at", "duration_ms"}


def _made(row: Mapping[str, Any]) -> Item:
    """The item that the columns of a row tell of."""
    told = {name: value for name, found in row.items() if (value := _value(found)) is not None}
    kind = told.get("kind")
    if kind is None and "error" in told:
        raise InputError(f"holds no item: {told['error']}", path="json")
    if kind not in _OF_KIND:
        raise InputError(
            f"without a text in 'json' a row is made from its columns; the kind {kind!r:.40} cannot be,"
            f" only {', '.join(_OF_KIND)}",
            path="kind",
        )
    found = {name: told[name] for name in _AS_THEY_ARE if name in told and _is_of(name, kind)}
    found |= {name: _json(name, told[name]) for name in _OBJECTS if name in told}
    flags = [flag for flag in told.get("flags", ()) if flag != FROM_COLUMNS]
    found["flags"] = [*flags, FROM_COLUMNS]
    if kind == "conversation":
        found["agents"] = [{"name": name} for name in told.get("agents", ())]
        found["people"] = [{"id": name} for name in told.get("people", ())]
    else:
        found |= _facts(told) | _CONTENT[kind](told)
    [item] = canonical.decode(found)
    return item


def _is_of(name: str, kind: str) -> bool:
    if name in _OF_SOME:
        return name in _OF_KIND[kind]
    return name not in _OF_EVENTS or kind != "conversation"


def _value(found: Any) -> Any:
    """A cell, or ``None`` where the frame's library has its own word for nothing there."""
    if found is None or type(found).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(found, float) and not math.isfinite(found):
        return None if math.isnan(found) else str(found)
    if hasattr(found, "to_pydatetime"):
        return found.to_pydatetime(warn=False)
    return found.tolist() if hasattr(found, "tolist") else found


def _json(name: str, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return jsontext.loads(text)
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", path=name) from None


def _facts(told: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    agent = {"name": told.get("agent"), "version": told.get("agent_version")}
    if any(agent.values()):
        found["agent"] = agent
    if "person" in told:
        found["person"] = {"id": told["person"]}
    if "error_type" in told or "error_message" in told:
        found["error"] = {"message": told.get("error_message", ""), "type": told.get("error_type")}
    return found


def _call(told: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if usage := {field: int(told[name]) for name, field in _COUNTS.items() if name in told}:
        found["usage"] = usage
    if "cost" in told:
        # The shortest text of the number: what stands there, not the binary fraction behind it.
        found["cost"] = {
            "amount": repr(float(told["cost"])),
            "currency": told.get("currency", "USD"),
        }
    if "input_text" in told:
        found["input"] = [_message("user", told["input_text"])]
    calls = [{"type": "tool_call", "name": name} for name in told.get("tool_calls", ())]
    if "output_text" in told or calls or "finish_reason" in told:
        answer = _message("assistant", told.get("output_text", ""))
        answer["parts"] = [*(part for part in answer["parts"] if part["text"]), *calls]
        found["choices"] = [{"message": answer, "finish_reason": told.get("finish_reason")}]
    return found


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "text": text}]}


def _run(told: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        field: _json_or_text(told[name])
        for name, field in (("input_text", "arguments"), ("output_text", "result"))
        if name in told
    }
    return found | ({"name": told["tool_name"]} if "tool_name" in told else {})


def _step(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field: _json(name, told[name])
        for name, field in (("input_text", "inputs"), ("output_text", "outputs"))
        if name in told
    }


def _json_or_text(text: Any) -> Any:
    try:
        return jsontext.loads(text)
    except ValueError:
        return text


_CONTENT = {"model_call": _call, "tool_run": _run, "step": _step}
