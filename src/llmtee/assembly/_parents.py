"""Which events are steps of which, and what that says of a call."""

from __future__ import annotations

from typing import NamedTuple

from llmtee.model import Event, Step


class _Link(NamedTuple):
    parent: str | None
    agent: bool
    """Whether it is an agent's step."""
    step: bool
    """Whether it is a step, and no call or tool run."""


class Parents:
    """The parent links of a session's events."""

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}
        self._children: dict[str, dict[str, None]] = {}
        self._owners: dict[str, str | None] = {}

    def add(self, event: Event) -> list[str]:
        """Notes an event; returns the events beneath it whose owner is another now."""
        step = isinstance(event, Step)
        agent = isinstance(event, Step) and event.step_type == "agent"
        link = _Link(event.parent, agent, step)
        old = self._links.get(event.id)
        if link == old:
            return []
        if old is not None and old.parent is not None:
            self._children[old.parent].pop(event.id, None)
        self._links[event.id] = link
        if event.parent is not None:
            self._children.setdefault(event.parent, {})[event.id] = None
        return [below for below in self._below(event.id) if self._changed(below)]

    def _changed(self, event: str) -> bool:
        old = self._owners.get(event)
        self._owners[event] = new = self._find(event)
        return old != new

    def _below(self, event: str) -> list[str]:
        found = {event: None}
        queue = [event]
        while queue:
            for child in self._children.get(queue.pop(), ()):
                if child not in found:
                    found[child] = None
                    queue.append(child)
        return list(found)

    def owner(self, event: str) -> str | None:
        """The event that a side call is a step of; ``None`` for a call that may be a turn of the conversation.

        That is the nearest tool run or call above it, or an agent's step that itself is beneath another agent's step.
        """
        return self._owners.get(event)

    def _find(self, event: str) -> str | None:
        seen, agent = {event}, None
        link = self._links[event]
        while (above := link.parent) is not None and above in self._links and above not in seen:
            link = self._links[above]
            if not link.step:
                return above
            if link.agent:
                if agent is not None:
                    return agent
                agent = above
            seen.add(above)
        return None
