"""`TableMapping`: which columns fill which fields, as a dictionary, a TOML file or words of a command line say it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

from llmtee.bulk.tables._times import DEFAULT_FORMATS, check_format, zone_of
from llmtee.bulk.tables._vocabulary import EXCHANGE, FIELDS, MESSAGE, OPEN, TYPES, field_of
from llmtee.errors import UsageError

AUTO = "auto"
REST = ("properties", "drop")

Given: TypeAlias = "Mapping[str, Any] | str | os.PathLike[str] | TableMapping | None"

_OPTIONS = ("auto", "timezone", "times", "decimal", "empty", "rest", "delimiter", "encoding")
_COLUMN = ("column", "value", "format", "timezone", "decimal", "separator", "words", "type")
_SAID = ("input", "output", "system", "messages", "kind", "tool", "tool_arguments", "tool_result")
_NOT_IN_EXCHANGES = (
    *(*_SAID, *MESSAGE, "tool_calls", "tool_call_id", "model", "response_model"),
    *("parameters", "usage", "finish_reason"),
)
_NOT_IN_MESSAGES = (*_SAID, "parent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Where the values of one field come from."""

    field: str
    column: str | None = None
    """Name of the column; of objects in JSON, also a path such as ``metadata.user``."""
    value: str | int | float | bool | None = None
    """The same for all rows, where there is no column."""
    format: tuple[str, ...] = ()
    """Of times; else the mapping's."""
    timezone: str | None = None
    decimal: str | None = None
    separator: str | None = None
    words: tuple[tuple[str, str], ...] = ()
    """What the words in the column stand for."""
    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMapping:
    """Which columns of a table fill which fields, and how their cells are read."""

    columns: tuple[Column, ...] = ()
    auto: bool = False
    """Whether what is not said here is proposed by the names of the columns, and taken."""
    timezone: str | None = None
    """Of times that name none: ``Europe/Berlin``, ``UTC``, ``+02:00``."""
    times: tuple[str, ...] = DEFAULT_FORMATS
    """Formats of times, tried in order."""
    decimal: str | None = None
    """What stands before the fraction of a number: ``.`` or ``,``."""
    empty: tuple[str, ...] = ("",)
    """What a cell holds that holds nothing."""
    rest: str = "properties"
    """What becomes of the columns that no field is filled from: ``properties`` or ``drop``."""
    delimiter: str | None = None
    """Of CSV; told by the file where it is not said."""
    encoding: str | None = None
    """Of CSV; UTF-8 where it is not said."""

    @property
    def fields(self) -> frozenset[str]:
        """The fields that are filled, by name; of open ones their object's."""
        names = {one.field for one in self.columns}
        return frozenset(names | {o for o in OPEN for name in names if name.startswith(f"{o}.")})

    @property
    def by_message(self) -> bool:
        """Whether each row is one message of a conversation."""
        return "content" in self.fields

    @property
    def by_exchange(self) -> bool:
        """Whether each row is a record of a provider's format."""
        return not self.fields.isdisjoint(EXCHANGE)

    def missing(self, columns: Sequence[str]) -> str | None:
        """What is wrong where a table has these columns only; ``None`` if all are there."""
        for one in self.columns:
            if one.column is not None and one.column not in columns:
                alike = [name for name in columns if name.casefold() == one.column.casefold()]
                near = alike or get_close_matches(one.column, columns, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                known = ", ".join(map(repr, columns))
                return f"mapping: {one.field}: no column is named {one.column!r}; {hint}the table has {known}"
        return None


def mapping_of(given: Given) -> TableMapping | None:
    """A mapping, however it was given: a dictionary, the path of a TOML file, or ``"auto"``.

    Raises:
        UsageError: it cannot be read, or cannot work.
    """
    if given is None or isinstance(given, TableMapping):
        return given
    if isinstance(given, str) and given == AUTO:
        return TableMapping(auto=True)
    if isinstance(given, Mapping):
        return _mapping(given)
    return _mapping(_from_file(Path(given)))


def mapping_of_words(words: Iterable[str]) -> TableMapping | None:
    """The mapping of a command line: ``field=column``, ``option=value``, ``auto``, and paths of TOML files.

    A value in braces is TOML: ``duration_s={column="t", decimal=","}``.

    Raises:
        UsageError: it cannot work.
    """
    files: dict[str, Any] = {}
    said: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word == AUTO:
            said["auto"] = True
        elif not equals:
            files |= _from_file(Path(word))
        elif name in said:
            raise UsageError(f"--map {name} is given twice")
        else:
            said[name] = _word_value(name, value)
    return _mapping({**_flat(files), **said}) if files or said else None


def _word_value(name: str, value: str) -> Any:
    if value.startswith("{"):
        try:
            return tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"--map {name}: is not TOML: {error}") from None
    return value.split(",") if name in ("times", "empty") else value


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"mapping: {path}: no such file; a mapping is a TOML file, or field=column"
        ) from None
    except OSError as error:
        raise UsageError(f"mapping: {path} cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"mapping: {path} is not TOML: {error}") from None


def _flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by their whole names: ``{"properties": {"plan": …}}`` is ``{"properties.plan": …}``.

    ``person.id`` is ``person``: in TOML, where ``person.properties`` stands beside it, it has to be called so.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        is_person = name == "person" and not {"column", "value"} & set(value)
        if isinstance(value, Mapping) and (name in OPEN or is_person):
            found |= _flat({f"{name}.{inner}": one for inner, one in value.items()})
        else:
            found["person" if name == "person.id" else name] = value
    return found


def _mapping(given: Mapping[str, Any]) -> TableMapping:
    columns, options = [], {}
    for name, value in _flat(given).items():
        if name in _OPTIONS:
            options[name] = _option(name, value)
        else:
            columns.append(_column(name, value))
    mapping = TableMapping(columns=tuple(columns), **options)
    check(mapping)
    return mapping


def _option(name: str, value: Any) -> Any:
    if name == "auto":
        if isinstance(value, bool):
            return value
        raise UsageError("mapping: auto must be true or false")
    if name == "times":
        return _formats(name, value)
    if name == "empty":
        return ("", *_texts(name, value))
    text = _text(name, value)
    if name == "timezone":
        zone_of(text)
    elif name == "decimal":
        _decimal(name, text)
    elif name == "rest" and text not in REST:
        raise UsageError(f"mapping: rest must be {' or '.join(REST)}, not {text!r:.60}")
    elif name == "delimiter" and (len(text) != 1 or text in '"\r\n'):
        raise UsageError("mapping: delimiter must be one character, such as ';'")
    elif name == "encoding":
        try:
            "".encode(text)
        except LookupError:
            raise UsageError(f"mapping: no encoding is named {text!r:.60}") from None
    return text


def _column(name: str, given: Any) -> Column:
    field = field_of(name)
    if field is None:
        known = (*FIELDS, *(f"{owner}.…" for owner in OPEN), *_OPTIONS)
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            f"mapping: no field is named {name!r:.60}; {hint}known: {', '.join(known)}"
        )
    if isinstance(given, str):
        return Column(field=name, column=given)
    if not isinstance(given, Mapping):
        raise UsageError(f'mapping: {name} must be the name of a column, or {{value = "…"}}')
    if unknown := [key for key in given if key not in _COLUMN]:
        raise UsageError(
            f"mapping: {name}: nothing is named {unknown[0]!r}; known: {', '.join(_COLUMN)}"
        )
    if ("column" in given) == ("value" in given):
        raise UsageError(f"mapping: {name} needs either a column or a value")
    found = {key: _part(name, key, value) for key, value in given.items()}
    if found.get("type") == "time" or field.kind == "time":
        pass
    elif "format" in found or "timezone" in found:
        raise UsageError(
            f'mapping: {name} is no time, so it has no format or timezone; of a property say type = "time"'
        )
    return Column(field=name, **found)


