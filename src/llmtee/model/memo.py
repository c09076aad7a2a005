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

BYTES = 32 * 2**20
"""What a memo may hold, by a generous estimate of what a value and its key take."""

_OVERHEAD = 3000
"""Bytes of a message without its text: two models, a dozen empty objects, and the memo's own entry."""


class _Kept(Generic[V]):
    """Values by keys, within a bound of bytes: what was not asked for in a while is forgotten.

    Two generations instead of an order of all: what is asked for again moves to the newer one, and the older one is
    forgotten as a whole.
    """

    def __init__(self, bound: int) -> None:
        self._half = bound // 2
        self._new: dict[bytes, V] = {}
        self._old: dict[bytes, V] = {}
        self._size = 0

    def _keep(self, key: bytes, value: V, size: int) -> None:
        if size > self._half // 8:  # not worth the many that it would push out
            return
        if self._size + size > self._half:
            self._old, self._new, self._size = self._new, {}, 0
        self._new[key] = value
        self._size += size


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
        found = self._new.get(key)
        if found is not None:
            return found
        found = self._old.get(key)
        if found is None:
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
        newer = self._new.get(start)
        known = newer or self._old.get(start)
        values: tuple[V, ...] = ()
        # Followed by a comma or by the end, it was one entry after the other and nothing but them.
        if known is not None and text.startswith(known[0]) and text[len(known[0])] in b",]":
            values = known[1]
        count, begun = len(raw), len(values)
        if begun == count and newer is not None:
            return values
        if begun < count:
            # A few came to the end. Where they are many, the list was cut at its beginning: its entries come back.
            read = self._read if count - begun <= _FEW else self._memo
            more = [read(raw[i], f"{path}[{i}]") for i in range(begun, count)]
            values = (*values, *more)
        before = 0 if newer is None else _size(*newer)
        known = text[:-1], values
        self._keep(start, known, _size(*known) - before)
        return values


def _size(text: bytes, values: tuple[Any, ...]) -> int:
    return 2 * len(text) + _OVERHEAD * (1 + len(values))


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
