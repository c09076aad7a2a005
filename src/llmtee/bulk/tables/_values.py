"""What a row says of each field, and what is left of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from llmtee.bulk.tables import _cells as cells
from llmtee.bulk.tables._times import time_of, zone_of
from llmtee.bulk.tables._vocabulary import field_of, split_name
from llmtee.bulk.tables.mapping import Column, TableMapping
from llmtee.errors import InputError
from llmtee.jsonfields import as_object
from llmtee.model.snapshot import to_json_value

_zone = cache(zone_of)
_COUNTED = re.compile(r"\s*([+-]?\d+),(\d+)\s*")


@dataclass(slots=True)
class Values:
    """The fields that a row fills."""

    fields: dict[str, Any] = field(default_factory=dict)
    """By name; those of open objects as objects: ``{"properties": {"plan": "pro"}}``."""
    columns: dict[str, str] = field(default_factory=dict)
    """From which column each came, for errors."""
    flags: tuple[str, ...] = ()

    def take(self, name: str) -> Any:
        """A field, taken out; ``None`` if it is not there."""
        return self.fields.pop(name, None)


def values_of(row: Any, mapping: TableMapping) -> Values:
    """What a row says, by a mapping. The row stays as it is.

    Raises:
        InputError: a cell is not what its field holds; the error names the column.
    """
    row = as_object(row, "")
    found = Values()
    for one in mapping.columns:
        cell = one.value if one.column is None else _cell(row, one.column)
        if cells.is_absent(cell, mapping.empty):
            continue
        owner, name = split_name(one.field)
        try:
            value = _value(cell, one, mapping, found)
        except ValueError as error:
            raise _wrong(str(error), one) from None
        if owner:
            found.fields.setdefault(owner, {})[name] = value
        elif one.field == "properties":
            if not isinstance(value, dict):
                raise _wrong("must be a JSON object", one)
            found.fields["properties"] = {**value, **found.fields.get("properties", {})}
        else:
            found.fields[one.field] = value
        found.columns[one.field] = one.column or one.field
    if mapping.rest == "properties":
        used = [one.column for one in mapping.columns if one.column is not None]
        if rest := _rest(row, used, mapping):
            found.fields["properties"] = {**rest, **found.fields.get("properties", {})}
    return found


def _wrong(reason: str, column: Column) -> InputError:
    where = f"value of {column.field}" if column.column is None else column.column
    return InputError(f"{column.field}: {reason}", path=where)


def _value(cell: Any, column: Column, mapping: TableMapping, found: Values) -> Any:
    if column.words:
        text = cells.text_of(cell)
        cell = dict(column.words).get(text, cell)
    known = field_of(column.field)
    kind = "text" if known is None else known.kind
    if kind == "any-value":
        kind = column.type or kind
    if kind == "time":
        return _time(cell, column, mapping, found)
    if kind == "texts":
        return cells.texts_of(cell, column.separator)
    return _READERS[kind](cell, column.decimal or mapping.decimal)


_READERS: Mapping[str, Callable[[Any, str | None], Any]] = {
    "text": lambda cell, _: cells.text_of(cell),
    "number": lambda cell, decimal: cells.plain_number(cells.number_of(cell, decimal)),
    "count": cells.count_of,
    "amount": lambda cell, decimal: str(cells.number_of(cell, decimal)),
    "milliseconds": lambda cell, decimal: cells.milliseconds_of(cell, decimal, 1),
    "seconds": lambda cell, decimal: cells.milliseconds_of(cell, decimal, 1000),
    "boolean": lambda cell, _: cells.boolean_of(cell),
    "json": lambda cell, _: cells.json_of(cell),
    "any": lambda cell, _: cells.json_or_text(cell),
    "content": lambda cell, _: cells.content_of(cell),
    "any-value": lambda cell, _: to_json_value(cell),
}
"""What reads a cell of each kind, given what stands before the fraction of a number."""


def _time(cell: Any, column: Column, mapping: TableMapping, found: Values) -> Any:
    name = column.timezone or mapping.timezone
    zone = None if name is None else _zone(name)
    if (column.decimal or mapping.decimal) == "," and isinstance(cell, str):
        counted = _COUNTED.fullmatch(cell)
        cell = f"{counted[1]}.{counted[2]}" if counted else cell
    timed = time_of(cell, column.format or mapping.times, zone)
    if timed.twice:
        found.flags += (f"time_ambiguous: {column.field}, when the clocks of {name} were changed",)
    return timed.at


def _cell(row: Mapping[str, Any], name: str) -> Any:
    if name in row or "." not in name:
        return row.get(name)
    value: Any = row
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _rest(row: Mapping[str, Any], used: list[str], mapping: TableMapping) -> dict[str, Any]:
    """The cells that no field is filled from."""
    paths = [name.split(".", 1) for name in used if name not in row and "." in name]
    inner: dict[str, list[str]] = {}
    for first, rest in paths:
        inner.setdefault(first, []).append(rest)
    found: dict[str, Any] = {}
    for name, cell in row.items():
        if name in used or cells.is_absent(cell, mapping.empty):
            continue
        value = cell
        if name in inner and isinstance(cell, Mapping):
            value = _rest(cell, inner[name], mapping)
            if not value:
                continue
        found[name] = to_json_value(value)
    return found
