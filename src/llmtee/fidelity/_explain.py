"""The ledger of one rendering, from what the vendor's own ``parse`` reads back out of it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from llmtee.errors import LlmteeError
from llmtee.fidelity._ledger import Change, Entry, Ledger, Status
from llmtee.fidelity._values import Path, compare, example, leaves, plain
from llmtee.model import Item, Supplement

NO_FIELD = "the vendor has no field for it"
CHANGED = "it comes back changed"
UNREADABLE = "what was rendered cannot be read back"
ROUNDED = "to the millisecond"

_INDEX = re.compile(r"\[\d+\]")
_PLAIN_KEY = re.compile(r"[\w-]+")


class NoteLike(Protocol):
    """What a vendor says it did on purpose: a ``spec.Note``."""

    @property
    def path(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def reason(self) -> str: ...


def explain_rendering(
    item: Item | Supplement,
    body: Any,
    parse: Callable[[Any], Sequence[Item | Supplement]],
    *,
    free_form: Iterable[str] = (),
    reasons: Mapping[str, str] | None = None,
    notes: Iterable[NoteLike] = (),
    skip: str | None = None,
) -> Ledger:
    """What of ``item`` is kept in ``body``, value by value.

    A value that comes back from ``parse(body)`` is kept; parked, if it does not come back once the free-form fields
    are emptied. If something else comes back in its place it is trimmed, where it is a text in a field that
    rendering says it trimmed, or changed; else it is lost.

    Args:
        item: what was rendered.
        body: the vendor's JSON for it; ``None`` when the vendor has no place for it, so that all is lost.
        parse: the vendor's way back.
        free_form: paths of the fields of ``body`` that hold anything, such as ``messages[].properties``.
        reasons: why a canonical field is lost, by its path or the start of it.
        notes: what rendering did on purpose.
        skip: why the vendor has no place for the item.
    """
    notes = list(notes)
    tree = plain(item)
    if body is None:
        return _all_lost(tree, skip or NO_FIELD, notes)
    back = _read_back(item, body, parse)
    if back is None:
        return _all_lost(tree, UNREADABLE, notes)
    bare = _read_back(item, emptied(body, free_form), parse)
    without = dict(compare(tree, bare)) if bare is not None else {}
    values = dict(leaves(tree))
    found = []
    for path, outcome in compare(tree, back):
        status = _status(outcome, without.get(path), path, values[path], notes)
        default = {"rounded": ROUNDED, "gone": NO_FIELD, "changed": CHANGED}.get(outcome)
        told = None if status == "kept" else _reason(path, reasons or {}, notes)
        found.append(Entry(path_text(path), status, 1, told or default, example(values[path])))
    return Ledger.of(found, _changes(notes))


def _status(
    outcome: str, without: str | None, path: Path, value: Any, notes: Sequence[NoteLike]
) -> Status:
    if outcome in ("same", "rounded"):
        return "kept" if without in ("same", "rounded") else "parked"
    if outcome == "gone":
        return "lost"
    trimmed = (note.path for note in notes if note.action == "trimmed")
    text = path_text(path)
    if isinstance(value, str) and any(_covers(_general(start), text) for start in trimmed):
        return "trimmed"
    return "changed"


def explain_fitting(
    item: Item, back: Item | None, grain: Literal["event", "conversation"]
) -> Ledger:
    """What of ``item`` is lost when it is brought to the other grain; the ledger says nothing of what is not.

    Args:
        item: an event or a conversation.
        back: what comes of it when it is brought to ``grain`` and back; ``None`` for nothing.
        grain: what it is brought to.
    """
    return explain_missing(
        item, back, f"{'an' if grain == 'event' else 'a'} {grain} has no field for it"
    )


def explain_missing(item: Item | Supplement, back: Item | Supplement | None, reason: str) -> Ledger:
    """What of ``item`` is not in ``back``, all for one reason; the ledger says nothing of what is.

    Args:
        item: as it was.
        back: what came of it; ``None`` for nothing.
        reason: why.
    """
    same_kind = back is not None and back.kind == item.kind
    tree = plain(item)
    values = dict(leaves(tree))
    return Ledger.of(
        Entry(path_text(path), "lost", 1, reason, example(values[path]))
        for path, outcome in compare(tree, plain(back) if back and same_kind else {})
        if outcome in ("gone", "changed")
    )


def emptied(body: Any, paths: Iterable[str]) -> Any:
    """A copy of ``body`` in which the fields at ``paths`` hold nothing."""
    body = copy.deepcopy(body)
    for path in paths:
        _empty(body, path.split("."))
    return body


def path_text(path: Path, *, positions: bool = False) -> str:
    """A path as text, with list positions left out: ``messages[].parts[].text``; or with them: ``messages[3].parts[0].text``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]" if positions else "[]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text


def _empty(holder: Any, steps: Sequence[str]) -> None:
    name, *rest = steps
    key = name.removesuffix("[]")
    if isinstance(holder, list):  # of keys and values, as OTLP has it: a key has dots of its own
        whole = ".".join(steps)
        holder[:] = [x for x in holder if not (isinstance(x, dict) and x.get("key") == whole)]
        return
    if not isinstance(holder, dict) or key not in holder:
        return
    if not rest:
        # Emptied in its own type: a required field must still be there for what is left to be readable.
        if isinstance(holder[key], dict | list):
            holder[key] = type(holder[key])()
        else:
            del holder[key]
        return
    inner = holder[key] if name.endswith("[]") else [holder[key]]
    for value in inner if isinstance(inner, list) else ():
        _empty(value, rest)


def _read_back(
    item: Item | Supplement, body: Any, parse: Callable[[Any], Sequence[Item | Supplement]]
) -> dict[str, Any] | None:
    """The item's counterpart in what ``parse`` reads: the one with its id, else the first of its kind."""
    try:
        found = [back for back in parse(body) if back.kind == item.kind]
    except (LlmteeError, ValueError):
        return None
    if not found:
        return None
    return plain(next((back for back in found if back.id == item.id), found[0]))


def _all_lost(tree: Any, reason: str, notes: Sequence[NoteLike]) -> Ledger:
    entries = [
        Entry(path_text(path), "lost", 1, reason, example(value)) for path, value in leaves(tree)
    ]
    return Ledger.of(entries, _changes(notes))


def _changes(notes: Iterable[NoteLike]) -> list[Change]:
    return [Change(_general(note.path), note.action, note.reason) for note in notes]


def _general(path: str) -> str:
    return _INDEX.sub("[]", path)


def _reason(path: Path, reasons: Mapping[str, str], notes: Iterable[NoteLike]) -> str | None:
    """Why the value is lost: what rendering noted about this very one, else what the vendor says of the field."""
    exact = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    for note in notes:
        if _covers(note.path, exact.removeprefix(".")):
            return note.reason
    text = path_text(path)
    covering = [known for known in reasons if _covers(known, text)]
    return reasons[max(covering, key=len)] if covering else None


def _covers(start: str, path: str) -> bool:
    return path == start or (path.startswith(start) and path[len(start)] in ".[")
