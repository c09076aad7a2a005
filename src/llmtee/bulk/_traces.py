"""Holds the parts of traces back until they can be joined."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, TypeAlias

from llmtee.model import Conversation, Item, conversation_id
from llmtee.spec import Traces

LIMIT = 100_000
"""Parts (spans, log records, observations, runs) that wait at a time."""

LATE = "trace_split"
"""Flag of an event that came when the rest of its trace could no longer wait for it."""

_Key: TypeAlias = tuple[Any, str]


class OpenTraces:
    """Traces whose parts may still come: exporters write children before their parents, and logs apart from spans.

    Args:
        limit: how many parts wait at most. Beyond it the trace that was quiet longest is joined as far as it came;
            what comes of it later is joined by itself, and flagged.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._waiting: OrderedDict[_Key, list[Any]] = OrderedDict()
        self._count = 0
        self._gone: dict[_Key, int] = {}
        """Traces that were joined before all of them had come, and how often."""

    def add(self, traces: Traces, parts: list[tuple[str | None, Any]]) -> Iterator[Item]:
        """Takes the parts of a record; the events that need not wait, or can no longer."""
        for trace, part in parts:
            if trace is None:
                yield from traces.join([part])
                continue
            key = (traces.join, trace)
            self._waiting.setdefault(key, []).append(part)
            self._waiting.move_to_end(key)
            self._count += 1
            while self._count > self._limit:
                yield from self._released()

    def rest(self) -> Iterator[Item]:
        """The events of all that still waits."""
        while self._waiting:
            yield from self._released()

    def _released(self) -> list[Item]:
        key, parts = self._waiting.popitem(last=False)
        self._count -= len(parts)
        items: list[Item] = key[0](parts)
        times = self._gone.get(key, 0)
        if times or self._count + len(parts) > self._limit:
            self._gone[key] = times + 1
        return [_late(item, times) for item in items] if times else items


def _late(item: Item, times: int) -> Item:
    """``item``, flagged; a conversation as a further segment, or it would take the place of the one before."""
    update: dict[str, Any] = {"flags": (*item.flags, LATE)}
    if isinstance(item, Conversation) and item.session is not None:
        segment = item.segment + times
        update |= {"segment": segment, "id": conversation_id(item.session, segment)}
    return item.model_copy(update=update)
