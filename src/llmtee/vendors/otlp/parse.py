"""Spans to events: what the format ``otel-genai`` reads, and what `render` put beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats.otel_genai.codec import NAME, TRACES
from llmtee.formats.otel_genai.kinds import is_exported, keys_of
from llmtee.model import Event, Item, load_event
from llmtee.vendors.otlp.wire import PARKED_UNDER, SCOPE


def parse(payload: Any) -> list[Item]:
    """The events of an export, of a span, or of a list of spans: one for each span, read by itself.

    Raises:
        InputError: it is not of the shape of OTLP/JSON, or holds no span.
    """
    found = [
        restored(item)
        for _, (owner, piece) in TRACES.split(payload)
        for item in TRACES.join([(owner, _without_envelope(piece))])
        if item.kind != "conversation"
    ]
    if not found:
        raise InputError("holds no span", path="body")
    return list(found)


def detect(payload: Any) -> str | None:
    """Why a payload surely was written here; ``None`` where ``otel-genai`` reads as much of it."""
    key = is_exported(keys_of(payload) or set())
    return f"spans have {key}" if key else None


def _without_envelope(piece: Any) -> Any:
    """What we say of ourselves around every span says nothing of the event."""
    if piece.scope.get("name") == SCOPE:
        return replace(piece, resource={}, scope={})
    return piece


def restored(event: Event) -> Event:
    """The event with the fields that stood in attributes of llmtee's. One that cannot be read stays in ``extra``."""
    own = event.extra.get(NAME)
    attributes = own.get("attributes") if isinstance(own, dict) else None
    if not isinstance(attributes, dict):
        return event
    parked = {key: value for key, value in attributes.items() if key.startswith(PARKED_UNDER)}
    for key, text in parked.items():
        field = key.removeprefix(PARKED_UNDER)
        if field in type(event).model_fields and field not in ("kind", "extra"):
            event = _with(event, field, text, key)
    return event


def _with(event: Event, field: str, text: Any, key: str) -> Event:
    try:
        value = jsontext.loads(text)
        made = load_event({**event.to_json(), field: value})
    except (ValueError, TypeError):
        return event
    own = dict(event.extra[NAME])
    own["attributes"] = {name: one for name, one in own["attributes"].items() if name != key}
    kept = {name: value for name, value in own.items() if value}
    extra = {name: one for name, one in event.extra.items() if name != NAME}
    return made.model_copy(update={"extra": {**extra, **({NAME: kept} if kept else {})}})
