"""Methods of somebody else's objects, replaced on the instance and put back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_ABSENT = object()

Method = Callable[..., Any]


class Patches:
    """What was replaced, so that it can be undone."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Method], Method]) -> None:
        """Sets ``owner.name`` to what ``make`` gives for the method; it keeps its name, text and signature."""
        original = getattr(owner, name)
        replacement = functools.wraps(original)(make(original))
        self._done.append((owner, name, vars(owner).get(name, _ABSENT), replacement))
        setattr(owner, name, replacement)

    def undo(self) -> None:
        """Puts everything back, but for what somebody else has replaced since then: theirs calls ours."""
        while self._done:
            owner, name, before, replacement = self._done.pop()
            if vars(owner).get(name) is not replacement:
                continue
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