def _part(name: str, key: str, value: Any) -> Any:
    where = f"{name}.{key}"
    if key == "value":
        if isinstance(value, str | int | float | bool):
            return value
        raise UsageError(f"mapping: {where} must be text, a number, true or false")
    if key == "format":
        return _formats(where, value)
    if key == "words":
        if not isinstance(value, Mapping):
            raise UsageError(f'mapping: {where} must be a table, such as {{human = "user"}}')
        return tuple((word, _text(where, meaning)) for word, meaning in value.items())
    text = _text(where, value)
    if key == "timezone":
        zone_of(text)
    elif key == "decimal":
        _decimal(where, text)
    elif key == "type" and text not in TYPES:
        raise UsageError(f"mapping: {where} must be one of {', '.join(TYPES)}, not {text!r:.60}")
    elif not text:
        raise UsageError(f"mapping: {where} is empty")
    return text


def _decimal(where: str, text: str) -> None:
    if text not in (".", ","):
        raise UsageError(f'mapping: {where} must be "." or ",", not {text!r:.60}')


def _formats(where: str, value: Any) -> tuple[str, ...]:
    found = tuple(check_format(one) for one in _texts(where, value))
    if not found:
        raise UsageError(f"mapping: {where} names no format")
    return found


def _texts(where: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple(_text(where, one) for one in value)
    raise UsageError(f"mapping: {where} must be text, or a list of texts")


def _text(where: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise UsageError(f"mapping: {where} must be text, not {value!r:.60}")


def check(mapping: TableMapping) -> None:
    """Raises a `UsageError` if the fields of a mapping do not go together."""
    fields = mapping.fields
    if mapping.by_exchange and (both := sorted(fields.intersection(_NOT_IN_EXCHANGES))):
        raise UsageError(
            f"mapping: request and response say {both[0]} themselves; leave it out, or leave them out"
        )
    if mapping.by_message or "role" in fields:
        if needed := [one for one in (*MESSAGE, "session") if one not in fields]:
            raise UsageError(
                f"mapping: rows that are one message each need session, role and content; {needed[0]} is missing"
            )
        if wrong := sorted(fields.intersection(_NOT_IN_MESSAGES)):
            raise UsageError(
                f"mapping: a row is one message (role, content), or more (input, output, …); leave {wrong[0]} out"
            )
    if {"duration_ms", "duration_s"} <= fields:
        raise UsageError("mapping: duration_ms and duration_s are the same; leave one out")
