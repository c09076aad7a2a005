"""A canonical event to a span of OpenTelemetry's GenAI conventions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats.otel_genai.attributes import Attributes
from llmtee.formats.otel_genai.kinds import MODEL_CALL, TOOL_RUN, kind_of
from llmtee.formats.otel_genai.values import digits, read_attributes
from llmtee.model import Event, Item, ModelCall, Step, ToolRun
from llmtee.spec import Note, WireItem
from llmtee.vendors.otlp import identity, messages, wire
from llmtee.vendors.otlp.parse import parse
from llmtee.vendors.otlp.settings import OTLP

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FORMATS = ("otel-genai", "openinference")
"""Under whose names the formats keep what spans had that has no canonical home."""

_OPERATIONS = {
    "agent": "invoke_agent",
    "chain": "invoke_workflow",
    "embedding": "embeddings",
    "retriever": "retrieval",
}
_REQUEST = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "max_output_tokens": "max_tokens",
    "seed": "seed",
    "stream": "stream",
    "n": "choice.count",
}
_USAGE = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read": "cache_read.input_tokens",
    "cache_write": "cache_creation.input_tokens",
    "reasoning": "reasoning.output_tokens",
}

_LARGE = ("input", "choices", "tools", "native", "extra")
"""What is not parked beside what the conventions say of it: the carry is for that."""
PARKABLE = tuple(
    dict.fromkeys(
        field
        for kind in (ModelCall, ToolRun, Step)
        for field in kind.model_fields
        if field not in (*_LARGE, "kind")
    )
)
"""Fields that get an attribute of llmtee's where the conventions cannot say all of them."""

FREE_FORM = tuple(f"attributes.{wire.PARKED_UNDER}{field}" for field in PARKABLE)

REASONS: Mapping[str, str] = {
    **{
        field: f"the conventions do not say all of it; it stands in the attribute llmtee.{field}"
        for field in PARKABLE
    },
    "input": "the conventions' messages hold text, reasoning, media, tool calls and their results",
    "choices": "the conventions' messages hold text, reasoning, media, tool calls and their results",
    "tools": "a tool's definition has a type, a name, a description and parameters",
    "native": "the conventions have no place for the provider's own record",
    "extra": "what formats and vendors keep under their own names is not written, but for that of spans",
}


def render(item: Item, settings: OTLP) -> WireItem:
    """An event as a span."""
    match item:
        case ModelCall() | ToolRun() | Step():
            body = _span(item)
            return WireItem(item.id, body, session=item.session, notes=tuple(_notes(item)))
        case _:
            reason = "OTLP takes events, and this is a conversation: split it first"
            return WireItem(item.id, None, session=item.session, skip=reason)


def _span(event: Event) -> dict[str, Any]:
    left = _leftover(event)
    values = {**_common(event), **_content(event)}
    start, end = _times(event)
    parent = identity.parent_id(event)
    span: dict[str, Any] = {
        "traceId": identity.trace_id(event),
        "spanId": identity.span_id(event),
        **({} if parent is None else {"parentSpanId": parent}),
        "name": event.name or _name(event, values),
        "kind": wire.CLIENT if isinstance(event, ModelCall) else wire.INTERNAL,
        "startTimeUnixNano": start,
        "endTimeUnixNano": end,
        "attributes": wire.attributes(values),
        "status": _status(event),
    }
    if events := list(_scores(event, end)):
        span["events"] = events
    span = _with_leftover(span, left)
    return {**span, "attributes": [*span["attributes"], *_parked(event, span)]}


def _name(event: Event, values: Mapping[str, Any]) -> str:
    """What the conventions call such a span."""
    operation = values.get("gen_ai.operation.name") or event.kind
    match event:
        case ModelCall():
            about = event.model
        case ToolRun():
            about = None
        case Step():
            about = event.agent.name if event.agent is not None else None
    return f"{operation} {about}" if about else str(operation)


