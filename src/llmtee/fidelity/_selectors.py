"""Selectors: which values of a model call a declaration speaks of.

A selector is a path, and covers whatever stands at it or below: ``parameters.top_k``, ``usage.raw``. In brackets it says
which items of a list are meant: all (``choices[]``), those from a position on (``choices[1:]``), or those with some
fields: ``parts[type=media media=audio|video]`` (a value, or one of several), ``parts[type=media url !data]`` (a field
that is there, one that is not), ``parts[name!=a]``, ``parts[result:object|list]`` (a value of some JSON type); an object may be asked as well: ``parameters[tool_choice=none]``.
``{a|b}`` stands for several keys, ``{!a|b}`` for any but those. Brackets at the very beginning ask the call itself:
``[!choices].usage``. ``**`` there stands for any way down, none included: ``**.extra``. A selector speaks of values that are gone or changed; with a ``+`` before it, of those that are
added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from llmtee.fidelity._values import Path

_STEP = re.compile(r"([^.\[\]]+)(?:\[([^\]]*)\])?")
_FROM = re.compile(r"(\d+):")
_TYPES: Mapping[str, Any] = {
    "boolean": bool,
    "number": int | float,
    "text": str,
    "object": Mapping,
    "list": list | tuple,
}
_CONDITION = re.compile(r"(!?)([\w-]+)(?:(!?=|:)(.*))?")


@dataclass(frozen=True, slots=True)
class _Condition:
    field: str
    values: frozenset[str] | None
    """``None`` asks only whether the field is there."""
    by_type: bool
    """Whether ``values`` are JSON types."""
    holds: bool

    def accepts(self, item: Any) -> bool:
        there = isinstance(item, Mapping) and self.field in item
        if self.values is None or not there:
            return there is self.holds
        value = item[self.field]
        return ((_type(value) if self.by_type else str(value)) in self.values) is self.holds


def _type(value: Any) -> str:
    return next((name for name, kind in _TYPES.items() if isinstance(value, kind)), "null")


@dataclass(frozen=True, slots=True)
class _Step:
    keys: frozenset[str]
    among: bool
    """Whether the key has to be one of ``keys``, or none of them."""
    first: int | None
    """The position from which on items of a list are meant; ``None`` for the field as a whole."""
    conditions: tuple[_Condition, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """One path with what it says of the items on the way."""

    added: bool
    anywhere: bool
    call: tuple[_Condition, ...]
    """What has to hold of the call itself."""
    steps: tuple[_Step, ...]

    def covers(self, path: Path, tree: Mapping[str, Any], *, added: bool) -> bool:
        """Whether the value at ``path`` of ``tree`` is meant, or stands below one that is."""
        if added is not self.added:
            return False
        first = self.steps[0]
        for start in range(len(path)) if self.anywhere else range(min(1, len(path))):
            # Asked here too: of most values, the first key tells already that they are not meant.
            if (path[start] in first.keys) is first.among and self._covers(path, start, tree):
                return all(one.accepts(tree) for one in self.call)
        return False

    def _covers(self, path: Path, start: int, tree: Mapping[str, Any]) -> bool:
        place = start
        for step in self.steps:
            if place >= len(path) or (path[place] in step.keys) is not step.among:
                return False
            place += 1
            if step.first is None:
                continue
            number = path[place] if place < len(path) else None
            if isinstance(number, int):
                if number < step.first:
                    return False
                place += 1
            elif not step.conditions:
                return False
            if step.conditions:
                item = _at(tree, path[:place])
                if not all(condition.accepts(item) for condition in step.conditions):
                    return False
        return True


def _at(tree: Any, path: Path) -> Any:
    for step in path:
        inside = isinstance(tree, Mapping) and step in tree
        if isinstance(step, int):
            inside = isinstance(tree, list | tuple) and step < len(tree)
        if not inside:
            return None
        tree = tree[step]
    return tree


@cache
def selector(text: str) -> Selector:
    """The selector that ``text`` writes.

    Raises:
        ValueError: it is not of the form above.
    """
    path = text.removeprefix("+")
    call: tuple[_Condition, ...] = ()
    if path.startswith("["):
        asked, _, path = path[1:].partition("].")
        call = tuple(_condition(word, text) for word in asked.split())
    anywhere, left = path.startswith("**."), path.removeprefix("**.")
    steps: list[_Step] = []
    while left:
        found = _STEP.match(left)
        if found is None:
            raise ValueError(f"{text!r} is no selector: nothing can stand at {left!r}")
        steps.append(_step(found[1], found[2], text))
        left = left[found.end() :]
        if left and not left.startswith("."):
            raise ValueError(f"{text!r} is no selector: a dot has to stand before {left!r}")
        left = left.removeprefix(".")
    if not steps:
        raise ValueError(f"{text!r} is no selector: it is empty")
    return Selector(text.startswith("+"), anywhere, call, tuple(steps))


def _step(key: str, bracket: str | None, text: str) -> _Step:
    inner = key[1:-1] if key.startswith("{") and key.endswith("}") else key
    keys, among = frozenset(inner.removeprefix("!").split("|")), not inner.startswith("!")
    if bracket is None:
        return _Step(keys, among, None, ())
    if found := _FROM.fullmatch(bracket):
        return _Step(keys, among, int(found[1]), ())
    conditions = tuple(_condition(word, text) for word in bracket.split())
    return _Step(keys, among, 0, conditions)


def _condition(word: str, text: str) -> _Condition:
    found = _CONDITION.fullmatch(word)
    if found is None or (found[1] and found[3]):
        raise ValueError(f"{text!r} is no selector: {word!r} is no condition")
    values = frozenset(found[4].split("|")) if found[3] else None
    holds = not found[1] and found[3] != "!="
    return _Condition(found[2], values, by_type=found[3] == ":", holds=holds)
