"""Times for every message: Roark asks for them, in order, and nobody may make one up from the clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmtee.model import Conversation, Message
from llmtee.spec import Note
from llmtee.vendors.roark.text import wire_role


@dataclass(frozen=True, slots=True)
class Span:
    """When a message was said."""

    start: dt.datetime
    end: dt.datetime | None
    given: bool
    """Whether the start was known, not derived."""


def to_ms(time: dt.datetime | None) -> dt.datetime | None:
    """Cut to the millisecond, as it is written, so that what is compared is what is sent."""
    return None if time is None else time.replace(microsecond=time.microsecond // 1000 * 1000)


def end_of(
    start: dt.datetime, end: dt.datetime | None, path: str, notes: list[Note]
) -> dt.datetime | None:
    """``end``, unless it lies before ``start``."""
    if end is not None and end < start:
        reason = "it lies before the start, which Roark would refuse"
        notes.append(Note(path, "dropped", reason))
        return None
    return end


def spans(conversation: Conversation, notes: list[Note]) -> list[Span] | None:
    """A span for each message, whatever its role; ``None`` where nothing in the conversation has a time.

    A start is the message's own, else that of the model call behind it. Missing ones lie in equal steps between their
    neighbours; the first and the last message start and end with the conversation. Starts never decrease.
    """
    messages = conversation.messages
    given = _in_order([_start(message) for message in messages], notes)
    ends = [to_ms(_end(message)) for message in messages]
    starts = _filled(given, ends, _bounds(conversation))
    if starts is None:
        return None
    for i, (message, time) in enumerate(zip(messages, given, strict=True)):
        if time is None and wire_role(message) is not None:
            reason = "Roark dates every message; the time was derived from its neighbours"
            notes.append(Note(f"messages[{i}].started_at", "changed", reason))
    return [
        Span(start, end_of(start, end, f"messages[{i}].ended_at", notes), time is not None)
        for i, (start, end, time) in enumerate(zip(starts, ends, given, strict=True))
    ]


def _start(message: Message) -> dt.datetime | None:
    made = message.generation
    return message.started_at or (made.started_at if made else None)


def _end(message: Message) -> dt.datetime | None:
    made = message.generation
    # A failed call hangs on the message that it left unanswered; its end is not that message's.
    return message.ended_at or (made.ended_at if made and made.error is None else None)


def _in_order(times: Iterable[dt.datetime | None], notes: list[Note]) -> list[dt.datetime | None]:
    ordered: list[dt.datetime | None] = []
    latest: dt.datetime | None = None
    for i, time in enumerate(map(to_ms, times)):
        if time is None:
            ordered.append(None)
            continue
        if latest is not None and time < latest:
            reason = "it lies before the message before it; Roark orders messages by time"
            notes.append(Note(f"messages[{i}].started_at", "changed", reason))
        latest = time if latest is None else max(time, latest)
        ordered.append(latest)
    return ordered


def _bounds(conversation: Conversation) -> list[dt.datetime]:
    """The earliest and the latest time that is known apart from the messages; empty where there is none."""
    around = [conversation.started_at, conversation.ended_at]
    if not any(around):
        around = [time for run in conversation.tool_runs for time in (run.started_at, run.ended_at)]
    if not any(around):
        around = [conversation.updated_at]
    known = [time for time in map(to_ms, around) if time]
    return [min(known), max(known)] if known else []


def _filled(
    given: Sequence[dt.datetime | None],
    ends: Sequence[dt.datetime | None],
    bounds: list[dt.datetime],
) -> list[dt.datetime] | None:
    known = {i: time for i, time in enumerate(given) if time is not None}
    if not known and not bounds:
        return None

    def left(i: int) -> dt.datetime:
        """When the message at ``i`` was over."""
        return max(known[i], ends[i] or known[i])

    around = [*bounds, *([known[min(known)], left(max(known))] if known else [])]
    known.setdefault(0, min(around))
    known.setdefault(len(given) - 1, max(around))
    for before, after in pairwise(sorted(known)):
        low, high = min(left(before), known[after]), known[after]
        for i in range(before + 1, after):
            known[i] = low + (high - low) * (i - before) / (after - before)
    return [
        known[i].replace(microsecond=known[i].microsecond // 1000 * 1000) for i in range(len(given))
    ]
