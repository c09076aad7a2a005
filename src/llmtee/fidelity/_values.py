"""Canonical values as plain trees of objects, lists and leaves; which leaves of one stand in another.

Exact about types and numbers: ``1``, ``1.0`` and ``true`` are three different leaves.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, TypeAlias

from llmtee.model import Item, Supplement

Path: TypeAlias = tuple[str | int, ...]
"""Where a leaf stands: keys and list positions."""

_EXAMPLE = 40
"""Characters."""

_SMALL = 900
"""Pairs of list items up to which the best pairing is searched for; beyond, neighbours are paired in order."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A value that counts as one leaf, however much is in it."""

    value: Any


def plain(item: Item | Supplement) -> dict[str, Any]:
    """The item as a tree, without fields at their default. The provider's native block counts as one leaf."""
    tree = item.model_dump(exclude_defaults=True)
    tree.pop("kind")
    if "native" in tree:
        tree["native"] = Whole(tree["native"])
    for run in tree.get("tool_runs", ()):
        run.pop("kind")
    return tree


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All leaves with their paths. An empty object or list is a leaf."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list | tuple) and value:
        for i, item in enumerate(value):
            yield from leaves(item, (*path, i))
    else:
        yield path, value


def example(value: Any) -> str:
    """A leaf as a short text on one line."""
    if isinstance(value, Whole):
        value = value.value
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        value = value[: _EXAMPLE + 1]  # the whole of a long text need not be written out
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _EXAMPLE else f"{text[: _EXAMPLE - 1]}…"


@dataclass(frozen=True, slots=True)
class Found:
    """What becomes of one value of a tree in another one."""

    path: Path
    outcome: Outcome
    left: Any = None
    """The value, with all that is in it; ``None`` for what only the other tree has."""
    right: Any = None


Outcome: TypeAlias = Literal["same", "rounded", "changed", "gone", "added", "surplus", "moved"]
"""``same``, ``rounded`` (a time, to the millisecond) and ``changed`` are said of leaves. ``gone``: whatever stood there.
Of what only the right tree has: ``added`` is a key of an object, ``surplus`` an item of a list. ``moved``: an item of a
list that comes behind one that it came before; what becomes of what is in it is said beside that."""


def walk(left: Any, right: Any, path: Path = ()) -> Iterator[Found]:
    """What becomes of each value of ``left`` in ``right``, and what ``right`` has beside it.

    Paths lead through ``left``; of what only ``right`` has, through ``right``.
    """
    if isinstance(left, dict) and left and isinstance(right, dict):
        for key, item in left.items():
            if key in right:
                yield from walk(item, right[key], (*path, key))
            else:
                yield Found((*path, key), "gone", item)
        yield from (Found((*path, k), "added", None, right[k]) for k in right if k not in left)
    elif isinstance(left, list | tuple) and left and isinstance(right, list | tuple):
        yield from _walk_list(left, right, path)
    elif isinstance(left, dict | list | tuple) and left:
        yield from (Found(inner, "changed", leaf, right) for inner, leaf in leaves(left, path))
    elif same(left, right):
        yield Found(path, "same", left, right)
    else:
        outcome: Outcome = "rounded" if _within_a_millisecond(left, right) else "changed"
        yield Found(path, outcome, left, right)


def _walk_list(left: Sequence[Any], right: Sequence[Any], path: Path) -> Iterator[Found]:
    partners = dict(pair_up(left, right))
    behind = -1
    for i, item in enumerate(left):
        if i not in partners:
            yield Found((*path, i), "gone", item)
            continue
        partner = partners[i]
        if partner < behind:
            yield Found((*path, i), "moved", item, right[partner])
        behind = max(behind, partner)
        yield from walk(item, right[partner], (*path, i))
    taken = set(partners.values())
    yield from (
        Found((*path, j), "surplus", None, item) for j, item in enumerate(right) if j not in taken
    )


