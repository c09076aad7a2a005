"""The Arrow schemas, made when they are first asked for: Arrow comes with an extra."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any, cast

from llmtee.errors import UsageError
from llmtee.frames._columns import COLUMNS, KEY, VERSION, ArrowType, Column, SchemaName


def library(name: str, extra: str = "llmtee[frames]") -> Any:
    """A library that is not always there.

    Raises:
        UsageError: it is not installed; the error says what to install.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != name.partition(".")[0]:
            raise
        raise UsageError(f"frames need {name}: pip install '{extra}'") from None


@cache
def schema(name: SchemaName) -> Any:
    """The ``pyarrow.Schema`` of that name. Its metadata has ``llmtee.schema``, such as ``event/1``.

    Raises:
        UsageError: pyarrow is not installed.
    """
    return schema_of(COLUMNS[name], name)


def schema_of(columns: Iterable[Column], name: str) -> Any:
    """A schema of those columns."""
    arrow = library("pyarrow")
    fields = [arrow.field(column.name, arrow_type(column.type)) for column in columns]
    return arrow.schema(fields, metadata={KEY: f"{name}/{VERSION}".encode()})


@cache
def arrow_type(text: ArrowType) -> Any:
    """The ``pyarrow.DataType`` that calls itself so."""
    arrow = library("pyarrow")
    if text == "timestamp[us, tz=UTC]":
        return arrow.timestamp("us", tz="UTC")
    if text == "list<item: string>":
        return arrow.list_(arrow.field("item", arrow.string()))
    return getattr(arrow, {"double": "float64"}.get(text, text))()


def schema_name(given: Any) -> SchemaName | None:
    """Which of our schemas a ``pyarrow.Schema`` is, by its metadata; ``None`` where it is none.

    Raises:
        UsageError: a newer llmtee wrote it, in a version that this one does not know.
    """
    said = (given.metadata or {}).get(KEY)
    if said is None:
        return None
    name, _, version = said.decode("utf-8", "replace").partition("/")
    if name not in COLUMNS or not version.isdigit():
        return None
    if int(version) > VERSION:
        raise UsageError(
            f"the table has the schema {name}/{version}, and this llmtee knows {name}/{VERSION}:"
            " install a newer llmtee"
        )
    return cast(SchemaName, name)