def _times(event: Event) -> tuple[str, str]:
    """Start and end in nanoseconds; a span has both, so one that is missing is the other."""
    span = None if event.duration_ms is None else _duration(event.duration_ms)
    start, end = event.started_at, event.ended_at
    try:
        if start is None and end is not None and span is not None:
            start = end - span
        if end is None and start is not None and span is not None:
            end = start + span
    except OverflowError:
        pass
    known = [one for one in (start, end, event.first_token_at) if one is not None]
    if not known:
        return "0", "0"
    return _nanoseconds(start or known[0]), _nanoseconds(end or known[0])


def _duration(milliseconds: float) -> dt.timedelta | None:
    try:
        return dt.timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        return None


def _nanoseconds(time: dt.datetime) -> str:
    """Never negative: OTLP's times have no sign."""
    return str(max(0, (time - _EPOCH) // dt.timedelta(microseconds=1) * 1000))


def _status(event: Event) -> dict[str, Any]:
    if event.error is None:
        return {}
    return {"code": wire.ERROR, "message": event.error.message}


# ── attributes ──────────────────────────────────────────────────────────────────────────────────────────────────


def _common(event: Event) -> dict[str, Any]:
    agent, person, error = event.agent, event.person, event.error
    found: dict[str, Any] = {"gen_ai.operation.name": _operation(event)}
    if isinstance(event, ModelCall):
        found["gen_ai.provider.name"] = event.provider
    found["gen_ai.conversation.id"] = event.session
    if agent is not None:
        found |= {
            "gen_ai.agent.id": agent.ids.get("otel"),
            "gen_ai.agent.name": agent.name,
            "gen_ai.agent.version": agent.version,
            "gen_ai.agent.description": agent.description,
        }
    if person is not None:
        found["user.id"] = person.id
    if error is not None:
        found["error.type"] = error.type or error.code or "_OTHER"
        found["http.response.status_code"] = error.status
    found["metadata"] = jsontext.dumps(event.properties).decode() if event.properties else None
    found["tag.tags"] = list(event.tags) or None
    return found


def _operation(event: Event) -> str | None:
    match event:
        case ModelCall():
            return "chat"
        case ToolRun():
            return "execute_tool"
        case Step():
            word = _OPERATIONS.get(event.step_type, event.step_type)
            read = kind_of(Attributes({"gen_ai.operation.name": word}))
            # A step whose type is the name of a call's operation must not be read as one.
            return word if read not in (MODEL_CALL, TOOL_RUN) else "invoke_workflow"


def _content(event: Event) -> dict[str, Any]:
    match event:
        case ModelCall():
            return _call(event)
        case ToolRun():
            return {
                "gen_ai.tool.name": event.name,
                "gen_ai.tool.call.id": event.call_id,
                "gen_ai.tool.description": event.description,
                "gen_ai.tool.call.arguments": event.arguments,
                "gen_ai.tool.call.result": event.result,
            }
        case Step():
            return {
                "input.value": _json(event.inputs),
                "output.value": _json(event.outputs),
            }


def _call(call: ModelCall) -> dict[str, Any]:
    apart, asked = messages.split_system(call.input)
    found: dict[str, Any] = {
        "gen_ai.request.model": call.model,
        "gen_ai.response.model": call.response_model,
        "gen_ai.response.id": call.source_ids.get(call.provider or ""),
    }
    for name, key in _REQUEST.items():
        value = call.parameters.get(name)
        if isinstance(value, bool | int | float):
            found[f"gen_ai.request.{key}"] = value
    stop = call.parameters.get("stop")
    stop = [stop] if isinstance(stop, str) else stop
    if isinstance(stop, list) and stop and all(isinstance(one, str) for one in stop):
        found["gen_ai.request.stop_sequences"] = stop
    found["gen_ai.system_instructions"] = _json(
        [part for message in apart for part in messages.write_parts(message.parts)]
    )
    found["gen_ai.input.messages"] = _json([messages.write_message(one) for one in asked])
    found["gen_ai.output.messages"] = _json([messages.write_choice(one) for one in call.choices])
    found["gen_ai.response.finish_reasons"] = _reasons(call)
    found["gen_ai.tool.definitions"] = _json([messages.write_tool(tool) for tool in call.tools])
    if call.usage is not None:
        for name, key in _USAGE.items():
            found[f"gen_ai.usage.{key}"] = getattr(call.usage, name)
    if call.template is not None:
        found["gen_ai.prompt.name"] = call.template.id
        found["gen_ai.prompt.version"] = call.template.version
    if call.first_token_at is not None and call.started_at is not None:
        waited = (call.first_token_at - call.started_at).total_seconds()
        found["gen_ai.response.time_to_first_chunk"] = waited if waited >= 0 else None
    return found


def _reasons(call: ModelCall) -> list[str] | None:
    words = [choice.finish_reason_raw or choice.finish_reason or "" for choice in call.choices]
    return words if any(words) else None


def _json(value: Any) -> str | None:
    return jsontext.dumps(value).decode() if value else None


def _scores(event: Event, time: str) -> Iterator[dict[str, Any]]:
    """Measurements as the events that the conventions have for evaluations."""
    for name, value in event.metrics.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name and (is_number or isinstance(value, str)):
            told = {f"gen_ai.evaluation.score.{'value' if is_number else 'label'}": value}
            yield {
                "timeUnixNano": time,
                "name": "gen_ai.evaluation.result",
                "attributes": wire.attributes({"gen_ai.evaluation.name": name, **told}),
            }


# ── what the conventions do not say ─────────────────────────────────────────────────────────────────────────────


def _parked(event: Event, span: Mapping[str, Any]) -> list[wire.KeyValue]:
    """An attribute for each small field that does not come back from the span as it is."""
    [back] = parse(dict(span))
    known, told = event.to_json(), back.to_json()
    found = {}
    for field in PARKABLE:
        if field not in known:
            continue
        value = known[field]
        if field == "usage":  # the raw block of what was read is the attributes themselves
            value = {key: one for key, one in value.items() if key != "raw"}
            read: Any = {key: one for key, one in told.get("usage", {}).items() if key != "raw"}
        else:
            read = told.get(field)
        if jsontext.dumps(value) != jsontext.dumps(read):
            found[wire.PARKED_UNDER + field] = jsontext.dumps(value).decode()
    return wire.attributes(found)


def _leftover(event: Event) -> dict[str, Any]:
    """What the formats kept of a span that has no canonical home."""
    kept = next((event.extra[name] for name in _FORMATS if name in event.extra), None)
    return kept if isinstance(kept, dict) else {}


def _with_leftover(span: dict[str, Any], left: Mapping[str, Any]) -> dict[str, Any]:
    more = left.get("attributes")
    if isinstance(more, dict):
        there = {pair["key"] for pair in span["attributes"]}
        own = {k: v for k, v in more.items() if k and k not in there and not _is_ours(k)}
        span = {**span, "attributes": [*span["attributes"], *wire.attributes(own)]}
    rest = left.get("span")
    if isinstance(rest, dict):
        kind = rest.get("kind")
        span |= {"kind": kind} if type(kind) is int and 0 <= kind <= 5 else {}
        state = rest.get("traceState")
        span |= {"traceState": state} if isinstance(state, str) else {}
    events = left.get("events")
    again = [_event(one) for one in events if _is_event(one)] if isinstance(events, list) else []
    return {**span, "events": [*span.get("events", []), *again]} if again else span


def _is_event(raw: Any) -> bool:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        return False
    time, values = digits(raw.get("timeUnixNano")), raw.get("attributes", [])
    if time is None or not 0 <= time < 2**64:
        return False
    try:
        read_attributes(values, "attributes")
    except InputError:
        return False
    return True


def _event(raw: Mapping[str, Any]) -> dict[str, Any]:
    values = read_attributes(raw.get("attributes", []), "attributes")
    time = str(digits(raw["timeUnixNano"]))
    return {"timeUnixNano": time, "name": raw["name"], "attributes": wire.attributes(values)}


def _is_ours(key: str) -> bool:
    return key == wire.CARRY_KEY or key.startswith(wire.PARKED_UNDER)


def _notes(event: Event) -> Iterator[Note]:
    if event.started_at is None and event.ended_at is None and event.first_token_at is None:
        yield Note("started_at", "changed", "has no time: the span's times are 0, which is unknown")
