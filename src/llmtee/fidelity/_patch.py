"""What turns one JSON tree into another, as compact JSON. Exact about types, numbers and the order of lists.

``1``, ``1.0``, ``true`` and ``"1"`` are four values, ``-0.0`` is not ``0.0``, and an absent key is not ``null``.
A patch is one of::

    [value]                      this value instead
    {"key": patch, "other": 0}   an object with some keys changed; 0 takes the key away
    [{…}, [2, 0, 1]]             the same, and then its keys in another order: positions of the keys as they stand
    [length, op, op, …]          a list, made anew from one that has ``length`` items

The ops of a list have a cursor, which begins at the old list's first item::

    3          the next three items as they are
    -3         the cursor goes to item 2 (``~item``)
    [a, b]     these new items
    {…}        the next item, an object, changed by this patch
    [], patch  the next item, changed by a patch of any form

So what did not change costs nothing, and an item that moved, went or came costs a number or itself. Texts are
replaced whole. A new value that stands elsewhere, too, is a reference to it (see `_shelf`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from llmtee.fidelity._align import align
from llmtee.fidelity._shelf import Shelf, ShelfError

Patch: TypeAlias = Any
"""JSON of the shape above."""

_REMOVED: Final = 0
_DEEPEST: Final = 60
"""Levels below which a difference is replaced whole, so that no tree exhausts the stack."""


class PatchError(ValueError):
    """A patch is malformed, or was made for another tree."""


def exactly(value: Any, *, key_order: bool = True) -> str:
    """A text that is the same for equal values only: JSON, in which types and numbers differ as they should."""
    return json.dumps(
        value,
        ensure_ascii=False,
        separators=(",", ":"),
        sort_keys=not key_order,
        check_circular=False,
    )


def diff(
    seen: Any, wanted: Any, *, shelf: Sequence[Any] = (), key_order: bool = False
) -> Patch | None:
    """The patch that makes ``wanted`` of ``seen``; ``None`` where they are the same.

    Time and space are near-linear in the size of both, for lists of any length too.

    Args:
        seen: a JSON value. Numbers that are not finite are values like any other.
        wanted: a JSON value.
        shelf: JSON values that `apply` will be given as well, so that the patch need not repeat what is in them.
        key_order: whether objects with the same keys in another order differ.
    """
    return _Differ(Shelf(shelf), key_order).value(seen, wanted, 0)


class _Differ:
    def __init__(self, shelf: Shelf, key_order: bool) -> None:
        self.shelf, self.key_order = shelf, key_order

    def text(self, value: Any) -> str:
        return exactly(value, key_order=self.key_order)

    def value(self, seen: Any, wanted: Any, depth: int) -> Patch | None:
        patch: Patch | None
        if type(seen) is type(wanted) is dict and depth < _DEEPEST:
            patch = self.in_object(seen, wanted, depth + 1)
        elif type(seen) is type(wanted) is list and depth < _DEEPEST:
            patch = self.in_list(seen, wanted, depth + 1)
        else:
            return None if self.text(seen) == self.text(wanted) else self.whole(wanted)
        if patch is not None and len(self.text(patch)) > len(
            self.text(whole := self.whole(wanted))
        ):
            return whole
        return patch

    def whole(self, wanted: Any) -> Patch:
        return [self.shelf.written(wanted)]

    def in_object(self, seen: dict[str, Any], wanted: dict[str, Any], depth: int) -> Patch | None:
        changes: dict[str, Any] = {key: _REMOVED for key in seen if key not in wanted}
        for key, value in wanted.items():
            patch = self.value(seen[key], value, depth) if key in seen else self.whole(value)
            if patch is not None:
                changes[key] = patch
        if self.key_order:
            keys = [key for key in seen if key in wanted] + [k for k in wanted if k not in seen]
            if keys != list(wanted):
                places = {key: place for place, key in enumerate(keys)}
                return [changes, [places[key] for key in wanted]]
        return changes or None

    def in_list(self, seen: list[Any], wanted: list[Any], depth: int) -> Patch | None:
        old, new = [self.text(item) for item in seen], [self.text(item) for item in wanted]
        ops = _Ops()
        for here, place in enumerate(align(old, new, seen, wanted)):
            if place is None:
                ops.insert(self.shelf.written(wanted[here]))
            elif old[place] == new[here]:
                ops.keep(place)
            else:
                self.changed(ops, place, seen[place], wanted[here], depth)
        if len(seen) == len(wanted) and ops.made in ([], [len(seen)]):
            return None
        return [len(seen), *ops.made] if ops.made else [[]]

    def changed(self, ops: _Ops, place: int, seen: Any, wanted: Any, depth: int) -> None:
        patch = self.value(seen, wanted, depth)
        if type(patch) is list and len(patch) == 1:
            ops.insert(patch[0])
        else:
            ops.change(place, patch)


class _Ops:
    """The ops of one list in the making."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.cursor = 0

    def insert(self, value: Any) -> None:
        # An empty list is an op of its own, and what follows one is no place to add to.
        if self.made and type(self.made[-1]) is list and self.made[-1] and self.made[-2:-1] != [[]]:
            self.made[-1].append(value)
        else:
            self.made.append([value])

    def keep(self, place: int) -> None:
        going_on = place == self.cursor and self.made and type(self.made[-1]) is int
        if going_on and self.made[-1] > 0:
            self.made[-1] += 1
            self.cursor += 1
        else:
            self.move(place)
            self.made.append(1)
            self.cursor += 1

    def change(self, place: int, patch: Patch) -> None:
        self.move(place)
        self.made += [patch] if type(patch) is dict else [[], patch]
        self.cursor += 1

    def move(self, place: int) -> None:
        if place != self.cursor:
            self.made.append(~place)
            self.cursor = place


