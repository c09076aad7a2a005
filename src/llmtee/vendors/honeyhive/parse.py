"""HoneyHive's events to canonical ones: a single event, a batch of either API, or what the read endpoints answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.jsonfields import as_list, as_object, as_text, text_or_none
from llmtee.model import Agent, ErrorInfo, Event, Item, ModelCall, Step, ToolRun
from llmtee.model.ids import derive_id
from llmtee.model.times import from_unix_ms, parse_time
from llmtee.vendors.honeyhive import chat, person, wire
from llmtee.vendors.honeyhive.identity import event_uuid, lone_session, session_uuid
from llmtee.vendors.honeyhive.metadata import Parked

_OBJECTS = ("config", "inputs", "outputs", "metadata", "feedback", "metrics", "user_properties")
_KEPT_AS_THEY_ARE = ("project", "project_id", "children_ids")


def parse(payload: Any) -> list[Item]:
    """The events in a payload of HoneyHive.

    Args:
        payload: an event, a list of events, ``{"event": …}``, a batch (``session_properties`` becomes a step of the
            type ``session``, first), or an answer of ``/events/export``, ``/events/search`` and ``/events/{id}``.

    Raises:
        InputError: it is none of these, or a field has a type that HoneyHive does not have there.
    """
    if isinstance(payload, list):
        return [_event(raw, f"[{i}]") for i, raw in enumerate(payload)]
    payload = as_object(payload, "body")
    if "events" in payload:
        return _batch(payload)
    if "event" in payload:
        return [_event(_unwrapped(payload["event"], "event"), "event")]
    if "event_type" in payload:
        return [_event(payload, "")]
    raise InputError(
        "is no payload of HoneyHive: an event has event_type, a batch and an export have events",
        path="body",
    )


def _unwrapped(value: Any, path: str) -> Any:
    """The object, or the JSON text of it that the earliest API took."""
    if not isinstance(value, str):
        return value
    try:
        return jsontext.loads(value)
    except ValueError as error:
        raise InputError(f"is text that is not JSON: {error}", path=path) from error


def _batch(payload: Mapping[str, Any]) -> list[Item]:
    raws = as_list(payload["events"], "events")
    events: list[Item] = [_event(raw, f"events[{i}]") for i, raw in enumerate(raws)]
    key = "session_properties" if "session_properties" in payload else "session"
    properties = payload.get(key)
    if properties is None:
        return events
    session = _session(as_object(properties, key), raws, key)
    # A session that travels as an event says more than the properties that were made from it.
    if any(event.id == session.id for event in events):
        return events
    return [session, *events]


def _session(properties: Mapping[str, Any], events: Iterable[Any], path: str) -> Event:
    """Session properties as the event that HoneyHive makes of them."""
    first = next((event for event in events if isinstance(event, Mapping)), {})
    session_id = properties.get("session_id", first.get("session_id"))
    raw = {
        **{key: first[key] for key in ("project", "project_id") if key in first},
        **{key: value for key, value in properties.items() if key != "session_name"},
        "event_type": "session",
        "event_id": session_id,
        "session_id": session_id,
    }
    if properties.get("session_name") is not None:
        raw["event_name"] = properties["session_name"]
    return _event(raw, path)


# ── one event ───────────────────────────────────────────────────────────────────────────────────────────────────

_KINDS = {"model": "model_call", "tool": "tool_run"}


def _event(raw: Any, path: str) -> Event:
    raw = as_object(raw, path or "body")
    prefix = f"{path}." if path else ""
    event_type = _event_type(raw, prefix)
    for key in _OBJECTS:
        if raw.get(key) is not None:
            as_object(raw[key], f"{prefix}{key}")
    kind = _KINDS.get(event_type, "step")
    parked = Parked(kind, raw.get("metadata") or {})
    found = _facts(raw, parked, prefix)
    left = _without_a_home(raw)
    content = {key: raw.get(key) or {} for key in ("config", "inputs", "outputs")}
    match kind:
        case "model_call":
            left |= _model_call(content, found, parked)
        case "tool_run":
            left |= _tool_run(content, found, parked)
        case _:
            parked_type = parked.take("step_type") if event_type == "chain" else None
            found |= {**content, "step_type": parked_type or event_type}
    found["properties"] = parked.properties()
    if left:
        found["extra"] = {**found["extra"], "honeyhive": left}
    return _CLASSES[kind].model_validate(found)


def _event_type(raw: Mapping[str, Any], prefix: str) -> str:
    if raw.get("event_type") is None:
        raise InputError(
            "is missing; it is model, tool, chain or session", path=f"{prefix}event_type"
        )
    return as_text(raw["event_type"], f"{prefix}event_type")


def _without_a_home(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something and that no canonical field takes."""
    unknown = {key: value for key, value in raw.items() if key not in wire.EVENT_FIELDS}
    return {**{key: raw[key] for key in _KEPT_AS_THEY_ARE if raw.get(key)}, **unknown}


