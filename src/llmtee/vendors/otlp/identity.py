"""Trace and span ids: the event's own where it came as a span, else derived, so that a repetition is the same span."""

from __future__ import annotations

import hashlib
import re

from llmtee.model import Event
from llmtee.model.ids import derive_id

_TRACE = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN = re.compile(r"(?!0{16})[0-9a-f]{16}")
_SOURCE = "otel"
"""Under which name the formats keep the ids of spans, and derive those of events."""


def trace_id(event: Event) -> str:
    """The event's trace; else one for its session, else for its parent or itself."""
    if event.trace_id is not None and _TRACE.fullmatch(event.trace_id):
        return event.trace_id
    about = event.session or event.trace_id or event.parent or event.id
    return _hex(16, "trace", about)


def span_id(event: Event) -> str:
    """The span of the event."""
    return _original(event, "span_id", event.id) or _hex(8, "span", event.id)


def parent_id(event: Event) -> str | None:
    """The span of the event's parent."""
    if not event.parent:
        return None
    return _original(event, "parent_span_id", event.parent) or _hex(8, "span", event.parent)


def _original(event: Event, name: str, derived: str) -> str | None:
    """The id that a span had when it was read, if it is the one that ``derived`` was made of."""
    trace, own = (event.source_ids.get(f"{_SOURCE}.{key}") for key in ("trace_id", name))
    if trace is None or own is None or trace != event.trace_id or not _SPAN.fullmatch(own):
        return None
    return own if derive_id(_SOURCE, trace, own) == derived else None


def _hex(size: int, *names: str) -> str:
    text = "\x1f".join(("llmtee", *names)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=size).hexdigest()
