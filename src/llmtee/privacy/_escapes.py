r"""Text as its reader would see it: JSON escapes and percent escapes undone, with the way back to where each stood.

A value may stand in JSON that stands in a string, as the arguments of tools do, where ``@`` may be written ``\u0040``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\([^u])|%([0-9A-Fa-f]{2})", re.DOTALL)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "b": " ", "f": " "}
_LEVELS = 3
"""JSON in JSON in JSON is as deep as anybody looks."""


@dataclass(frozen=True, slots=True)
class View:
    """A text without its escapes."""

    text: str
    _seen: list[int]
    """Where stretches of unescaped text begin in ``text``; an escape is a stretch of one character."""
    _raw: list[int]
    """Where the same stretches begin in the text that it was made from."""
    _ends: list[int]
    """Where they end there, for escapes; 0 for plain stretches."""

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original for a span of the view."""
        first, last = self._place(start), self._place(end - 1)
        begin = self._raw[first] + (0 if self._ends[first] else start - self._seen[first])
        stop = self._ends[last] or self._raw[last] + end - self._seen[last]
        return begin, stop

    def _place(self, position: int) -> int:
        return bisect_right(self._seen, position) - 1


def views(text: str) -> Iterator[list[View]]:
    """The text with one level of escapes undone, then two, then three, as far as there are any.

    Each item is the chain of views from the original.
    """
    chain: list[View] = []
    for _ in range(_LEVELS):
        if "\\" not in text and "%" not in text:
            return
        view = _unescaped(text)
        if view is None:
            return
        chain = [*chain, view]
        text = view.text
        yield chain


def back(chain: list[View], start: int, end: int) -> tuple[int, int]:
    """The span of the original for a span of the last view of a chain."""
    for view in reversed(chain):
        start, end = view.back(start, end)
    return start, end


def _unescaped(text: str) -> View | None:
    pieces: list[str] = []
    seen, raw, ends = [], [], []
    at = length = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        if start > at:
            seen.append(length)
            raw.append(at)
            ends.append(0)
            pieces.append(text[at:start])
            length += start - at
        code = match[1] or match[3]
        pieces.append(chr(int(code, 16)) if code else _CONTROL.get(match[2], match[2]))
        seen.append(length)
        raw.append(start)
        ends.append(end)
        length += 1
        at = end
    if not pieces:
        return None
    if at < len(text):
        seen.append(length)
        raw.append(at)
        ends.append(0)
        pieces.append(text[at:])
    return View("".join(pieces), seen, raw, ends)
