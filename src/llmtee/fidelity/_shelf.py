"""Values that need not be written again, since they stand elsewhere: references to them, and back.

A reference is an object with the one empty key: ``{"": "0/input/2/parts/0/text"}``, the number of a tree and the keys
and positions on the way. An object that only looks like one stands in a list: ``{"": [{"": …}]}``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_WORTH: Final = 24
"""Characters of JSON from which a value may be worth a reference."""


class ShelfError(ValueError):
    """A reference leads nowhere."""


class Shelf:
    """Trees that are there on both sides, and where in them each value stands."""

    def __init__(self, trees: Sequence[Any]) -> None:
        self._trees = trees
        self._places: dict[bytes, str] | None = None

    def written(self, value: Any) -> Any:
        """``value`` with references in place of what stands on the shelf."""
        return self._written(value)[0]

    def read(self, value: Any) -> Iterator[Any]:
        """The values that `written` replaced in ``value``, in order.

        Raises:
            ShelfError: a reference leads nowhere.
        """
        if isinstance(value, list):
            for item in value:
                yield from self.read(item)
        elif isinstance(value, dict):
            match _reference(value):
                case str() as place:
                    yield self._at(place)
                case [inner]:
                    yield from self.read(list(inner.values()))
                case _:
                    yield from self.read(list(value.values()))

    def original(self, value: Any) -> Any:
        """The way back of `written`.

        Raises:
            ShelfError: a reference leads nowhere.
        """
        if isinstance(value, list):
            return [self.original(item) for item in value]
        if not isinstance(value, dict):
            return value
        match _reference(value):
            case str() as place:
                return self._at(place)
            case [inner]:
                return {key: self.original(item) for key, item in inner.items()}
        return {key: self.original(item) for key, item in value.items()}

    def _written(self, value: Any) -> tuple[Any, bytes, int]:
        """The value with references, its fingerprint and its size in characters."""
        if isinstance(value, dict):
            made = {key: self._written(item) for key, item in value.items()}
            print_, size = _of_object({key: (p, s) for key, (_, p, s) in made.items()})
            written: Any = {key: item for key, (item, _, _) in made.items()}
            if _reference(value) is not None:
                written = {"": [written]}
        elif isinstance(value, list):
            items = [self._written(item) for item in value]
            print_, size = _of_list([(p, s) for _, p, s in items])
            written = [item for item, _, _ in items]
        else:
            print_, size = _of_leaf(value)
            written = value
        if size >= _WORTH and (place := self._known.get(print_)) and size > len(place) + 8:
            written = {"": place}
        return written, print_, size

    @property
    def _known(self) -> Mapping[bytes, str]:
        if self._places is None:
            self._places = {}
            for number, tree in enumerate(self._trees):
                self._note(tree, str(number), self._places)
        return self._places

    def _note(self, value: Any, place: str, places: dict[bytes, str]) -> tuple[bytes, int]:
        if isinstance(value, dict):
            print_, size = _of_object(
                {
                    key: self._note(item, f"{place}/{_escaped(key)}", places)
                    for key, item in value.items()
                }
            )
        elif isinstance(value, list):
            print_, size = _of_list(
                [self._note(item, f"{place}/{i}", places) for i, item in enumerate(value)]
            )
        else:
            print_, size = _of_leaf(value)
        if size >= _WORTH:
            places.setdefault(print_, place)
        return print_, size

    def _at(self, place: str) -> Any:
        number, *steps = place.split("/")
        value: Any = self._trees
        for step in (number, *steps):
            try:
                value = (
                    value[int(step)] if isinstance(value, list | tuple) else value[_unescaped(step)]
                )
            except (KeyError, IndexError, ValueError, TypeError) as error:
                raise ShelfError(f"refers to {place!r:.80}, which is not there") from error
        return value


def _reference(value: Mapping[str, Any]) -> Any:
    """What stands under the empty key of an object that has no other and looks like a reference, else ``None``."""
    if len(value) != 1 or "" not in value:
        return None
    inner = value[""]
    escaped = isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], dict)
    return inner if escaped or isinstance(inner, str) else None


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


# ── fingerprints ────────────────────────────────────────────────────────────────────────────────────────────────
# Of an object from those of its values, so that each value is looked at once however deep it is. Exact about types,
# numbers, and the order of keys.


def _of_leaf(value: Any) -> tuple[bytes, int]:
    text = json.dumps(value, ensure_ascii=False)
    return _hash(b"leaf", text.encode("utf-8", "surrogatepass")), len(text)


def _of_list(items: Sequence[tuple[bytes, int]]) -> tuple[bytes, int]:
    size = 1 + len(items) + sum(size for _, size in items)
    return _hash(b"list", b"".join(print_ for print_, _ in items)), size


def _of_object(items: Mapping[str, tuple[bytes, int]]) -> tuple[bytes, int]:
    size = 1 + sum(len(key) + 4 + size for key, (_, size) in items.items())
    keys = (_hash(b"key", key.encode("utf-8", "surrogatepass")) for key in items)
    return _hash(
        b"object", b"".join(k + p for k, (p, _) in zip(keys, items.values(), strict=True))
    ), size


def _hash(kind: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16, person=kind).digest()
