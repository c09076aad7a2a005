"""What of a model call a provider's shape can say: the call beside what is read back from the shape.

Messages are compared part by part, each with the role of its message, so that a shape which joins two messages or
splits one loses no more than the boundary between them (``input[].boundary``), and a text cannot vanish behind it. A
part that stands in another place has changed its ``order``, one that another says its ``role``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from llmtee.fidelity._explain import path_text
from llmtee.fidelity._ledger import Change, Entry, Ledger
from llmtee.fidelity._selectors import selector
from llmtee.fidelity._values import Path, leaves, pair_up, plain, same
from llmtee.model import ModelCall

Outcome: TypeAlias = Literal["same", "changed", "gone", "added"]

UNDECLARED = "not declared by the format"


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of one value of a call when it is written in another shape and read again."""

    path: Path
    """Where it stands: keys and list positions; in the call that was read back for what was ``added``."""
    outcome: Outcome
    tree: Mapping[str, Any]
    """The call that ``path`` leads through, as a tree."""

    @property
    def text(self) -> str:
        """The path with list positions left out: ``input[].parts[].text``."""
        return path_text(self.path)

    def declared_by(self, cannot: Mapping[str, str]) -> list[str]:
        """The selectors that declare it, the most specific one first."""
        added = self.outcome == "added"
        found = [
            text for text in cannot if selector(text).covers(self.path, self.tree, added=added)
        ]
        return sorted(found, key=len, reverse=True)


def compare_calls(call: ModelCall, back: ModelCall) -> Iterator[Difference]:
    """Value by value, what of ``call`` is in ``back``, and what ``back`` has beside it.

    Exact: ``1``, ``1.0`` and ``true`` are three values, and the order of messages and parts counts.
    """
    left, right = plain(call), plain(back)
    for path, outcome in _calls(left, right):
        yield Difference(path, outcome, right if outcome == "added" else left)


def explain_encoding(call: ModelCall, back: ModelCall, cannot: Mapping[str, str]) -> Ledger:
    """The ledger of a call that was written in a provider's shape.

    Args:
        call: what was written.
        back: what is read from it.
        cannot: what the shape cannot say, as ``Format.cannot`` has it.

    Returns:
        A value that comes back as it was is kept; one that is gone or changed is lost, with the declared reason. What
        comes back beside it, such as an id that the shape demands, is a note with the action ``added``.
    """
    entries: list[Entry] = []
    notes: list[Change] = []
    for found in compare_calls(call, back):
        if found.outcome == "same":
            entries.append(Entry(found.text, "kept", 1))
            continue
        declared = found.declared_by(cannot)
        reason = cannot[declared[0]] if declared else UNDECLARED
        if found.outcome == "added":
            notes.append(Change(found.text, "added", reason))
        else:
            entries.append(Entry(found.text, "lost", 1, reason))
    return Ledger.of(entries, notes)


_Found: TypeAlias = Iterator[tuple[Path, Outcome]]


def _calls(left: Mapping[str, Any], right: Mapping[str, Any]) -> _Found:
    apart = ("input", "choices")
    yield from _trees(_without(left, *apart), _without(right, *apart), ())
    ours, theirs = list(_said(left.get("input", ()), ())), list(_said(right.get("input", ()), ()))
    yield from ((("input", *path), outcome) for path, outcome in _messages(ours, theirs))
    mine, others = left.get("choices", ()), right.get("choices", ())
    for i in range(max(len(mine), len(others))):
        yield from _choices(mine[i : i + 1], others[i : i + 1], ("choices", i))


