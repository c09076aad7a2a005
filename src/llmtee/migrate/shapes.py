"""What a session is made of, in a few words; and which of many differ the most. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from llmtee.migrate.fitting import time_of
from llmtee.model import (
    Agent,
    Conversation,
    Item,
    MediaPart,
    Message,
    ModelCall,
    OtherPart,
    Step,
    ToolRun,
)

Shape: TypeAlias = frozenset[str]
"""Words such as ``tool call``, ``image by url``, ``error``, ``10 messages or more``."""

_LONG = ((100, "100 messages or more"), (10, "10 messages or more"))
KEPT = 500
"""Shapes that are told apart; what comes beyond is only counted."""


def shape_of(items: Sequence[Item]) -> Shape:
    """What there is in a session."""
    words: set[str] = set()
    messages = 0
    for item in items:
        _say_of_item(item, words)
        told = _messages(item)
        messages = (
            messages + len(told) if isinstance(item, Conversation) else max(messages, len(told))
        )
        for message in told:
            _say_of_message(message, words)
    words |= {word for least, word in _LONG if messages >= least}
    agents = {agent.name for item in items for agent in _agents(item) if agent.name}
    if len(agents) > 1:
        words.add("several agents")
    return frozenset(words)


def _say_of_item(item: Item, words: set[str]) -> None:
    if time_of(item) is None:
        words.add("no times")
    words |= {word for word in ("feedback", "metrics", "properties", "tags") if getattr(item, word)}
    match item:
        case Conversation():
            words |= {"branches"} if item.branches else set()
            words |= {"tool run"} if item.tool_runs else set()
        case ToolRun():
            words.add("tool run")
        case Step():
            words.add(f"{item.step_type} step")
        case ModelCall():
            words |= {f"call of {item.provider}"} if item.provider else set()
            words |= {"several choices"} if len(item.choices) > 1 else set()
    if not isinstance(item, Conversation) and item.error is not None:
        words.add("error")


def _agents(item: Item) -> Iterable[Agent]:
    if isinstance(item, Conversation):
        return item.agents
    return () if item.agent is None else (item.agent,)


def _messages(item: Item) -> list[Message]:
    match item:
        case Conversation():
            return list(item.messages)
        case ModelCall():
            return [*item.input, *(choice.message for choice in item.choices)]
        case _:
            return []


def _say_of_message(message: Message, words: set[str]) -> None:
    words.add(f"{message.role} message")
    if message.generation is not None and message.generation.error is not None:
        words.add("error")
    for part in message.parts:
        match part:
            case MediaPart():
                words.add(f"{part.media} by url" if part.url else part.media)
            case OtherPart():
                words.add("other part")
            case _:
                words.add(part.type.replace("_", " "))


@dataclass
class Shapes:
    """Counts the shapes of sessions, and remembers the first one of each: a bounded number of them."""

    seen: Counter[Shape] = field(default_factory=Counter)
    first: dict[Shape, int] = field(default_factory=dict)
    """Where the first one stands."""

    def add(self, place: int, shape: Shape) -> None:
        """A session with its place."""
        if shape not in self.first:
            if len(self.first) >= KEPT:
                return
            self.first[shape] = place
        self.seen[shape] += 1

    def distinct(self, count: int) -> list[tuple[int, Shape]]:
        """The places of sessions that differ from one another: the commonest shape first, then what adds most to it."""
        left = sorted(self.first, key=lambda shape: (-self.seen[shape], self.first[shape]))
        chosen: list[Shape] = []
        known: set[str] = set()
        while left and len(chosen) < count:
            best = left[0] if not chosen else max(left, key=lambda shape: len(shape - known))
            if chosen and not best - known:
                break
            left.remove(best)
            chosen.append(best)
            known |= best
        return [(self.first[shape], shape) for shape in chosen]
