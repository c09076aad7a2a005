"""What a target should hold of a session beside what its reader gave, value by value. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from llmtee.fidelity import Found, example, leaves, path_text, plain, walk
from llmtee.migrate.spill import Entry
from llmtee.model import Conversation, Step

What: TypeAlias = Literal["missing", "surplus", "duplicate", "changed", "moved"]

_EXCERPT = 60
"""Characters of a text that are shown."""
_BEFORE = 12
"""Of these, before the first character that differs."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A difference that nobody foretold."""

    what: What
    """``missing``: expected and not found. ``surplus``: found and not expected; ``duplicate``: and found once already.
    ``changed``: another value. ``moved``: in another place of its list."""
    session: str | None
    item: str
    """Id of the event, conversation or supplement."""
    kind: str
    """``model_call``, ``conversation``, …"""
    path: str = ""
    """In the item, with positions: ``messages[3].parts[0].text``; empty for the item as a whole."""
    expected: str | None = None
    """As a short text on one line; ``None`` where nothing was."""
    found: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        values = {name: getattr(self, name) for name in type(self).__slots__}
        return {name: value for name, value in values.items() if value not in (None, "")}

    def __str__(self) -> str:
        place = f"session {self.session}: " if self.session is not None else ""
        where = f" {self.path}" if self.path else ""
        text = f"{place}{self.kind} {self.item}{where}: {self.what}"
        if self.expected is not None and self.found is not None:
            return f"{text}: expected {self.expected}, found {self.found}"
        told = self.expected if self.found is None else self.found
        return text if told is None else f"{text}: {told}"


SHOWN = 1000
"""Differences that are kept; all are counted."""


@dataclass
class Compared:
    """What came of comparing some sessions; added up as they pass by."""

    matched: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """Of differences, by what they are."""
    mismatches: list[Mismatch] = field(default_factory=list)
    """The first of them."""
    beside: Counter[str] = field(default_factory=Counter)
    """Values that the target added, by path."""

    def differs(self, found: Mismatch) -> None:
        """Counts a difference."""
        self.counts[found.what] += 1
        if len(self.mismatches) < SHOWN:
            self.mismatches.append(found)


def compare_session(expected: Sequence[Entry], found: Sequence[Entry], into: Compared) -> None:
    """Compares what belongs to one session.

    A step of the type ``session`` that nobody sent is no surplus: some targets make one for each session.

    Args:
        expected: what reading the target should give.
        found: what it gave, in any order.
        into: takes what comes of it.
    """
    pairs, missing, surplus = _paired(expected, found)
    for one, other in pairs:
        into.matched += 1
        _compare(one, other, into)
    for item in missing:
        into.differs(_whole("missing", item))
    known = {other.id for _, other in pairs}
    said = {_content(other) for _, other in pairs} if surplus else set()
    for item in surplus:
        again = item.id in known or _content(item) in said
        if isinstance(item, Step) and item.step_type == "session" and not again:
            into.beside["session"] += 1
        else:
            into.differs(_whole("duplicate" if again else "surplus", item))
        known.add(item.id)
        said.add(_content(item))


# ── which is which ──────────────────────────────────────────────────────────────────────────────────────────────


def _paired(
    expected: Sequence[Entry], found: Sequence[Entry]
) -> tuple[list[tuple[Entry, Entry]], list[Entry], list[Entry]]:
    """Pairs, and what is left on each side.

    By id, and of several with one id those that say the same first; then by all that they say; then conversations in
    their order, since a session has one, mostly.
    """
    counts = Counter(item.id for item in expected) | Counter(item.id for item in found)
    keys: list[Callable[[Entry], Any]] = [
        lambda item: (item.id, _content(item)) if counts[item.id] > 1 else None,
        lambda item: item.id,
        _content,
        lambda item: isinstance(item, Conversation) or None,
    ]
    pairs: list[tuple[Entry, Entry]] = []
    ours, theirs = list(expected), list(found)
    for key in keys:
        if not ours or not theirs:
            break
        places: defaultdict[Any, deque[int]] = defaultdict(deque)
        for i, item in enumerate(theirs):
            places[key(item)].append(i)
        taken: set[int] = set()
        still: list[Entry] = []
        for item in ours:
            mark = key(item)
            if mark is not None and places.get(mark):
                taken.add(place := places[mark].popleft())
                pairs.append((item, theirs[place]))
            else:
                still.append(item)
        ours, theirs = still, [item for i, item in enumerate(theirs) if i not in taken]
    return pairs, ours, theirs


