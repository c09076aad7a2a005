"""Arguments and results as JSON of a bounded size, whatever somebody hands around."""

from __future__ import annotations

from itertools import islice
from typing import Any

from llmtee.model.snapshot import MAX_DEPTH, marker, to_json_value

MAX_CHARACTERS = 65_536
"""What is kept of one value: characters of text and of names, and one for each value that is no text."""

CUT = "cut"
"""What the marker of something left out begins with: ``<cut: 120 characters>``."""


class Bounded:
    """Takes values until it is full. What does not fit is left out, and a marker says how much that was."""

    def __init__(self, characters: int = MAX_CHARACTERS) -> None:
        self.left = characters

    def take(self, value: Any) -> Any:
        """``value`` as JSON, a deep copy of as much as fits. Never raises."""
        left = self.left
        # Before it is copied, lest a huge list costs what it is long; and after, for what only then shows its size.
        cut = self._cut(value, MAX_DEPTH)
        self.left = left
        return self._cut(to_json_value(cut), MAX_DEPTH)

    def _cut(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if depth > 0 and kind is dict:
            return self._fields(value, depth - 1)
        if depth > 0 and kind in (list, tuple):
            return self._items(value, depth - 1)
        size = _bytes_of(value)
        if size > self.left:
            self.left = 0
            return marker(CUT, f"{kind.__module__}.{kind.__qualname__} of {size} bytes")
        self.left -= max(1, size)
        return value

    def _text(self, text: str) -> str:
        kept, self.left = text[: self.left], max(0, self.left - max(1, len(text)))
        missing = len(text) - len(kept)
        return kept + marker(CUT, f"{missing} characters") if missing else text

    def _fields(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        kept: dict[Any, Any] = {}
        # In one go, because another thread may be changing the original.
        for key, item in list(islice(value.items(), max(0, self.left))):
            if self.left <= 0:
                break
            self.left -= len(key) if isinstance(key, str) else 1
            kept[key] = self._cut(item, depth)
        if (missing := len(value) - len(kept)) > 0:
            kept[marker(CUT, "fields")] = missing
        return kept

    def _items(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        kept: list[Any] = []
        for item in value[: max(0, self.left)]:
            if self.left <= 0:
                break
            kept.append(self._cut(item, depth))
        if (missing := len(value) - len(kept)) > 0:
            kept.append(marker(CUT, f"{missing} items"))
        return kept


def bounded(value: Any) -> Any:
    """``value`` as JSON, a deep copy of at most `MAX_CHARACTERS`. Never raises."""
    return Bounded().take(value)


def _bytes_of(value: Any) -> int:
    """How large an array or a buffer is; 0 for what has no such size."""
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    try:
        size = getattr(value, "nbytes", 0)
    except Exception:  # noqa: BLE001 - a property of the application's object may do anything
        return 0
    return size if type(size) is int else 0