_CLASSES: Mapping[str, type[ModelCall | ToolRun | Step]] = {
    "model_call": ModelCall,
    "tool_run": ToolRun,
    "step": Step,
}


def _model_call(
    content: Mapping[str, Any], found: dict[str, Any], parked: Parked
) -> dict[str, Any]:
    template: dict[str, Any] = {}
    left = {
        "config": chat.read_config(content["config"], found, template),
        "inputs": chat.read_inputs(content["inputs"], found, template),
    }
    found["choices"], left["outputs"] = chat.read_outputs(content["outputs"], parked)
    found["template"] = chat.read_template(template, parked)
    found["response_model"] = parked.take("response_model")
    found["usage"], found["cost"] = parked.take_usage(), parked.take_cost()
    return {key: value for key, value in left.items() if value}


def _tool_run(content: Mapping[str, Any], found: dict[str, Any], parked: Parked) -> dict[str, Any]:
    found["call_id"] = parked.take("tool_call_id")
    found["description"] = parked.take("description")
    found["arguments"] = _unpacked(content["inputs"], "arguments")
    found["result"] = _unpacked(content["outputs"], "result")
    return {"config": content["config"]} if content["config"] else {}


def _unpacked(value: Mapping[str, Any], key: str) -> Any:
    """The counterpart of ``render.as_object``."""
    if set(value) == {key}:
        return value[key]
    return value or None


def _facts(raw: Mapping[str, Any], parked: Parked, prefix: str) -> dict[str, Any]:
    trace_id = parked.take("trace_id")
    started, ended = (time_of(raw, key, prefix) for key in ("start_time", "end_time"))
    left_of_person = parked.take("person", person.is_left) or {}
    return {
        **_ids(raw, parked, trace_id, prefix),
        "trace_id": trace_id,
        "name": text_or_none(raw.get("event_name"), f"{prefix}event_name"),
        "source": text_or_none(raw.get("source"), f"{prefix}source"),
        "agent": parked.take("agent", lambda agent: agent != Agent()),
        "person": person.read(raw.get("user_properties") or {}, left_of_person),
        "started_at": started,
        "ended_at": ended,
        "first_token_at": parked.take("first_token_at"),
        "duration_ms": _duration(raw, started, ended, prefix),
        "error": _error(raw.get("error"), parked),
        "metrics": raw.get("metrics") or {},
        "feedback": raw.get("feedback") or {},
        "tags": parked.take("tags") or (),
        "source_ids": parked.take("source_ids") or {},
        "flags": parked.take("flags") or (),
        "extra": parked.take("extra") or {},
    }


def _ids(
    raw: Mapping[str, Any], parked: Parked, trace_id: str | None, prefix: str
) -> dict[str, Any]:
    """Ours where the originals in ``metadata`` give HoneyHive's, else HoneyHive's."""
    event_id, session_id, parent_id = (
        text_or_none(raw.get(key), f"{prefix}{key}")
        for key in ("event_id", "session_id", "parent_id")
    )
    if not event_id:
        event_id = derive_id("honeyhive", jsontext.dumps_sorted(raw).decode())
    is_session = raw.get("event_type") == "session" and event_id == session_id
    original = parked.take("event_id", lambda text: is_session or event_uuid(text) == event_id)
    found_id = original or event_id
    session = parked.take("session_id", lambda text: session_uuid(text) == session_id)
    if session is None and session_id and session_id != lone_session(trace_id, found_id):
        session = session_id
    parent = parked.take("parent_id", lambda text: event_uuid(text) == parent_id)
    if parent is None and parent_id and parent_id != session_id:
        parent = parent_id
    return {"id": found_id, "session": session, "parent": parent}


def time_of(raw: Mapping[str, Any], key: str, prefix: str) -> dt.datetime | None:
    """A time of an event: milliseconds, or text."""
    value = raw.get(key)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return from_unix_ms(value)
        return parse_time(value)
    except ValueError as error:
        raise InputError(str(error), path=f"{prefix}{key}") from error


def _duration(
    raw: Mapping[str, Any], started: dt.datetime | None, ended: dt.datetime | None, prefix: str
) -> float | None:
    value = raw.get("duration")
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InputError("must be a number of milliseconds", path=f"{prefix}duration")
    try:
        milliseconds = float(value)
    except OverflowError as error:
        raise InputError(
            "is beyond any number of milliseconds", path=f"{prefix}duration"
        ) from error
    # The legacy API insists on a duration, so 0 stands for one that nobody knows.
    known = value != 0 or (started is not None and ended is not None)
    return milliseconds if known else None


def _error(error: Any, parked: Parked) -> ErrorInfo | None:
    if error is None:
        return None
    if not isinstance(error, str):
        return ErrorInfo(message=jsontext.dumps(error).decode(), details=error)
    details = parked.take("error", lambda left: _is_error(error, left)) or {}
    return ErrorInfo(message=error, **details)


def _is_error(message: str, left: Mapping[str, Any]) -> bool:
    try:
        ErrorInfo.model_validate({**left, "message": message})
    except ValueError:
        return False
    return "message" not in left