def _choices(ours: Sequence[Any], theirs: Sequence[Any], path: Path) -> _Found:
    if not ours or not theirs:
        outcome: Outcome = "gone" if ours else "added"
        yield from ((inner, outcome) for inner, _ in leaves((ours or theirs)[0], path))
        return
    [left], [right] = ours, theirs
    one, other = left["message"], right["message"]
    for said, heard, inner in ((left, right, ()), (one, other, ("message",))):
        fields = _trees(_without(said, "message", "parts"), _without(heard, "message", "parts"), ())
        yield from ((((*path, *inner, *found), outcome)) for found, outcome in fields)
    # The message is one on both sides, whatever is in it.
    mine, others = (_said([{"parts": message.get("parts", ())}], ()) for message in (one, other))
    for place, outcome in _messages(
        [part for part in mine if part.part], [part for part in others if part.part]
    ):
        if place[1:] != ("role",):
            yield (*path, "message", *place[1:]), outcome


def _trees(left: Any, right: Any, path: Path) -> _Found:
    """What becomes of each leaf of ``left``, and which of ``right`` are new. An empty object or list is a leaf."""
    if isinstance(left, dict) and isinstance(right, dict):
        ours, theirs = left, right
    elif _is_list(left) and _is_list(right):
        ours, theirs = dict(enumerate(left)), dict(enumerate(right))
    elif same(left, right):
        yield path, "same"
        return
    else:
        yield from ((inner, "changed") for inner, _ in leaves(left, path))
        return
    if path and not ours:
        yield path, "same"  # what is in the other one is added
    for key, value in ours.items():
        if key in theirs:
            yield from _trees(value, theirs[key], (*path, key))
        else:
            yield from ((inner, "gone") for inner, _ in leaves(value, (*path, key)))
    for key in [key for key in theirs if key not in ours]:
        yield from ((inner, "added") for inner, _ in leaves(theirs[key], (*path, key)))


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Said:
    """A part with the role of its message, or a message without parts."""

    message: Path
    number: int
    """Of the part in the message."""
    view: dict[str, Any]
    """``role``, and the part in a list ``parts``: what `pair_up` looks at."""
    beside: dict[str, Any]
    """The message's other fields."""

    @property
    def part(self) -> dict[str, Any] | None:
        return self.view["parts"][0] if self.view["parts"] else None

    @property
    def path(self) -> Path:
        return (*self.message, "parts", self.number)


def _said(messages: Sequence[Any], path: Path) -> Iterator[_Said]:
    for i, message in enumerate(messages):
        role, beside = message.get("role"), _without(message, "role", "parts")
        parts = message.get("parts", ())
        if not parts:
            yield _Said((*path, i), 0, {"role": role, "parts": []}, beside)
        for j, part in enumerate(parts):
            yield _Said((*path, i), j, {"role": role, "parts": [part]}, beside)


def _messages(ours: Sequence[_Said], theirs: Sequence[_Said]) -> _Found:
    pairs = pair_up([one.view for one in ours], [one.view for one in theirs])
    partner = {
        i: j
        for i, j in pairs
        if _are_the_same(ours[i], theirs[j]) and not _is_elsewhere(ours[i], theirs[j], theirs)
    }
    moved = dict(_moved(ours, theirs, partner))
    for i, j in moved.items():
        yield (*ours[i].path, "order"), "changed"
        yield from _one(ours[i], theirs[j])
    for i, j in partner.items():
        yield from _one(ours[i], theirs[j])
    yield from _beside(ours, theirs, partner | moved)
    for i, one in enumerate(ours):
        if i not in partner and i not in moved:
            yield from _alone(one, "gone")
    found = {*partner.values(), *moved.values()}
    for j, one in enumerate(theirs):
        if j not in found:
            yield from _alone(one, "added")


def _are_the_same(left: _Said, right: _Said) -> bool:
    """Whether two paired parts may be one: of one type, or of one text (a refusal that is written as text)."""
    one, other = left.part, right.part
    if one is None or other is None:
        return one is other
    if one["type"] == other["type"] and one["type"] in ("citation", "reasoning"):
        # Several look much alike, and some of them vanish.
        return _mark(one) == _mark(other) or "summary" in one
    return one["type"] == other["type"] or (
        (one["type"], other["type"]) == ("refusal", "text") and one["text"] == other["text"]
    )


