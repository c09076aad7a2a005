"""What was just read or made, for whoever reads or makes the same again: each call of a session repeats its history.

Pure from outside: what is remembered is frozen, and depends on nothing but what it was made of. Both are bounded, and
where two threads meet, one may do again what the other has done already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import ref

from llmtee import jsontext

K = TypeVar("K")
V = TypeVar("V")

BYTES = 24 * 2**20
"""What a memo may hold, by a generous estimate of what a value and its key take."""

_OVERHEAD = 2500
"""Bytes of a message without its text: two models, a dozen empty objects, and the memo's own entry."""


class _Kept(Generic[V]):
    """Values by keys, within a bound of bytes: what was not asked for in the longest while is forgotten.

    No lock, which a fork could leave locked: where threads meet, a value is made again, and sizes are counted anew.
    """

    def __init__(self, bound: int) -> None:
        self._bound, self._size = bound, 0
        self._held: dict[bytes, tuple[V, int]] = {}

    def _asked(self, key: bytes) -> tuple[V, int] | None:
        """A value and its size, which is the last to be forgotten from now on."""
        found = self._held.pop(key, None)
        if found is not None:
            self._held[key] = found
        return found

    def _keep(self, key: bytes, value: V, size: int, before: int = 0) -> None:
        """Takes a value, in the place of one of the size ``before``."""
        if size > self._bound // 16:  # not worth the many that it would push out
            return
        self._held[key] = value, size
        self._size += size - before
        if self._size > self._bound:
            self._forget()

    def _forget(self) -> None:
        held = self._held
        self._size = sum([size for _, size in list(held.values())])
        for key in list(held):
            if self._size <= self._bound * 7 // 8:
                break
            _, size = held.pop(key, (None, 0))
            self._size -= size


class Memo(_Kept[V]):
    """A reader of JSON that remembers what it read, by the JSON, within a bound of bytes.

    Cheaper by far than to read a message again, and who holds many events of a session holds its messages once.
    """

    def __init__(self, read: Callable[[Any, str], V], bound: int = BYTES) -> None:
        """Prepares.

        Args:
            read: a value from JSON as ``to_json_value`` leaves it, and its path for errors. What raises is not kept.
            bound: in bytes.
        """
        super().__init__(bound)
        self._read = read

    def __call__(self, raw: Any, path: str) -> V:
        """The value of ``raw``, read now or before."""
        key = jsontext.dumps(raw)
        known = self._asked(key)
        if known is not None:
            return known[0]
        found = self._read(raw, path)
        self._keep(key, found, 2 * len(key) + _OVERHEAD)
        return found


class Growing(_Kept[tuple[bytes, tuple[V, ...]]]):
    """A reader of JSON lists, most of which are a list that it has read and what came to its end since.

    It looks at the text of a list once, where `Memo` would look for each of its entries.
    """

    def __init__(self, read: Callable[[Any, str], V], bound: int = BYTES) -> None:
        """Prepares; arguments as for `Memo`, ``read`` of one entry."""
        super().__init__(bound - bound // 4)
        self._read, self._memo = read, Memo(read, bound // 4)

    def __call__(self, raw: list[Any], path: str) -> tuple[V, ...]:
        """The values of the entries of ``raw``, read now or before."""
        start = jsontext.dumps(raw[:_START])
        text = start if len(raw) <= _START else jsontext.dumps(raw)
        values: tuple[V, ...] = ()
        known = self._asked(start)
        if known is not None:
            (stem, before), size = known
            # Followed by a comma or by the end, it was one entry after the other and nothing but them.
            if text.startswith(stem) and text[len(stem)] in b",]":
                values = before
            elif stem.startswith(text[:-1]) and stem[len(text) - 1] in b",":
                values = before[: len(raw)]
        count, begun = len(raw), len(values)
        if known is not None and begun == count:
            return values
        # A few came to the end. Where they are many, the list was cut at its beginning: its entries come back.
        read = self._read if count - begun <= _FEW else self._memo
        more = [read(raw[i], f"{path}[{i}]") for i in range(begun, count)]
        values = (*values, *more)
        weight = 2 * len(text) + _OVERHEAD * (1 + count)
        self._keep(start, (text[:-1], values), weight, 0 if known is None else size)
        return values


_START = 2
"""By how many of its first entries a list is found again: what the system says, and the first question."""
_FEW = 6


class Derived(Generic[K, V]):
    """What is made of a frozen value, remembered as long as the value lives: by identity, as it cannot be hashed.

    What is given out is shared: treat it as read-only.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        """``make`` is a pure function."""
        self._make = make
        self._made: dict[int, tuple[ref[K], V]] = {}

    def __call__(self, value: K) -> V:
        """What is made of ``value``, now or before."""
        key = id(value)
        found = self._made.get(key)
        if found is not None and found[0]() is value:
            return found[1]
        result, made = self._make(value), self._made
        made[key] = ref(value, lambda _: made.pop(key, None)), result
        return result
