"""Proposes a mapping by the names of a table's columns, and by what some rows hold."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmtee.bulk.tables import _cells as cells
from llmtee.bulk.tables._synonyms import SYNONYMS
from llmtee.bulk.tables._times import is_naive, time_of
from llmtee.bulk.tables._vocabulary import EXCHANGE, FIELDS, MESSAGE
from llmtee.bulk.tables.mapping import Column, TableMapping

SAMPLE = 50
"""Rows that are looked at."""

_TIMES = ("started_at", "ended_at", "first_token_at")
_PATTERNS = tuple(
    f"{date}{time}"
    for date in (
        "%d.%m.%Y",
        "%d.%m.%y",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d-%m-%Y",
        "%Y/%m/%d",
        "%d %b %Y",
        "%b %d, %Y",
    )
    for time in (" %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p", ", %H:%M:%S", ", %H:%M", "")
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_COMMA = re.compile(r"[+-]?[\d.]*\d,\d+")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping that the names of the columns suggest."""

    mapping: TableMapping
    doubts: tuple[str, ...] = ()
    """What the table alone does not say, as comments in TOML."""

    @property
    def says(self) -> str:
        """Which column is taken for what, in a line."""
        found = [f"{one.column!r} is {one.field}" for one in self.mapping.columns if one.column]
        return ", ".join(found)

    def toml(self) -> str:
        """The mapping as a file."""
        lines = [f"{_key(one.field)} = {_quoted(one.column or '')}" for one in self.mapping.columns]
        if self.mapping.times != TableMapping().times:
            lines.append(f"times = [{', '.join(map(_quoted, self.mapping.times))}]")
        if self.mapping.decimal is not None:
            lines.append(f"decimal = {_quoted(self.mapping.decimal)}")
        return "\n".join([*lines, *self.doubts])

    def options(self) -> str:
        """The mapping as options of a command."""
        words = [f"{one.field}={one.column}" for one in self.mapping.columns]
        if self.mapping.times != TableMapping().times:
            words.append(f"times={','.join(self.mapping.times)}")
        if self.mapping.decimal is not None:
            words.append(f"decimal={self.mapping.decimal}")
        return " ".join(f"--map {_shell(word)}" for word in words)


def propose(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Proposal | None:
    """The mapping that names suggest; ``None`` where they do not tell what was said.

    Args:
        columns: names.
        rows: some of the table.
    """
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(_normal(column), column)
    found: dict[str, str] = {}
    for field, names in SYNONYMS.items():
        name = next(
            (one for one in names if one in by_name and by_name[one] not in found.values()), None
        )
        if name is not None:
            found[field] = by_name[name]
    found = _of_one_kind(found, rows)
    if not found.keys() & {"input", "output", "messages", "content", "tool", *EXCHANGE}:
        return None
    mapping = TableMapping(
        columns=tuple(Column(field=field, column=column) for field, column in found.items())
    )
    return _with_formats(mapping, rows)


def _of_one_kind(found: dict[str, str], rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Fields that go together: rows are records of a format, or calls, or messages."""
    drop: set[str] = set()
    for name in EXCHANGE:
        if name in found and not _holds_json(found[name], rows):
            # A column of that name that holds plain text is what was asked, or answered.
            plain = "input" if name == "request" else "output"
            column = found.pop(name)
            found.setdefault(plain, column)
    for name in ("messages", "properties"):
        if name in found and not _holds_json(found[name], rows):
            drop.add(name)
    if found.keys() & set(EXCHANGE):
        drop |= {
            "input",
            "output",
            "messages",
            "system",
            "model",
            "response_model",
            *MESSAGE,
            "tool",
        }
        drop |= {"tool_arguments", "tool_result", "finish_reason"}
        drop |= {name for name in found if name.startswith("usage.")}
    elif {"role", "content", "session"} <= found.keys():
        drop |= {
            "input",
            "output",
            "messages",
            "system",
            "tool",
            "tool_arguments",
            "tool_result",
            "parent",
        }
    else:
        if "content" in found and "input" not in found:
            found["input"] = found["content"]
        drop |= set(MESSAGE)
        if "tool" not in found:
            drop |= {"tool_arguments", "tool_result"}
    order = [*SYNONYMS]
    kept = {name: column for name, column in found.items() if name not in drop}
    return dict(sorted(kept.items(), key=lambda one: order.index(one[0])))


def _holds_json(column: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    for row in rows:
        cell = row.get(column)
        if cells.is_absent(cell, ("",)):
            continue
        if isinstance(cell, str):
            return isinstance(cells.json_or_text(cell), dict | list)
        return isinstance(cell, dict | list)
    return False


def _with_formats(mapping: TableMapping, rows: Sequence[Mapping[str, Any]]) -> Proposal:
    found: list[Any] = []
    numbers: list[str] = []
    for one in mapping.columns:
        values = [row.get(one.column or "") for row in rows]
        values = [value for value in values if not cells.is_absent(value, mapping.empty)]
        if one.field in _TIMES:
            found += values
        elif (
            FIELDS.get(one.field, FIELDS["cost"]).kind in ("milliseconds", "seconds", "amount")
            and one.field != "properties"
        ):
            numbers += [value for value in values if isinstance(value, str)]
    doubts: list[str] = []
    times, unsure = _formats(found)
    if unsure:
        doubts.append(f"# {unsure}")
    if times:
        mapping = replace(mapping, times=(*times, *mapping.times))
    if times or any(map(is_naive, found)):
        doubts.append(
            '# timezone = "UTC"  # of times without one, of which there are some: say which it is'
        )
    if any(map(_COMMA.fullmatch, numbers)):
        mapping = replace(mapping, decimal=",")
    return Proposal(mapping, tuple(doubts))


def _formats(values: Sequence[Any]) -> tuple[tuple[str, ...], str | None]:
    """Patterns of the times that are neither ISO 8601 nor numbers; and what is not sure about them."""
    rest = [value for value in values if not _reads(value, TableMapping().times)]
    patterns: list[str] = []
    while rest:
        read = {one: sum(_reads(value, (one,)) for value in rest) for one in _PATTERNS}
        best = max(read.values())
        if best == 0:
            return tuple(
                patterns
            ), f"no format was found for {rest[0]!r:.40}: add its format to `times`"
        equal = [one for one, count in read.items() if count == best]
        if len(equal) > 1:
            known = " and ".join(equal)
            return tuple(patterns), f"{rest[0]!r:.40} fits {known}: add the right one to `times`"
        patterns.append(equal[0])
        rest = [value for value in rest if not _reads(value, (equal[0],))]
    return tuple(patterns), None


def _reads(value: Any, formats: tuple[str, ...]) -> bool:
    try:
        time_of(value, formats, dt.UTC)
    except ValueError:
        return False
    return True


def _normal(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", _CAMEL.sub("_", name.strip()).lower()).strip("_")


def _quoted(text: str) -> str:
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    )
    return f'"{escaped}"'


def _key(field: str) -> str:
    return ".".join(part if _BARE.fullmatch(part) else _quoted(part) for part in field.split("."))


def _shell(word: str) -> str:
    plain = re.fullmatch(r"[\w.=,:%+/-]+", word)
    return word if plain else "'" + word.replace("'", "'\\''") + "'"
