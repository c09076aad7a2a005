"""Arguments and results as JSON of a bounded size, whatever somebody hands around."""

from __future__ import annotations

from collections.abc import Iterable
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
        """``value`` as JSON, a deep copy of as much as fits.

        A list, a mapping or an array that is too large is not read beyond that.
        """
        return self._take(value, MAX_DEPTH)

    def _take(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        self.left -= 1
        if depth <= 0:
            return marker("nested too deep", kind.__name__)
        if kind is dict:
            return self._fields(value, depth - 1)
        if kind in (list, tuple):
            return self._items(value, depth - 1)
        if (size := _bytes_of(value)) > self.left:
            self.left = 0
            return marker(CUT, f"{kind.__module__}.{kind.__qualname__} of {size} bytes")
        told = to_json_value(value)
        return self._take(told, depth) if isinstance(told, (str, dict, list)) else told

    def _text(self, text: str) -> str:
        room = max(0, self.left)
        self.left -= max(1, len(text))
        kept = to_json_value(text[:room])
        missing = len(text) - room
        return f"{kept}{marker(CUT, f'{missing} characters')}" if missing > 0 else str(kept)

    def _fields(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        count = 0
        for key, item in self._read(value.items()):
            [name] = to_json_value({key: None})
            if name in kept:  # {1: …, "1": …}: keep both
                name = f"{name} <{type(key).__name__}>"
            self.left -= len(name)
            kept[name] = self._take(item, depth)
            count += 1
            if self.left <= 0:
                break
        if (missing := len(value) - count) > 0:
            kept[marker(CUT, "fields")] = missing
        return kept

    def _items(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        kept: list[Any] = []
        for item in self._read(value):
            kept.append(self._take(item, depth))
            if self.left <= 0:
                break
        if (missing := len(value) - len(kept)) > 0:
            kept.append(marker(CUT, f"{missing} items"))
        return kept

    def _read(self, many: Iterable[Any]) -> list[Any]:
        # In one go, because another thread of the application may be changing the original.
        return list(islice(many, max(0, self.left)))


def bounded(value: Any) -> Any:
    """``value`` as JSON, a deep copy of at most `MAX_CHARACTERS`."""
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