def apply(patch: Patch | None, seen: Any, shelf: Sequence[Any] = ()) -> Any:
    """What ``patch`` makes of ``seen``, which is not changed; the result may share values with all three.

    Raises:
        PatchError: the patch is malformed, or does not fit ``seen``.
    """
    return apply_checked(patch, seen, shelf)[0]


def apply_checked(patch: Patch | None, seen: Any, shelf: Sequence[Any] = ()) -> tuple[Any, str]:
    """Like `apply`, and a digest of everything that the patch replaces or leaves out in ``seen``, or refers to.

    The digest is the same exactly when these values are: so it tells whether something was changed where it matters,
    and does not mind what was added elsewhere. Keys that are taken away do not count: gone is gone.

    Raises:
        PatchError: the patch is malformed, or does not fit ``seen``.
    """
    applier = _Applier(Shelf(shelf))
    try:
        made = seen if patch is None else applier.value(patch, seen)
    except ShelfError as error:
        raise PatchError(str(error)) from error
    return made, applier.replaced.hexdigest()


class _Applier:
    def __init__(self, shelf: Shelf) -> None:
        self.shelf, self.replaced = shelf, hashlib.blake2b(digest_size=5)

    def new(self, value: Any) -> Any:
        for known in self.shelf.read(value):
            self.note(known)
        return self.shelf.original(value)

    def note(self, value: Any) -> None:
        self.replaced.update(exactly(value, key_order=False).encode("utf-8", "surrogatepass"))
        self.replaced.update(b"\n")

    def value(self, patch: Patch, seen: Any) -> Any:
        match patch:
            case [value]:
                self.note(seen)
                return self.new(value)
            case dict():
                return self.in_object(patch, seen)
            case [dict() as changes, list() as order]:
                return _in_order(self.in_object(changes, seen), order)
            case [int() as length, *ops] if type(length) is int:
                return self.in_list(length, ops, seen)
        raise PatchError(f"is no patch: {patch!r:.60}")

    def in_object(self, changes: dict[str, Any], seen: Any) -> dict[str, Any]:
        if type(seen) is not dict:
            raise PatchError("the patch is for an object")
        made = dict(seen)
        for key, patch in changes.items():
            if type(patch) is int and patch == _REMOVED:
                made.pop(key, None)
            elif key in made:
                made[key] = self.value(patch, made[key])
            elif type(patch) is list and len(patch) == 1:
                self.replaced.update(b"nothing\n")
                made[key] = self.new(patch[0])
            else:
                raise PatchError(f"the patch is for something under {key!r:.60}")
        return made

    def in_list(self, length: int, ops: list[Any], seen: Any) -> list[Any]:
        if type(seen) is not list or len(seen) != length:
            raise PatchError(f"the patch is for a list of {length} items")
        made: list[Any] = []
        used: set[int] = set()
        cursor, steps = 0, iter(ops)
        for op in steps:
            if type(op) is int and op < 0:
                cursor = ~op
                continue
            if type(op) is list and op:
                made += [self.new(value) for value in op]
                continue
            count = op if type(op) is int else 1
            if not count or cursor + count > length:
                raise PatchError(f"the patch goes beyond a list of {length} items")
            if type(op) is int:
                made += seen[cursor : cursor + count]
            else:
                made.append(self.value(_of_item(op, steps), seen[cursor]))
            used.update(range(cursor, cursor + count))
            cursor += count
        for place in range(length):
            if place not in used:
                self.note(seen[place])
        return made


def _of_item(op: Any, steps: Iterator[Any]) -> Patch:
    if type(op) is dict:
        return op
    if op == [] and type(op) is list:
        return next(steps, None)
    raise PatchError(f"is no op of a list: {op!r:.60}")


def _in_order(made: dict[str, Any], order: list[Any]) -> dict[str, Any]:
    keys = list(made)
    if sorted(map(repr, order)) != sorted(map(repr, range(len(keys)))):
        raise PatchError(f"the patch orders {len(order)} keys, and there are {len(keys)}")
    return {keys[place]: made[keys[place]] for place in order}