def compare(left: Any, right: Any) -> Iterator[tuple[Path, Outcome]]:
    """For each leaf of ``left`` whether it stands in ``right``: ``same``, ``rounded`` (a time), ``changed``, ``gone``."""
    for found in walk(left, right):
        if found.outcome == "gone":
            yield from ((inner, "gone") for inner, _ in leaves(found.left, found.path))
        elif found.outcome not in ("added", "surplus", "moved"):
            yield found.path, found.outcome


def same(left: Any, right: Any) -> bool:
    """Whether two trees are equal, types of leaves included."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, Whole):
        return same(left.value, right.value)
    return bool(left == right)


def pair_up(left: Sequence[Any], right: Sequence[Any]) -> list[tuple[int, int]]:
    """Which items of two lists are the same ones, as pairs of positions.

    By id where both have ids in common. Else in order: first what is equal, then what says the same, then what is
    most alike in the gaps between.
    """
    if (by_id := _by_id(left, right)) is not None:
        return by_id
    return sorted(_in_gap(left, right, (_exactly, _said, _words)))


def _by_id(left: Sequence[Any], right: Sequence[Any]) -> list[tuple[int, int]] | None:
    places = {_id(item): i for i, item in enumerate(right)}
    ids = [_id(item) for item in left]
    if None in places or None in ids or len(places) < len(right) or len(set(ids)) < len(ids):
        return None
    pairs = [(i, places[own]) for i, own in enumerate(ids) if own in places]
    return pairs or None


def _id(item: Any) -> str | None:
    own = item.get("id") if isinstance(item, dict) else None
    return own if isinstance(own, str) else None


_Key: TypeAlias = Callable[[Any], str]


def _in_gap(
    left: Sequence[Any], right: Sequence[Any], keys: Sequence[_Key]
) -> Iterator[tuple[int, int]]:
    if not left or not right:
        return
    if not keys:
        yield from _most_alike(left, right)
        return
    matcher = SequenceMatcher(
        None, [keys[0](item) for item in left], [keys[0](item) for item in right], autojunk=False
    )
    i, j = 0, 0
    for block in matcher.get_matching_blocks():
        for n, m in _in_gap(left[i : block.a], right[j : block.b], keys[1:]):
            yield i + n, j + m
        yield from ((block.a + n, block.b + n) for n in range(block.size))
        i, j = block.a + block.size, block.b + block.size


def _exactly(item: Any) -> str:
    return repr(item)


def _said(item: Any) -> str:
    """Role and texts of a message; of anything else, all of it."""
    return f"{item.get('role')} {_words(item)}" if isinstance(item, dict) else repr(item)


def _words(item: Any) -> str:
    """What makes a message, part or run itself, whatever is known about it."""
    if not isinstance(item, dict):
        return repr(item)
    own = [repr(item[key]) for key in _OWN if item.get(key) is not None]
    return " ".join([*own, *(_words(part) for part in item.get("parts", ()))]) or repr(item)


_OWN = ("text", "url", "data", "file_id", "call_id", "name", "result")


def _most_alike(left: Sequence[Any], right: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """The pairing in order with the most leaves in common."""
    rows, columns = len(left), len(right)
    if rows * columns > _SMALL:
        yield from ((n, n) for n in range(min(rows, columns)))
        return
    ours, theirs = list(map(_leaf_set, left)), list(map(_leaf_set, right))
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            # A little more than nothing, so that what replaced something is seen as its change.
            alike = 0.01 + len(ours[i] & theirs[j])
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + alike)
    i = j = 0
    while i < rows and j < columns:
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            yield i, j
            i, j = i + 1, j + 1


def _leaf_set(item: Any) -> set[str]:
    return {repr(leaf) for leaf in leaves(item)}


def _within_a_millisecond(left: Any, right: Any) -> bool:
    if not isinstance(left, dt.datetime) or not isinstance(right, dt.datetime):
        return False
    return abs(left - right) < dt.timedelta(milliseconds=1)
