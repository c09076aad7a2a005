"""JSON values in lines of text: JSON Lines, or one JSON document over many lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from llmtee import jsontext
from llmtee.bulk._source import Line
from llmtee.errors import InputError
from llmtee.model.snapshot import from_json_text

LETTER = "dead_letter"
"""The key of a dead letter beside the event, or the record, that it is about."""

_POSITION = re.compile(r"(.*?):? (?:at )?line (\d+) column (\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Raw:
    """One record as it was read."""

    value: Any
    """JSON as ``to_json_value`` leaves it."""
    line: int | None = None
    """``None`` in a document that holds many records over many lines."""
    path: str = ""
    """Where it stands in its line or document: ``[3]``."""

    def error(self, error: InputError, source: str) -> InputError:
        """``error`` with the record's place."""
        inner = error.path or ""
        dot = "." if self.path and inner and not inner.startswith("[") else ""
        path = f"{self.path}{dot}{inner}" or None
        return InputError(error.reason, source=source, line=self.line, path=path)


def records(lines: Iterable[Line], source: str) -> Iterator[Raw | InputError]:
    """The records in the lines of one source; an error in the place of one that is not JSON.

    A list, in a line or as the whole document, holds a record in each of its entries.
    """
    rest = iter(lines)
    head = [*_upto_filled(rest)]
    if head and _may_open_document(head[-1]):
        follows = [*_upto_filled(rest)]
        if _is_document(head[-1], follows[-1] if follows else None):
            yield from _document([*head, *follows, *rest], source)
            return
        head += follows
    for number, text in chain(head, rest):
        if isinstance(text, InputError):
            yield text
        elif text := text.rstrip():  # a line cut short must not seem to go on into its own end
            yield from _line(number, text, source)


def _upto_filled(lines: Iterator[Line]) -> Iterator[Line]:
    """The next lines up to the first that is not blank."""
    for line in lines:
        yield line
        if isinstance(line[1], InputError) or line[1].strip():
            return


def _may_open_document(line: Line) -> bool:
    text = line[1]
    return isinstance(text, str) and text.lstrip()[:1] in ("{", "[") and not _parses(text)


def _is_document(first: Line, second: Line | None) -> bool:
    """Whether a first line that is no JSON by itself begins a document, and is not a broken line of JSON Lines."""
    if isinstance(first[1], str) and first[1].strip() in ("{", "["):
        return True
    if second is None or isinstance(second[1], InputError):
        return False
    return not (second[1].lstrip().startswith("{") and _parses(second[1]))


def _parses(text: str) -> bool:
    try:
        jsontext.loads(text)
    except ValueError:
        return False
    return True


def _line(number: int, text: str, source: str) -> Iterator[Raw | InputError]:
    try:
        value = from_json_text(text)
    except ValueError as error:
        what, _, column = _explained(error)
        yield InputError(f"is not JSON: {what} at column {column}", source=source, line=number)
    else:
        yield from _entries(value, number)


def _document(lines: list[Line], source: str) -> Iterator[Raw | InputError]:
    broken = next((text for _, text in lines if isinstance(text, InputError)), None)
    if broken is not None:
        yield broken
        return
    try:
        value = from_json_text("".join(str(text) for _, text in lines))
    except ValueError as error:
        what, line, column = _explained(error)
        reason = (
            f"is not JSON: {what} at column {column}; write one JSON value a line, or one document"
        )
        yield InputError(reason, source=source, line=lines[0][0] + line - 1)
    else:
        yield from _entries(value, None)


def _entries(value: Any, line: int | None) -> Iterator[Raw]:
    if isinstance(value, list):
        yield from (Raw(_plain(entry), line, f"[{i}]") for i, entry in enumerate(value))
    else:
        yield Raw(_plain(value), line)


def _plain(value: Any) -> Any:
    """A record without the letter that ``llmtee dead export`` wrote beside it."""
    letter = value.get(LETTER) if isinstance(value, dict) else None
    if not isinstance(letter, dict) or "exporter" not in letter:
        return value
    return {key: own for key, own in value.items() if key != LETTER}


def _explained(error: ValueError) -> tuple[str, int, int]:
    """What is wrong with a JSON text, in which line of it, at which column."""
    match = _POSITION.match(str(error))
    what, line, column = (match[1], int(match[2]), int(match[3])) if match else (str(error), 1, 1)
    if what.startswith("EOF"):
        what = "it ends too early"
    elif what.startswith("recursion limit"):
        what = "it is nested too deep"
    return what, line, column
