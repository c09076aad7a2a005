"""Changes that can be taken back: what a late event needs, so that only what comes after it is done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
K = TypeVar("K")


class Journal:
    """Makes changes and remembers how to undo each, newest first."""

    def __init__(self) -> None:
        self._undo: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def mark(self) -> int:
        """A place to come back to."""
        return len(self._undo)

    def back(self, mark: int) -> None:
        """Undoes what was done since ``mark``."""
        while len(self._undo) > mark:
            undo, arguments = self._undo.pop()
            undo(*arguments)

    def push(self, listed: list[T], value: T) -> None:
        """Adds to the end of a list."""
        listed.append(value)
        self._undo.append((list.pop, (listed,)))

    def cut(self, listed: list[T], length: int) -> list[T]:
        """Shortens a list to ``length``; returns what is gone."""
        gone = listed[length:]
        del listed[length:]
        self._undo.append((list.extend, (listed, gone)))
        return list(gone)

    def put(self, mapping: dict[K, T], key: K, value: T) -> None:
        """Sets a key."""
        if key in mapping:
            self._undo.append((mapping.__setitem__, (key, mapping[key])))
        else:
            self._undo.append((mapping.__delitem__, (key,)))
        mapping[key] = value

    def take(self, mapping: dict[K, T], key: K) -> T:
        """Removes a key; returns what stood there."""
        value = mapping.pop(key)
        self._undo.append((mapping.__setitem__, (key, value)))
        return value

    def set(self, owner: object, name: str, value: object) -> None:
        """Sets an attribute."""
        self._undo.append((setattr, (owner, name, getattr(owner, name))))
        setattr(owner, name, value)
