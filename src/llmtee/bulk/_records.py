"""JSON values in text: JSON Lines, or JSON documents over many lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

from llmtee import jsontext
from llmtee.bulk._documents import Cut, Documents
from llmtee.bulk._lines import Line, lines, not_utf8, refuse_other_encoding, text_head
from llmtee.bulk._source import READ_ERRORS, Opened, unreadable
from llmtee.errors import InputError
from llmtee.model.snapshot import from_json_text, taken

LETTER = "dead_letter"
"""The key of a dead letter beside the event, or the record, that it is about."""

_POSITION = re.compile(r"(.*?):? (?:at )?line (\d+) column (\d+)", re.DOTALL)


class Raw(NamedTuple):
    """One record as it was read."""

    value: Any
    """Of a text in JSON as ``to_json_value`` leaves it, and `taken`; the row of a table may hold anything."""
    line: int | None = None
    """On which it begins, from 1; of a table that is no text: its row."""
    path: str = ""
    """Where it stands in its line or document: ``[3]``."""
    source: str = ""
    """As errors name it."""
    ordinal: int = 0
    """Counts the records of a source, the broken ones included, from 0."""
    size: int = 0
    """Bytes of its text, unpacked; 0 where it has none of its own."""

    def error(self, error: InputError) -> InputError:
        """``error`` with the record's place."""
        inner = error.path or ""
        dot = "." if self.path and inner and not inner.startswith("[") else ""
        path = f"{self.path}{dot}{inner}" or None
        return InputError(error.reason, source=self.source, line=self.line, path=path)


def records(stream: Opened) -> Iterator[Raw | InputError]:
    """The records of a text in JSON; an error in the place of one that is not JSON.

    A list, in a line or as the whole document, holds a record in each of its entries. However large a document is,
    one entry of its list is held at a time.

    Raises:
        InputError: the rest cannot be read.
    """
    for ordinal, found in enumerate(_found(stream)):
        yield found._replace(ordinal=ordinal) if isinstance(found, Raw) else found


def _found(stream: Opened) -> Iterator[Raw | InputError]:
    by_line, found = units(stream)
    if by_line is not None:
        for line in by_line:
            yield from of_line(line, stream.label)
    for cut in found:
        yield from of_cut(cut, stream.label)


def units(stream: Opened) -> tuple[Iterator[Line] | None, Iterator[Cut | InputError]]:
    """The pieces of a text in JSON that can be read one by one: lines, or else the entries of its documents.

    Raises:
        InputError: it is no text; and while iterating: the rest cannot be read.
    """
    name = stream.label
    first = text_head(stream)
    refuse_other_encoding(first, name)
    if b"\n" not in first and first.lstrip().startswith(b"["):
        # One line, and maybe a very long one.
        return None, _cuts(stream, [(1, b"")])
    rest = lines(stream)
    head = [*_upto_filled(rest)]
    if head and _may_open_document(head[-1]):
        follows = [*_upto_filled(rest)]
        if _is_document(head[-1], follows[-1] if follows else None):
            return None, _cuts(stream, [*head, *follows])
        head += follows
    return chain(head, rest), iter(())


def of_line(line: Line, source: str) -> Iterator[Raw | InputError]:
    """The records in a line of JSON Lines."""
    number, text = line
    if isinstance(text, InputError):
        yield text
    elif content := text.rstrip():  # a line cut short must not seem to go on into its own end
        yield from _line(number, content, source, len(text))


def _upto_filled(rest: Iterator[Line]) -> Iterator[Line]:
    """The next lines up to the first that is not blank."""
    for line in rest:
        yield line
        if isinstance(line[1], InputError) or line[1].strip():
            return


def _may_open_document(line: Line) -> bool:
    text = line[1]
    return isinstance(text, bytes) and text.lstrip()[:1] in (b"{", b"[") and not _parses(text)


def _is_document(first: Line, second: Line | None) -> bool:
    """Whether a first line that is no JSON by itself begins a document, and is not a broken line of JSON Lines."""
    if isinstance(first[1], bytes) and first[1].strip() in (b"{", b"["):
        return True
    if second is None or isinstance(second[1], InputError):
        return False
    return not (second[1].lstrip().startswith(b"{") and _parses(second[1]))


def _parses(text: bytes) -> bool:
    try:
        jsontext.loads(text)
    except ValueError:
        return False
    return True


def _line(number: int, text: bytes, source: str, size: int) -> Iterator[Raw | InputError]:
    try:
        value = from_json_text(text)
    except ValueError as error:
        what, _, column = _explained(error)
        reason = not_utf8(text) or f"is not JSON: {what} at column {column}"
        yield InputError(reason, source=source, line=number)
        return
    if isinstance(value, list):
        for i, entry in enumerate(value):
            yield Raw(taken(_plain(entry)), number, f"[{i}]", source, 0, 0 if i else size)
    else:
        yield Raw(taken(_plain(value)), number, "", source, 0, size)


def _cuts(stream: Opened, head: Iterable[Line]) -> Iterator[Cut | InputError]:
    source, begun = stream.label, b""
    for _, text in head:
        if isinstance(text, InputError):
            yield text
            return
        begun += text
    try:
        yield from Documents(begun, stream, source)
    except (*READ_ERRORS, UnicodeDecodeError) as error:
        raise unreadable(error, source, 1) from None


def of_cut(cut: Cut | InputError, source: str) -> Iterator[Raw | InputError]:
    """The record in a piece of a document."""
    if isinstance(cut, InputError):
        yield cut
        return
    path = "" if cut.place is None else f"[{cut.place}]"
    try:
        value = from_json_text(cut.text)
    except ValueError as error:
        what, line, column = _explained(error)
        reason = not_utf8(cut.text) or (
            f"is not JSON: {what} at column {column}; write one JSON value a line, or one document"
        )
        yield InputError(reason, source=source, line=cut.line + line - 1, path=path or None)
    else:
        yield Raw(taken(_plain(value)), cut.line, path, source, 0, len(cut.text))


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
