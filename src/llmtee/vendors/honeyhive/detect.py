"""Tells HoneyHive's events from other records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = ("model", "tool", "chain", "session")
_SIGNS = {
    *("event_id", "event_name", "session_id", "project", "project_id", "parent_id"),
    *("children_ids", "config", "inputs", "outputs", "source"),
}


def detect(payload: Any) -> str | None:
    """Why a payload is surely HoneyHive's; ``None`` where that cannot be told."""
    if not isinstance(payload, Mapping):
        return None
    for key in ("events", "event"):
        inner = payload.get(key)
        listed = inner if isinstance(inner, list) else [inner]
        if listed and all(map(_is_event, listed)):
            return f"it has {key} with an event_type of HoneyHive's"
    if _is_event(payload):
        return f"an event of type {payload['event_type']}"
    return None


def _is_event(raw: Any) -> bool:
    if not isinstance(raw, Mapping):
        return False
    kind = raw.get("event_type")
    return isinstance(kind, str) and kind in _TYPES and len(_SIGNS & raw.keys()) >= 2
