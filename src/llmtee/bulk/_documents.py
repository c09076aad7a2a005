"""JSON documents over many lines, cut into their records without holding them whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from llmtee.bulk._lines import MOST, too_large
from llmtee.errors import InputError

_LEAST = 1 << 17

# A text that is whole, or the quote of one that is not; else what gives a document its structure.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
_OPENERS = {b"]": b"[", b"}": b"{"}
_VALUE = re.compile(rb"[^\s]")


class Cut(NamedTuple):
    """A record as it stands in its document."""

    text: bytes
    line: int
    """On which it begins."""
    place: int | None
    """In its list, from 0; ``None`` for a record that is a document by itself."""


class Documents:
    """Cuts the values in a stream, one after another, and the entries of those that are lists.

    Only brackets and texts are told, so that what is broken inside one record does no harm to its neighbours.

    Args:
        head: lines of the stream that were read already, with their ends.
        stream: the rest; its ``read1`` gives bytes.
        source: what errors call it.
    """

    def __init__(self, head: bytes, stream: Any, source: str) -> None:
        self._stream, self._source = stream, source
        self._text, self._at = head, 0
        self._line = 1
        self._ended = False
        self._failed: Exception | None = None

    def __iter__(self) -> Iterator[Cut | InputError]:
        try:
            while True:
                while (found := _VALUE.search(self._text, self._at)) is None:
                    if not self._more():
                        return
                self._pass(found.start())
                if self._text.startswith(b"[", self._at):
                    self._pass(self._at + 1)
                    yield from self._entries()
                else:
                    yield self._cut(self._end_of_value(), None)
        except _CannotGoOnError as error:
            yield error.reason

    def _entries(self) -> Iterator[Cut]:
        place = 0
        while True:
            size, closing = self._size_of_entry()
            nothing = not self._text[self._at : self._at + size].strip()
            if not (nothing and closing and place == 0):  # else it is an empty list
                yield self._cut(size, place)
            else:
                self._pass(self._at + size)
            self._pass(self._at + 1)
            place += 1
            if closing:
                return

    def _cut(self, size: int, place: int | None) -> Cut:
        """Takes as many bytes, without the space around them."""
        text = self._text[self._at : self._at + size]
        own = text.lstrip()
        end = self._at + size
        self._pass(end - len(own))
        cut = Cut(own.rstrip(), self._line, place)
        self._pass(end)
        return cut

    def _pass(self, to: int) -> None:
        self._line += self._text.count(b"\n", self._at, to)
        self._at = to

    def _size_of_entry(self) -> tuple[int, bool]:
        """How long an entry is, and whether the list ends with it."""
        opened: list[bytes] = []
        for token, size in self._tokens():
            if token == b",":
                if not opened:
                    return size, False
            elif not _balanced(opened, token) and token == b"]":
                return size, True
        raise self._too_early()

    def _end_of_value(self) -> int:
        if not self._text.startswith(b"{", self._at):  # a lone word: to the end of its line
            while (end := self._text.find(b"\n", self._at)) < 0 and self._more():
                pass
            return (len(self._text) if end < 0 else end) - self._at
        opened: list[bytes] = []
        for token, size in self._tokens():
            if token != b",":
                _balanced(opened, token)
                if not opened:
                    return size + 1
        raise self._too_early()

    def _tokens(self) -> Iterator[tuple[bytes, int]]:
        """Brackets and commas outside of texts, with the number of bytes before them."""
        looked = 0
        while True:
            start = self._at
            for found in _TOKEN.finditer(self._text, start + looked):
                token = found[0]
                if len(token) == 1:
                    if token == b'"':
                        looked = found.start() - start
                        break
                    yield token, found.start() - start
            else:
                looked = len(self._text) - start
            if not self._more():
                return

    def _more(self) -> bool:
        """Reads on; what was cut is forgotten."""
        if self._ended:
            return False
        if self._failed is not None:
            raise self._failed
        left = len(self._text) - self._at
        if left > MOST:
            raise _CannotGoOnError(too_large("JSON value", self._source, self._line))
        # As much again as there is, so that a long text is not looked at again and again.
        wanted, pieces = max(left, _LEAST), [self._text[self._at :]]
        try:
            while wanted > 0 and (piece := self._stream.read1(wanted)):
                pieces.append(piece)
                wanted -= len(piece)
        except Exception as error:
            if len(pieces) == 1:
                raise
            self._failed = error  # once what was read before it is cut
        self._ended = len(pieces) == 1
        self._text, self._at = b"".join(pieces), 0
        return not self._ended

    def _too_early(self) -> _CannotGoOnError:
        rest = self._text[self._at :]
        line = self._line + rest.count(b"\n", 0, len(rest) - len(rest.lstrip()))
        reason = "is not JSON: it ends too early; write one JSON value a line, or one document"
        return _CannotGoOnError(InputError(reason, source=self._source, line=line))


def _balanced(opened: list[bytes], token: bytes) -> bool:
    """Opens or closes a bracket, and those in it that were never closed; ``False`` if there is none to close."""
    opener = _OPENERS.get(token)
    if opener is None:
        opened.append(token)
    elif opened and opened[-1] == opener:
        opened.pop()
    elif opener in opened:
        while opened.pop() != opener:
            pass
    else:
        return False
    return True


class _CannotGoOnError(Exception):
    """The rest of the stream cannot be cut."""

    def __init__(self, reason: InputError) -> None:
        super().__init__(str(reason))
        self.reason = reason
