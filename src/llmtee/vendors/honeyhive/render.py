"""A canonical event to an event of HoneyHive."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from typing import Any

from llmtee.model import Event, Item, ModelCall, Step, ToolRun
from llmtee.model.times import to_unix_ms
from llmtee.spec import Note, WireItem
from llmtee.vendors.honeyhive import chat, metadata, person, wire
from llmtee.vendors.honeyhive.identity import Ids, identify
from llmtee.vendors.honeyhive.settings import HoneyHive

REASONS: Mapping[str, str] = {
    "input": "chat_history holds messages in the chat shape: text, media, tool calls and their results",
    "choices": "outputs hold messages in the chat shape: text, media, tool calls and refusals",
    "choices[].finish_reason": "HoneyHive has no field for it; it stands in metadata, or in outputs.choices",
    "choices[].finish_reason_raw": "HoneyHive has no field for it; it stands in metadata, or in outputs.choices",
    "native": "HoneyHive has no field for the provider's own record; its parts stand in config, inputs and outputs",
    "parent": "an event whose parent is the session counts as having none",
    "error": "HoneyHive's error is one text; the rest stands in metadata.error",
    "person": "user_properties hold an id and properties; the rest stands in metadata.person",
    "agent": "HoneyHive has no field for an agent; it stands in metadata.agent",
    "usage": "HoneyHive reads the three totals; the other counts stand in metadata",
    "cost": "HoneyHive reads the amount; the rest stands in metadata.cost_details",
    "tools": "HoneyHive has no field for the tools offered; they stand in config.tools",
    **{
        name: f"HoneyHive has no field for it; it stands in metadata.{key}"
        for name, key in (
            ("trace_id", "trace_id"),
            ("first_token_at", "first_token_at"),
            ("response_model", "response_model"),
            ("tags", "tags"),
            ("source_ids", "source_ids"),
            ("flags", "flags"),
            ("extra", "extra"),
            ("call_id", "tool_call_id"),
            ("description", "description"),
            ("step_type", "step_type"),
            ("template.id", "template_id"),
        )
    },
}
"""Why a canonical field is lost or parked, for the ledger."""

FREE_FORM: tuple[str, ...] = (
    *metadata.PARKED,
    "config.tools",
    "outputs.choices",
    "outputs.tool_results",
)
"""What llmtee puts where HoneyHive takes anything. ``metadata`` under an application's own names is HoneyHive's field
for properties, and so no mere parking place."""

_SAFE = 2**53
_MILLISECOND = dt.timedelta(milliseconds=1)
_FREE_FIELDS = (
    "parameters",
    "template",
    "arguments",
    "result",
    "inputs",
    "outputs",
    "config",
    "metrics",
    "feedback",
    "properties",
    "person",
)


def render(item: Item, settings: HoneyHive) -> WireItem:
    """An event as an entry of ``events``; a step that is the session itself as an event of type ``session``."""
    match item:
        case ModelCall() | ToolRun() | Step():
            return _render(item, settings)
        case _:
            reason = "HoneyHive takes events, and this is a conversation: split it first"
            return WireItem(item.id, None, session=item.session, skip=reason)


def _render(event: Event, settings: HoneyHive) -> WireItem:
    event_type = _event_type(event)
    ids = identify(event, is_session=event_type == "session")
    left = _leftover(event)
    body = {
        "event_type": event_type,
        "event_name": event.name or _default_name(event),
        "source": event.source or settings.source,
        "event_id": ids.event_id,
        "session_id": ids.session_id,
        "children_ids": [],
        **_content(event),
        **_facts(event, ids),
    }
    if ids.parent_id is not None:
        body["parent_id"] = ids.parent_id
    body = _for_legacy(body, left, settings) if settings.api == "legacy" else _for_v1(body, left)
    notes = (*ids.notes, *_time_notes(event), *_integer_notes(event))
    return WireItem(event.id, body, session=event.session, notes=notes)


def _event_type(event: Event) -> wire.EventType:
    match event:
        case ModelCall():
            return "model"
        case ToolRun():
            return "tool"
        case Step():
            return "session" if event.step_type == "session" else "chain"


def _default_name(event: Event) -> str:
    match event:
        case ModelCall():
            return event.model or "model"
        case ToolRun():
            return "tool"
        case Step(step_type="session"):
            agent = event.agent.name if event.agent is not None else None
            return agent or event.session or "session"
        case Step():
            return event.step_type or "chain"


def _content(event: Event) -> dict[str, Any]:
    match event:
        case ModelCall():
            return {
                "config": chat.write_config(event),
                "inputs": chat.write_inputs(event),
                "outputs": chat.write_outputs(event),
            }
        case ToolRun():
            return {
                "config": {},
                "inputs": as_object(event.arguments, "arguments"),
                "outputs": as_object(event.result, "result"),
            }
        case Step():
            return {"config": event.config, "inputs": event.inputs, "outputs": event.outputs}


def as_object(value: Any, key: str) -> dict[str, Any]:
    """``value`` as the object that HoneyHive insists on.

    Anything else stands under ``key``; so do an empty object and one of that key alone, lest they read back as
    nothing and as their own content.
    """
    if value is None:
        return {}
    if isinstance(value, dict) and value and set(value) != {key}:
        return value
    return {key: value}


def _facts(event: Event, ids: Ids) -> dict[str, Any]:
    user_properties, left = person.write(event.person)
    facts: dict[str, Any] = {
        "error": None if event.error is None else event.error.message,
        "duration": _duration(event),
        "metadata": metadata.write(event, {**ids.originals, "person": left}),
        "feedback": event.feedback,
        "metrics": event.metrics,
        "user_properties": user_properties,
    }
    if event.started_at is not None:
        facts["start_time"] = to_unix_ms(event.started_at)
    if event.ended_at is not None:
        facts["end_time"] = to_unix_ms(event.ended_at)
    return facts


def _duration(event: Event) -> float | None:
    if event.duration_ms is not None and math.isfinite(event.duration_ms):
        return metadata.plain_number(event.duration_ms)
    if event.started_at is None or event.ended_at is None:
        return None
    return metadata.plain_number((event.ended_at - event.started_at) / _MILLISECOND)


# ── what came from HoneyHive goes back to it ────────────────────────────────────────────────────────────────────


def _leftover(event: Event) -> dict[str, Any]:
    """The fields that `parse` found no canonical home for; those of another shape than HoneyHive's are left out."""
    left = event.extra.get("honeyhive")
    if not isinstance(left, dict):
        return {}
    return {key: value for key, value in left.items() if _is_leftover(key, value)}


