"""Puts the pieces of traces together: log records go to their spans, and a span that came twice is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from llmtee import jsontext
from llmtee.formats.otel_genai.otlp import Log, Span, SpanEvent

SPAN_MISSING = "span_missing"
"""Flag of an event that was read from log records alone."""
SPAN_REPEATED = "span_repeated"
"""Flag of an event whose span came several times and not the same: the fullest was read."""

DETAILS = "gen_ai.client.inference.operation.details"
CHOICE = "gen_ai.choice"
MESSAGES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
"""Events that hold one message each, and whose it is."""
MESSAGE_ATTRIBUTES = (
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
)
_ABOUT = ("gen_ai.", "session.", "user.", "error.")


def joined(pieces: Sequence[Span | Log]) -> list[tuple[Span, tuple[str, ...]]]:
    """Each span once, in the order in which it came first, with its log records among its events, and its flags.

    Log records without their span become one by themselves, at the place of the first. The order of arrival matters
    only between log records of the same nanosecond.
    """
    order: dict[tuple[str, ...], None] = {}
    spans: dict[tuple[str, ...], list[Span]] = {}
    logs: dict[tuple[str, ...], list[Log]] = {}
    for i, piece in enumerate(pieces):
        key = _key(piece, i)
        order[key] = None
        if isinstance(piece, Span):
            spans.setdefault(key, []).append(piece)
        else:
            logs.setdefault(key, []).append(piece)
    return [_one(spans.get(key, []), _in_time(logs.get(key, []))) for key in order]


def _key(piece: Span | Log, i: int) -> tuple[str, ...]:
    if piece.trace_id and piece.span_id:
        return piece.trace_id, piece.span_id
    return ("", str(i))  # it cannot say whom it belongs to


def _one(spans: list[Span], logs: list[Log]) -> tuple[Span, tuple[str, ...]]:
    if not spans:
        return _span_of(logs), (SPAN_MISSING,) if logs[0].span_id else ()
    best = max(spans, key=_fullness) if len(spans) > 1 else spans[0]
    differs = any(one.raw != best.raw for one in spans)
    events = (*best.events, *(log.event for log in logs))
    beside = {key: value for event in events for key, value in _details_of(event)}
    whole = replace(best, events=events, attributes={**beside, **best.attributes})
    return whole, (SPAN_REPEATED,) if differs else ()


def _fullness(span: Span) -> tuple[bool, int, bytes]:
    return (
        span.end is not None,
        len(span.attributes) + len(span.events),
        jsontext.dumps_sorted(dict(span.raw)),
    )


def _in_time(logs: Iterable[Log]) -> list[Log]:
    """In order of time, each once: collectors deliver at least once."""
    found: list[Log] = []
    seen: set[tuple[int, bytes]] = set()
    for log in sorted(logs, key=lambda one: one.nanoseconds):
        identity = log.nanoseconds, jsontext.dumps_sorted(dict(log.event.raw))
        if identity not in seen or not log.nanoseconds:
            seen.add(identity)
            found.append(log)
    return found


def _span_of(logs: list[Log]) -> Span:
    """A span that says what its log records tell: when they were written, and whose call it was."""
    first = logs[0]
    calls = any(tells_of_call(log.event.name) for log in logs)
    events = tuple(log.event for log in logs)
    attributes = {key: value for event in events for key, value in _about(event)}
    attributes |= {key: value for event in events for key, value in _details_of(event)}
    attributes.setdefault("gen_ai.operation.name", "chat" if calls else "log")
    times = [log.event.time for log in logs if log.event.time is not None]
    return Span(
        raw={"logs": [dict(log.event.raw) for log in logs]},
        path="",
        trace_id=first.trace_id,
        span_id=first.span_id,
        name=None if calls else first.event.name,
        start=min(times, default=None),
        attributes=attributes,
        events=events,
        resource=first.resource,
        scope=first.scope,
    )


def tells_of_call(name: str | None) -> bool:
    """Whether an event of that name tells what a model was sent or answered."""
    return name in (DETAILS, CHOICE) or name in MESSAGES


def _about(event: SpanEvent) -> Iterator[tuple[str, Any]]:
    """What an event says of its operation; its messages are read from the event itself."""
    for key, value in event.attributes.items():
        if key.startswith(_ABOUT) and key not in (*MESSAGE_ATTRIBUTES, "gen_ai.event.content"):
            yield key, value


def _details_of(event: SpanEvent) -> Iterator[tuple[str, Any]]:
    """The attributes of an operation, where an event repeats them: the span may have fewer."""
    if event.name == DETAILS:
        for key, value in event.attributes.items():
            if key not in (*MESSAGE_ATTRIBUTES, "event.name"):
                yield key, value