def _content(item: Entry) -> str:
    """What an item says, without its id."""
    return repr({key: value for key, value in plain(item).items() if key != "id"}) + item.kind


# ── two of them ─────────────────────────────────────────────────────────────────────────────────────────────────


def _compare(one: Entry, other: Entry, into: Compared) -> None:
    if one.kind != other.kind:
        into.differs(_mismatch("changed", one, "kind", one.kind, other.kind))
        return
    tree = plain(one)
    for value in _with_moves(list(walk(tree, plain(other)))):
        path = path_text(value.path, positions=True)
        match value.outcome:
            case "added":
                into.beside[path_text(value.path)] += sum(1 for _ in leaves(value.right))
            case "gone":
                into.differs(_mismatch("missing", one, path, _brief(value.left), None))
            case "surplus":
                what: What = "duplicate" if _is_again(tree, value) else "surplus"
                into.differs(_mismatch(what, one, path, None, _brief(value.right)))
            case "moved":
                into.differs(_mismatch("moved", one, path, _brief(value.left), None))
            case "changed":
                into.differs(_mismatch("changed", one, path, *_excerpts(value.left, value.right)))


def _with_moves(found: Sequence[Found]) -> Iterator[Found]:
    """With what went from one place of a list and came to another as one move."""
    came: defaultdict[tuple[Any, str], list[Found]] = defaultdict(list)
    for value in found:
        if value.outcome == "surplus":
            came[value.path[:-1], repr(value.right)].append(value)
    for value in found:
        places = came.get((value.path[:-1], repr(value.left))) if value.outcome == "gone" else None
        if places:
            yield Found(value.path, "moved", value.left, places.pop().right)
        elif value.outcome != "surplus":
            yield value
    yield from (value for left in came.values() for value in left)


def _is_again(tree: Any, value: Found) -> bool:
    """Whether what is too much in a list stands in it anyway."""
    for step in value.path[:-1]:
        try:
            tree = tree[step]
        except (KeyError, IndexError):  # the list is in what the other tree has beside it
            return False
    return any(_same(value.right, sibling) for sibling in tree)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return {k: v for k, v in one.items() if k != "id"} == {
            k: v for k, v in other.items() if k != "id"
        }
    return bool(one == other)


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────


def _whole(what: What, item: Entry) -> Mismatch:
    said = _brief(plain(item))
    if what == "missing":
        return _mismatch(what, item, "", said, None)
    return _mismatch(what, item, "", None, said)


def _mismatch(
    what: What, item: Entry, path: str, expected: str | None, found: str | None
) -> Mismatch:
    session = getattr(item, "session", None)
    return Mismatch(what, session, item.id, item.kind, path, expected, found)


def _brief(value: Any) -> str:
    """The first text in it, else its first value."""
    texts = [leaf for path, leaf in leaves(value) if path and path[-1] in ("text", "content")]
    role = (
        f"{value['role']} "
        if isinstance(value, dict) and isinstance(value.get("role"), str)
        else ""
    )
    return role + example(texts[0] if texts else next((leaf for _, leaf in leaves(value)), None))


def _excerpts(left: Any, right: Any) -> tuple[str, str]:
    """Two values, or the places at which two texts part."""
    if not isinstance(left, str) or not isinstance(right, str):
        return example(left), example(right)
    same = next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
        min(len(left), len(right)),
    )
    start = max(0, same - _BEFORE)
    return _cut(left, start), _cut(right, start)


def _cut(text: str, start: int) -> str:
    piece = text[start : start + _EXCERPT]
    return f"{'…' if start else ''}{piece!r}{'…' if start + _EXCERPT < len(text) else ''}"