def _is_elsewhere(left: _Said, right: _Said, theirs: Sequence[_Said]) -> bool:
    """Whether a part was paired with one that only looks like it, while it stands whole in another place.

    A tool's answer that names no call looks like any other such; a refusal like a text of the same words.
    """
    one, other = left.part, right.part
    if one is None or other is None or _mark(one) != _mark(other):
        return False
    if one["type"] == other["type"] and (_mark(one) != _NAMELESS_ANSWER or _are_equal(one, other)):
        return False
    return any(
        said.part is not None
        and said.part["type"] == one["type"]
        and _mark(said.part) == _mark(one)
        and _are_equal(one, said.part)
        for said in theirs
    )


def _are_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("type", "parts"))


def _moved(
    ours: Sequence[_Said], theirs: Sequence[_Said], partner: Mapping[int, int]
) -> Iterator[tuple[int, int]]:
    """Which parts without a partner stand in another place."""
    taken = set(partner.values())
    places: dict[str, list[int]] = {}
    for j, one in enumerate(theirs):
        if j not in taken and one.part is not None:
            places.setdefault(_mark(one.part), []).append(j)
    for i, one in enumerate(ours):
        if i in partner or one.part is None or not (found := places.get(_mark(one.part))):
            continue
        j = next((j for j in found if _are_equal(one.part, theirs[j].part or {})), found[0])
        found.remove(j)
        yield i, j


_MARKS = {
    "citation": ("url", "title", "start", "end"),
    "other": ("name",),
    "tool_call": ("id", "name"),
    "tool_result": ("call_id",),
}
_MARK = ("text", "data", "url", "file_id", "call_id", "encrypted", "signature", "id", "name")


def _mark(part: Mapping[str, Any]) -> str:
    """What makes a part itself: all of these fields for some types, else the first of those that it has."""
    kind = "text" if part["type"] == "refusal" else part["type"]
    if kind in _MARKS:
        return repr([kind, *(part.get(key) for key in _MARKS[kind])])
    return repr([kind, next((part[key] for key in _MARK if part.get(key) is not None), None)])


_NAMELESS_ANSWER = _mark({"type": "tool_result"})


def _one(left: _Said, right: _Said) -> _Found:
    # Whose words they are is asked of each part: answers of tools may be told apart from what stands beside them.
    if left.view["role"] != right.view["role"]:
        yield (*(left.message if left.part is None else left.path), "role"), "changed"
    elif left.number == 0:
        yield (*left.message, "role"), "same"
    if left.part is None:
        return
    for path, outcome in _trees(left.part, right.part, ()):
        yield (*(right if outcome == "added" else left).path, *path), outcome


def _alone(one: _Said, outcome: Outcome) -> _Found:
    if one.part is None:
        yield (*one.message, "role"), outcome
    else:
        yield from ((path, outcome) for path, _ in leaves(one.part, one.path))


def _beside(ours: Sequence[_Said], theirs: Sequence[_Said], partner: Mapping[int, int]) -> _Found:
    """What messages say beside their parts, and where one begins: two may be joined, one may be split."""
    found: dict[Path, list[_Said]] = {}
    taken: set[Path] = set()
    joined: set[Path] = set()
    for i, j in sorted(partner.items()):
        left, right = ours[i].message, theirs[j]
        new = right.message not in taken
        if left not in found and not new:
            joined.add(left)
        found.setdefault(left, [])
        if new:
            taken.add(right.message)
            found[left].append(right)
    besides = {one.message: one.beside for one in ours}
    for left, rights in found.items():
        if left in joined:
            yield (*left, "boundary"), "gone"
        for right in rights[0 if left in joined else 1 :]:
            yield (*right.message, "boundary"), "added"
        told: dict[str, Any] = {}
        for right in rights:
            told |= right.beside
        for path, outcome in _trees(besides[left], told, ()):
            yield (*(rights[0].message if outcome == "added" else left), *path), outcome
    for message, fields in besides.items():
        if message not in found and fields:
            yield from ((path, "gone") for path, _ in leaves(fields, message))


def _without(tree: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key not in keys}


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)
