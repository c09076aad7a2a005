"""Reading a span's attributes, with a memory of which were read: the others are kept as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.model.snapshot import from_json_text

_ENCODED = ("traceloop.entity.input", "traceloop.entity.output", "ai.toolCall.")
"""Keys under which emitters write JSON, whatever the value: text in it is quoted."""


class Attributes:
    """The attributes of one span. Each reader takes the first key that holds a value of its type.

    A value of another type, or under a name that comes later, is not read, so that `unread` has it.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self._read: set[str] = set()

    def text(self, *keys: str) -> str | None:
        """Text that is not empty; a number becomes its digits."""
        for key in keys:
            value = self.values.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                value = str(value)
            if isinstance(value, str) and value:
                self._read.add(key)
                return value
        return None

    def count(self, *keys: str) -> int | None:
        """A whole number; digits are read as one."""
        for key in keys:
            if (number := whole(self.values.get(key))) is not None:
                self._read.add(key)
                return number
        return None

    def number(self, *keys: str) -> float | None:
        """A number that a float can hold."""
        for key in keys:
            if (number := finite(self.values.get(key))) is not None:
                self._read.add(key)
                return number
        return None

    def json(self, *keys: str) -> Any:
        """Any value but null; text that is a JSON object or list is parsed."""
        for key in keys:
            if (value := self.values.get(key)) is not None:
                self._read.add(key)
                encoded = key.startswith(_ENCODED) and isinstance(value, str)
                return parsed(value, text_too=encoded)
        return None

    def object(self, *keys: str) -> dict[str, Any]:
        """A JSON object, parsed where it is text; empty where there is none."""
        for key in keys:
            if isinstance(value := parsed(self.values.get(key)), dict):
                self._read.add(key)
                return value
        return {}

    def under(self, prefix: str) -> dict[str, Any]:
        """The attributes whose keys begin with ``prefix``, without it. They count as unread still."""
        return {
            key[len(prefix) :]: value
            for key, value in self.values.items()
            if key.startswith(prefix) and key != prefix
        }

    def tree(self, prefix: str) -> Any:
        """What was flattened under ``prefix``, put together: numbered keys become lists. ``None`` if nothing was."""
        start = prefix + "."
        flat = {key[len(start) :]: key for key in self.values if key.startswith(start)}
        self._read.update(flat.values())
        if flat:
            return unflatten({key: self.values[whole_key] for key, whole_key in flat.items()})
        return self.json(prefix)

    def has(self, *prefixes: str) -> bool:
        """Whether a key is one of ``prefixes``, or begins with one of those that end with a dot."""
        return any(
            any(key.startswith(prefix) for key in self.values)
            if prefix.endswith(".")
            else self.values.get(prefix) is not None
            for prefix in prefixes
        )

    def take(self, *keys: str) -> None:
        """Marks keys as read."""
        self._read.update(key for key in keys if key in self.values)

    def keep(self, *keys: str) -> None:
        """Marks keys as unread again: what was read of them is not all that they say."""
        self._read.difference_update(keys)

    def unread(self) -> dict[str, Any]:
        """What nobody took."""
        return {key: value for key, value in self.values.items() if key not in self._read}


def unflatten(flat: Mapping[str, Any]) -> Any:
    """``{"0.role": "user", "0.content": "hi"}`` to ``[{"role": "user", "content": "hi"}]``."""
    root: dict[str, Any] = {}
    for key, value in flat.items():
        node = root
        *steps, last = key.split(".")
        for step in steps:
            inner = node.setdefault(step, {})
            if not isinstance(inner, _Node):
                inner = node[step] = _Node() if inner == {} else _Node({"": inner})
            node = inner
        if isinstance(node.get(last), _Node):  # both ``a`` and ``a.b`` are there
            node[last][""] = value
        else:
            node[last] = value
    return _listed(root, 0)


class _Node(dict[str, Any]):
    """An object that came of flattened keys, and not of a value."""


def _listed(node: dict[str, Any], depth: int) -> Any:
    if depth > 60:  # no convention nests so deep; a hostile key could
        return {}
    inner = {
        key: _listed(value, depth + 1) if isinstance(value, _Node) else value
        for key, value in node.items()
    }
    if inner and all(key.isascii() and key.isdigit() and len(key) < 10 for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def parsed(value: Any, *, text_too: bool = False) -> Any:
    """``value``, parsed where it is the text of a JSON object or list, or, on demand, of a JSON text."""
    starts = ("{", "[", '"') if text_too else ("{", "[")
    if not isinstance(value, str) or not value.lstrip().startswith(starts):
        return value
    try:
        return from_json_text(value)
    except ValueError:
        return value


def whole(value: Any) -> int | None:
    """A whole number, or digits; ``None`` for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if isinstance(value, int) or value.is_integer() else None


def finite(value: Any) -> float | None:
    """A number that a float can hold, or its digits; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None
