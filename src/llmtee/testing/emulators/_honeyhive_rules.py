"""What HoneyHive refuses in an event or a session, and what it makes of an id."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

_OBJECTS = ("config", "inputs", "outputs", "metadata", "feedback", "metrics", "user_properties")
_TEXTS = ("project", "project_id", "source", "event_name", "event_id", "session_id", "parent_id")
_NUMBERS = ("start_time", "end_time", "duration")
_EVENT_TYPES = ("model", "tool", "chain", "session")

_EVENT_FIELDS = {*_OBJECTS, *_TEXTS, *_NUMBERS, "event_type", "children_ids", "error"}
_V1_EVENT_FIELDS = _EVENT_FIELDS - {"project"}
V1_SESSION_FIELDS = _V1_EVENT_FIELDS | {"session_name"}
_LEGACY_REQUIRED = ("project", "source", "event_name", "event_type", "config", "inputs", "duration")


def v1_problem(event: Any) -> str | None:
    """Why v1 refuses an event, in words; ``None`` when it does not."""
    if not isinstance(event, dict):
        return "must be an object"
    if unknown := set(event) - _V1_EVENT_FIELDS:
        return f"unknown fields: {', '.join(sorted(unknown))}"
    missing = [key for key in ("event_type", "inputs") if event.get(key) is None]
    return f"missing {', '.join(missing)}" if missing else type_problem(event)


def legacy_problem(event: Any) -> str | None:
    """Why the legacy API does not create an event, as its sentences end; ``None`` when it does."""
    if not isinstance(event, dict):
        return "not being an object"
    missing = [key for key in _LEGACY_REQUIRED if event.get(key) is None]
    return f"missing {', '.join(missing)}" if missing else type_problem(event)


def type_problem(event: Mapping[str, Any]) -> str | None:
    """A field of the wrong type, in words. Where a field is null it counts as absent."""
    checks = (
        (_OBJECTS, dict, "an object"),
        (_TEXTS, str, "text"),
        (_NUMBERS, int | float, "a number"),
        (("children_ids",), list, "an array"),
        (("error",), str, "text"),
    )
    for keys, kind, name in checks:
        for key in keys:
            value = event.get(key)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                return f"{key} must be {name}"
    if event.get("event_type", "model") not in _EVENT_TYPES:
        return f"event_type must be one of {', '.join(_EVENT_TYPES)}"
    return None


def session_problem(session: Any) -> str | None:
    """Why a session is refused. Text for a time is not among the reasons: it counts as now."""
    if not isinstance(session, dict):
        return "must be an object"
    times = dict.fromkeys(("start_time", "end_time"))
    return type_problem({**session, **times})


def as_uuid(text: Any) -> str:
    """``text`` where it is a UUID, else a new one."""
    try:
        return str(uuid.UUID(text)) if len(text) == 36 else str(uuid.uuid4())
    except (TypeError, ValueError):
        return str(uuid.uuid4())
