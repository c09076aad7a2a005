"""Field paths: ``properties.email``, ``input[].parts[].text``, ``request.headers.*``, ``**.authorization``.

name      the field of that name, in any case of letters
"a.b"     the same, for names that hold a dot, a bracket or a star
*         any one field
[]  [2]   any entry of a list; the third
**        any number of steps, none included
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

Step: TypeAlias = str | int
"""A field's name, in lower case, or the number of an entry."""
State: TypeAlias = tuple[int, int]
States: TypeAlias = frozenset[State]
"""Which patterns are matched how far."""

_TOKEN = re.compile(r"\"([^\"]+)\"|(\*\*)|(\*)|\[(\d*)\]|([^.\[\]\"*]+)")
ANY, DEEP, ENTRY = "*", "**", "[]"


class _Name(str):
    """A name, apart from the signs that are strings too."""

    __slots__ = ()


def parse(path: str) -> tuple[str | int, ...]:
    """The steps of a path.

    Raises:
        ValueError: it is not a path; the message says where.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        if path[at] == "." and at and at + 1 < len(path):
            at += 1
        match = _TOKEN.match(path, at)
        if match is None:
            raise ValueError(
                f"{path!r} is no field path at character {at + 1}; write such as properties.email, "
                "input[].parts[].text or **.authorization"
            )
        quoted, deep, star, number, name = match.groups()
        if number is not None:
            steps.append(int(number) if number else ENTRY)
        else:
            steps.append(deep or star or _Name((quoted or name).lower()))
        at = match.end()
        if at < len(path) and path[at] not in ".[":
            raise ValueError(
                f"{path!r} is no field path: a dot is missing before character {at + 1}"
            )
    if not steps:
        raise ValueError("a field path is empty")
    return tuple(steps)


_OF_MESSAGES = re.compile(
    r"input\[\d*\]|choices\[\d*\]\.message|input(?![\w.])|choices(?![\w.])", re.IGNORECASE
)
_OF_MANY = {"person": "people[]", "agent": "agents[]"}
_IDS_IN_CONVERSATION = {
    "id": ("id", "tool_runs[].id", "messages[].generation.event"),
    "parent": ("tool_runs[].parent",),
    "session": ("session", "tool_runs[].session"),
    "trace_id": ("trace_id", "tool_runs[].trace_id"),
}


def in_conversation(path: str) -> tuple[str, ...]:
    """Where a path of an event leads in the conversation that the event becomes a part of.

    Its messages are the conversation's; its other fields stand in the messages, the tool runs, or above them.
    """
    if path.lower() in _IDS_IN_CONVERSATION:
        return _IDS_IN_CONVERSATION[path.lower()]
    found = [path, f"**.{path}"]
    if said := _OF_MESSAGES.match(path):
        entries = "[]" if said[0].endswith(("]", "message")) else ""
        found.append(f"messages{entries}{path[said.end() :]}")
    head, dot, rest = path.partition(".")
    if head.lower() in _OF_MANY:
        found.append(f"{_OF_MANY[head.lower()]}{dot}{rest}")
    return tuple(found)


class Matcher:
    """Several paths, matched step by step while a value is walked."""

    def __init__(
        self, paths: Iterable[str], *, also: Callable[[str], Iterable[str]] = lambda path: (path,)
    ) -> None:
        """``also`` gives the paths that are tried in the place of each, under its label."""
        tried = [(parse(found), _label(parse(path))) for path in paths for found in also(path)]
        self._patterns = [pattern for pattern, _ in tried]
        self._labels = [label for _, label in tried]
        self.start = self._closed((i, 0) for i in range(len(self._patterns)))

    def step(self, states: States, step: Step) -> States:
        """The states after one step down."""
        if not states:
            return states
        return self._closed(self._moved(states, step))

    def hit(self, states: States) -> str | None:
        """The label of a path that ends here."""
        for pattern, place in states:
            if place == len(self._patterns[pattern]):
                return self._labels[pattern]
        return None

    def matches(self, *steps: Step) -> bool:
        """Whether a path leads exactly there."""
        states = self.start
        for step in steps:
            states = self.step(states, step)
        return self.hit(states) is not None

    def _moved(self, states: States, step: Step) -> Iterable[State]:
        for pattern, place in states:
            steps = self._patterns[pattern]
            if place == len(steps):
                continue
            wanted = steps[place]
            if wanted == DEEP and not isinstance(wanted, _Name):
                yield pattern, place
            elif _fits(wanted, step):
                yield pattern, place + 1

    def _closed(self, states: Iterable[State]) -> States:
        found = set()
        for pattern, place in states:
            steps, here = self._patterns[pattern], place
            found.add((pattern, here))
            while here < len(steps) and steps[here] == DEEP and not isinstance(steps[here], _Name):
                here += 1
                found.add((pattern, here))
        return frozenset(found)


def _fits(wanted: str | int, step: Step) -> bool:
    if isinstance(step, int):
        return wanted == ENTRY if not isinstance(wanted, int) else wanted == step
    if isinstance(wanted, _Name):
        return str(wanted) == step
    return wanted == ANY


def _label(pattern: tuple[str | int, ...]) -> str:
    """What a value found by the path is called: the last name in it, in letters."""
    names = [str(step) for step in pattern if isinstance(step, _Name)]
    if len(names) > 1 and names[-1] == "id":
        names.pop()
    plain = re.sub(r"[^a-z]+", "_", names[-1]).strip("_") if names else ""
    return {"": "redacted", "parent": "id"}.get(
        plain, plain
    )  # a parent is an id: both become the same
