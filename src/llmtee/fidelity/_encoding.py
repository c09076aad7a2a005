"""What of a model call a provider's shape can say: the call beside what is read back from the shape.

Messages are compared part by part, each with the role of its message, so that a shape which joins two messages or
splits one loses no more than the boundary between them (``input[].boundary``), and a text cannot vanish behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from llmtee.fidelity._explain import path_text
from llmtee.fidelity._ledger import Change, Entry, Ledger
from llmtee.fidelity._selectors import Selector, selector
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
        found = [text for text in cannot if _selector_of(text).covers(self.path, self.tree)]
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
    yield from _messages(left.get("input", ()), right.get("input", ()), ("input",))
    ours, theirs = left.get("choices", ()), right.get("choices", ())
    for i in range(max(len(ours), len(theirs))):
        yield from _choices(ours[i : i + 1], theirs[i : i + 1], ("choices", i))


def _choices(ours: Sequence[Any], theirs: Sequence[Any], path: Path) -> _Found:
    if not ours or not theirs:
        outcome: Outcome = "gone" if ours else "added"
        yield from ((inner, outcome) for inner, _ in leaves((ours or theirs)[0], path))
        return
    [left], [right] = ours, theirs
    yield from _trees(_without(left, "message"), _without(right, "message"), path)
    for inner, outcome in _messages([left["message"]], [right["message"]], ()):
        yield (*path, "message", *inner[1:]), outcome


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
        yield path, "changed" if theirs else "same"
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
    """A part with the role of its message; the first part of a message brings the message's other fields along."""

    path: Path
    """Of the message."""
    number: int | None
    """Of the part in the message; ``None`` for a message without parts."""
    view: dict[str, Any]
    """``role``, and the part in a list ``parts``: what `pair_up` looks at."""
    beside: dict[str, Any] | None
    """The message's other fields, at its first part only."""

    @property
    def part(self) -> dict[str, Any] | None:
        return self.view["parts"][0] if self.view["parts"] else None

    def ends(self, outcome: Outcome) -> _Found:
        """The leaves of one that has no partner."""
        if self.number is None:
            yield (*self.path, "role"), outcome
        else:
            yield from (
                (path, outcome) for path, _ in leaves(self.part, (*self.path, "parts", self.number))
            )
        if self.beside is not None:
            yield (*self.path, "boundary"), outcome
            yield from ((path, outcome) for path, _ in leaves(self.beside, self.path) if self.beside)


def _messages(left: Sequence[Any], right: Sequence[Any], path: Path) -> _Found:
    ours, theirs = list(_said(left, path)), list(_said(right, path))
    pairs = pair_up([one.view for one in ours], [one.view for one in theirs])
    partner = {i: j for i, j in pairs if _are_the_same(ours[i], theirs[j])}
    for i, one in enumerate(ours):
        if i in partner:
            yield from _one(one, theirs[partner[i]])
        else:
            yield from one.ends("gone")
    for j in sorted(set(range(len(theirs))) - set(partner.values())):
        yield from theirs[j].ends("added")


def _said(messages: Sequence[Any], path: Path) -> Iterator[_Said]:
    for i, message in enumerate(messages):
        beside = _without(message, "role", "parts")
        parts = message.get("parts", ())
        if not parts:
            yield _Said((*path, i), None, {"role": message["role"], "parts": []}, beside)
        for j, part in enumerate(parts):
            view = {"role": message["role"], "parts": [part]}
            yield _Said((*path, i), j, view, None if j else beside)


def _are_the_same(left: _Said, right: _Said) -> bool:
    """Whether two paired parts may be one: of one type, or of one text (a refusal that is written as text)."""
    one, other = left.part, right.part
    if one is None or other is None:
        return one is other
    return one["type"] == other["type"] or ("text" in one and one["text"] == other.get("text"))


def _one(left: _Said, right: _Said) -> _Found:
    yield (*left.path, "role"), "same" if left.view["role"] == right.view["role"] else "changed"
    if left.number is not None:
        yield from _mapped(left, right)
    if left.beside is None and right.beside is None:
        return
    if left.beside is None or right.beside is None:
        split = left.beside is None
        yield (*(right if split else left).path, "boundary"), "added" if split else "gone"
    for path, outcome in _trees(left.beside or {}, right.beside or {}, ()):
        if path:
            yield (*(right if outcome == "added" else left).path, *path), outcome


def _mapped(left: _Said, right: _Said) -> _Found:
    for path, outcome in _trees(left.part, right.part, ()):
        one = right if outcome == "added" else left
        yield (*one.path, "parts", one.number or 0, *path), outcome


def _without(tree: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key not in keys}


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


_selector_of: Callable[[str], Selector] = selector
