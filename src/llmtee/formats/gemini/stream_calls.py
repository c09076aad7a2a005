"""Function calls whose arguments Vertex AI streams (``streamFunctionCallArguments``).

The call begins with its name and ``willContinue``; parts that follow have ``partialArgs``, each a value and the JSON
path where it belongs (``$.brightness``, ``$.colors[0].name``); texts may come in several pieces. A function call
without ``willContinue`` ends it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmtee.jsonfields import rest

_STEP = re.compile(r"\.(\w+)|\[(\d{1,5})\]|\[['\"](.*?)['\"]\]")
_VALUES = ("stringValue", "numberValue", "boolValue")
_LONGEST = 10_000
"""Places of a list that a path may name: nobody's arguments are longer, and the list has to be made."""


def begins_in_pieces(part: Mapping[str, Any]) -> bool:
    """Whether a part is a function call of which more is to come."""
    call = part.get("functionCall")
    return isinstance(call, Mapping) and call.get("willContinue") is True


class CallInPieces:
    """One function call while it comes."""

    def __init__(self, part: Mapping[str, Any]) -> None:
        self._part = rest(part, "functionCall")
        self._call: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._unread: list[Any] = []
        self._open = True
        self._add(part["functionCall"])

    def add(self, part: Mapping[str, Any]) -> bool:
        """Takes the part where it belongs to this call; says whether it does."""
        call = part.get("functionCall")
        if not self._open or not isinstance(call, Mapping) or call.get("name"):
            return False
        self._part |= rest(part, "functionCall")
        self._add(call)
        return True

    def _add(self, call: Mapping[str, Any]) -> None:
        self._open = call.get("willContinue") is True
        self._call |= rest(call, "willContinue", "partialArgs")
        pieces = call.get("partialArgs")
        for piece in pieces if isinstance(pieces, list) else []:
            path = piece.get("jsonPath") if isinstance(piece, Mapping) else None
            value = _value(piece) if isinstance(path, str) and _steps(path) else None
            if value is None:
                self._unread.append(piece)
            elif isinstance(value[0], str):
                before = self._values.get(path or "")
                texts = before if isinstance(before, list) else []
                texts.append(value[0])
                self._values[path or ""] = texts
            else:
                self._values[path or ""] = value[0]

    def whole(self) -> dict[str, Any]:
        """The part as it would have come in one piece. Pieces that cannot be read stay as they came."""
        args = self._call.get("args")
        found: dict[str, Any] = dict(args) if isinstance(args, Mapping) else {}
        unread = list(self._unread)
        for path, value in self._values.items():
            said = "".join(value) if isinstance(value, list) else value
            if not _put(found, _steps(path) or [], said):
                unread.append({"jsonPath": path, "value": said})
        call = {**self._call, **({"args": found} if found or "args" in self._call else {})}
        return {
            "functionCall": {**call, **({"partialArgs": unread} if unread else {})},
            **self._part,
        }


def _value(piece: Mapping[str, Any]) -> tuple[Any] | None:
    """The value of a piece, in a tuple since it may be null; ``None`` for a piece without one."""
    if "nullValue" in piece:
        return (None,)
    match [piece[key] for key in _VALUES if key in piece]:
        case [str() | int() | float() as value]:
            return (value,)
    return None


def _steps(path: str) -> list[str | int] | None:
    """The keys and indices of a JSON path; ``None`` for one that is not as Vertex AI writes them."""
    inner = path.removeprefix("$")
    found = list(_STEP.finditer(inner))
    if not found or "".join(one[0] for one in found) != inner:
        return None
    steps = [int(one[2]) if one[2] else one[1] or one[3] or "" for one in found]
    ok = isinstance(steps[0], str) and all(isinstance(s, str) or s < _LONGEST for s in steps)
    return steps if ok else None


def _put(root: dict[str, Any], steps: list[str | int], value: Any) -> bool:
    """Puts a value at its place, and makes the objects and lists on the way; says whether it has one."""
    holder: Any = root
    step: Any
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        fits = isinstance(holder, list if isinstance(step, int) else dict)
        if not fits:
            return False
        if isinstance(step, int):
            holder += [None] * (step + 1 - len(holder))
        else:
            holder.setdefault(step, None)
        if following is None:
            holder[step] = value
        elif holder[step] is None:
            holder[step] = [] if isinstance(following, int) else {}
        holder = holder[step]
    return True
