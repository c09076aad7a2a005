"""Which items of one list are which of another, in near-linear time."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

Alignment: TypeAlias = int | None
"""Position in the old list; ``None`` for an item that is new."""

_TELLING = 12
"""Characters from which a text tells one item from another."""


def align(
    old_texts: Sequence[str], new_texts: Sequence[str], old: Sequence[Any], new: Sequence[Any]
) -> list[Alignment]:
    """For each item of ``new`` its counterpart in ``old``; no item of ``old`` is taken twice.

    First what is exactly the same, nearest to where the one before stood; then objects with the same id, then with
    the same longest text; then objects between the same neighbours, in order.

    Args:
        old_texts: for each old item a text that equal items have in common, and no others.
        new_texts: the same for the new ones.
        old: the items.
        new: the items.
    """
    found: list[Alignment] = [None] * len(new)
    free = set(range(len(old)))
    _match(old_texts, new_texts, found, free)
    for key in (_id, _longest):
        if not free or None not in found:
            return found
        _match(_keys(old, free, key), _keys(new, _open(found), key), found, free)
    _between_neighbours(old, new, found, free)
    return found


def _open(found: Sequence[Alignment]) -> list[int]:
    return [place for place, partner in enumerate(found) if partner is None]


def _keys(
    items: Sequence[Any], places: Iterable[int], key: Callable[[Any], str | None]
) -> list[str | None]:
    keys: list[str | None] = [None] * len(items)
    for place in places:
        keys[place] = key(items[place])
    return keys


def _match(
    old: Sequence[str | None],
    new: Sequence[str | None],
    found: list[Alignment],
    free: set[int],
) -> None:
    """Pairs items with the same key: the first free one behind the last pair, else the first there is."""
    # Last first and negated, so that the usual case, the next one in order, pops from the end.
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place in reversed(range(len(old))):
        key = old[place]
        if key is not None and place in free:
            places[key].append(-place)
    cursor = 0
    for here, key in enumerate(new):
        taken = found[here]
        if taken is None and key is not None and (candidates := places.get(key)):
            taken = -candidates.pop(bisect_right(candidates, -cursor) - 1)
            found[here] = taken
            free.discard(taken)
        if taken is not None:
            cursor = taken + 1


def _id(item: Any) -> str | None:
    own = item.get("id") if isinstance(item, dict) else None
    return own if isinstance(own, str) else None


def _longest(item: Any) -> str | None:
    """The longest text in an object, where it is long enough to tell it from others."""
    best = ""
    todo = [item] if isinstance(item, dict) else []
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            best = max(best, value, key=len)
        elif isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    return best if len(best) >= _TELLING else None


def _between_neighbours(
    old: Sequence[Any], new: Sequence[Any], found: list[Alignment], free: set[int]
) -> None:
    cursor = 0
    for here, partner in enumerate(found):
        if partner is not None:
            cursor = partner + 1
        elif cursor in free and type(old[cursor]) is type(new[here]) and _is_holder(new[here]):
            found[here] = cursor
            free.discard(cursor)
            cursor += 1


def _is_holder(value: Any) -> bool:
    return isinstance(value, dict | list)