def _is_leftover(key: str, value: Any) -> bool:
    match key:
        case "project" | "project_id":
            return isinstance(value, str)
        case "children_ids":
            return isinstance(value, list) and all(isinstance(child, str) for child in value)
        case "config" | "inputs" | "outputs":
            return isinstance(value, dict)
        case _:
            return key not in wire.EVENT_FIELDS


def _for_legacy(body: dict[str, Any], left: dict[str, Any], settings: HoneyHive) -> dict[str, Any]:
    """With every field that any server of this generation wants."""
    duration = 0 if body["duration"] is None else body["duration"]
    return _merged({"project": settings.project, **body, "duration": duration}, left)


def _for_v1(body: dict[str, Any], left: dict[str, Any]) -> dict[str, Any]:
    """With the fields that v1 lists, and of these the ones that say something."""
    full = _merged(body, left)
    return {
        key: value
        for key, value in full.items()
        if key in wire.V1_FIELDS and (key == "inputs" or value not in (None, {}, []))
    }


def _merged(body: dict[str, Any], left: dict[str, Any]) -> dict[str, Any]:
    merged = {**body, **left}
    for key in ("config", "inputs", "outputs"):
        merged[key] = {**body[key], **left.get(key, {})}
    return merged


# ── notes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _time_notes(event: Event) -> Iterator[Note]:
    if event.started_at is None and event.ended_at is None:
        yield Note("started_at", "changed", "has no time: HoneyHive dates it when it receives it")


def _integer_notes(event: Event) -> Iterator[Note]:
    """Integers are sent as they are, as HoneyHive's own SDK does; its store may round the large ones."""
    fields = vars(event)
    for path in _FREE_FIELDS:
        value = fields.get(path)
        if value and _has_large_integer(value):
            reason = "holds an integer beyond 2^53, which HoneyHive's store may round; send it as text to be safe"
            yield Note(path, "changed", reason)


def _has_large_integer(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is float or value is None:
        return False
    if kind is int or kind is bool:
        return bool(abs(value) > _SAFE)
    if kind is dict:
        return any(map(_has_large_integer, value.values()))
    if kind is list:
        return any(map(_has_large_integer, value))
    # The template and the person are canonical values around such.
    return any(map(_has_large_integer, vars(value).values()))
