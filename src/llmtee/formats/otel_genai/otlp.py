"""OTLP/JSON: the spans and log records of an export, unwrapped, with attributes as plain JSON values.

Read are export objects (``resourceSpans`` → ``scopeSpans`` → ``spans``, ``resourceLogs`` → ``scopeLogs`` →
``logRecords``), one bare span or log record, and a list of any of these. The envelope is held to the protocol: what is
not of its shape is an `InputError` with its JSON path. Attributes are not: one that an instrumentation wrote with
another type is left unread, and what is left unread is kept.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmtee.errors import InputError
from llmtee.formats.otel_genai.values import digits, read_attributes, read_value
from llmtee.jsonfields import as_list, as_object, join, rest, text_or_none, type_name
from llmtee.model.snapshot import to_json_value

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_STATUS = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_SPAN = (
    *("traceId", "spanId", "parentSpanId", "name", "startTimeUnixNano", "endTimeUnixNano"),
    *("attributes", "events", "status"),
)
SIGNALS = (
    ("resourceSpans", ("scopeSpans", "instrumentationLibrarySpans"), "spans"),
    ("resourceLogs", ("scopeLogs", "instrumentationLibraryLogs"), "logRecords"),
)
"""The lists in an export: where groups stand, scopes in each, and what the scopes hold."""


@dataclass(frozen=True)
class SpanEvent:
    """Something that happened within a span: a message, an exception, a score."""

    name: str | None
    time: dt.datetime | None
    attributes: dict[str, Any]
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class Span:
    """One span, and what the export says of the program that made it."""

    raw: Mapping[str, Any]
    path: str
    trace_id: str | None = None
    span_id: str | None = None
    parent_id: str | None = None
    name: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    status_code: int = 0
    """0 unset, 1 ok, 2 error."""
    status_message: str | None = None
    rest: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    scope: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Log:
    """One log record: since 2025 an event of a span is often sent as one, apart from its span."""

    event: SpanEvent
    nanoseconds: int
    """Unix time of the event, else of its observation; 0 where there is neither."""
    trace_id: str | None
    span_id: str | None
    resource: dict[str, Any]
    scope: dict[str, Any]


def read_pieces(raw: Any) -> list[Span | Log]:
    """The spans and log records of an export, a bare one, or a list of any, in the order in which they stand.

    Raises:
        InputError: something is not of the shape of OTLP/JSON; the error names its JSON path.
    """
    return list(_unwrap(to_json_value(raw), ""))


def _unwrap(raw: Any, path: str) -> Iterator[Span | Log]:
    if isinstance(raw, list):
        for i, one in enumerate(raw):
            if isinstance(one, list):  # a list of lists is no export of anybody's
                raise InputError("must be an object, not a list", path=f"{path}[{i}]")
            yield from _unwrap(one, f"{path}[{i}]")
        return
    raw = as_object(raw, path)
    if "resourceSpans" in raw or "resourceLogs" in raw:
        yield from _export(raw, path)
    elif is_log(raw):
        yield _log(raw, path, {}, {})
    elif "spanId" in raw or "traceId" in raw:
        yield _span(raw, path, {}, {})
    else:
        keys = ", ".join(sorted(raw)[:12]) or "none"
        raise InputError(
            "is neither an OTLP export (resourceSpans, resourceLogs) nor a span (traceId, spanId);"
            f" it has the keys: {keys}",
            path=path or None,
        )


def is_log(raw: Mapping[Any, Any]) -> bool:
    """Whether an object is a log record: it has one time, and a span has two."""
    if raw.get("startTimeUnixNano") is not None:
        return False
    return "timeUnixNano" in raw or "observedTimeUnixNano" in raw


def _export(raw: Mapping[str, Any], path: str) -> Iterator[Span | Log]:
    for signal, scopes, members in SIGNALS:
        where = join(path, signal)
        for i, one in enumerate(as_list(raw.get(signal), where)):
            place = f"{where}[{i}]"
            group = as_object(one, place)
            # Until 2022 the field was called instrumentationLibrarySpans, with the scope under instrumentationLibrary.
            key = next((name for name in scopes if name in group), scopes[0])
            resource = _resource(group, place)
            for j, listed in enumerate(as_list(group.get(key), join(place, key))):
                inner = f"{place}.{key}[{j}]"
                holder = as_object(listed, inner)
                scope = _scope(holder, inner)
                for k, member in enumerate(as_list(holder.get(members), f"{inner}.{members}")):
                    at = f"{inner}.{members}[{k}]"
                    read = _span if members == "spans" else _log
                    yield read(as_object(member, at), at, resource, scope)


def _resource(raw: Mapping[str, Any], path: str) -> dict[str, Any]:
    where = join(path, "resource")
    resource = as_object(raw.get("resource") or {}, where)
    return {
        **read_attributes(resource.get("attributes"), f"{where}.attributes"),
        **({"schemaUrl": raw["schemaUrl"]} if raw.get("schemaUrl") else {}),
    }


def _scope(group: Mapping[str, Any], path: str) -> dict[str, Any]:
    key = "scope" if "scope" in group else "instrumentationLibrary"
    raw = as_object(group.get(key) or {}, f"{path}.{key}")
    attributes = read_attributes(raw.get("attributes"), f"{path}.{key}.attributes")
    found = {
        **rest(raw, "attributes"),
        **({"attributes": attributes} if attributes else {}),
        "schemaUrl": group.get("schemaUrl"),
    }
    return {name: value for name, value in found.items() if value}


def _span(
    raw: Mapping[str, Any], path: str, resource: dict[str, Any], scope: dict[str, Any]
) -> Span:
    status = as_object(raw.get("status") or {}, join(path, "status"))
    events = join(path, "events")
    return Span(
        raw=raw,
        path=path,
        trace_id=_hex(raw.get("traceId"), join(path, "traceId"), 16),
        span_id=_hex(raw.get("spanId"), join(path, "spanId"), 8),
        parent_id=_hex(raw.get("parentSpanId"), join(path, "parentSpanId"), 8),
        name=text_or_none(raw.get("name"), join(path, "name")),
        start=_time(raw.get("startTimeUnixNano"), join(path, "startTimeUnixNano")),
        end=_time(raw.get("endTimeUnixNano"), join(path, "endTimeUnixNano")),
        attributes=read_attributes(raw.get("attributes"), join(path, "attributes")),
        events=tuple(
            _event(as_object(event, f"{events}[{i}]"), f"{events}[{i}]")
            for i, event in enumerate(as_list(raw.get("events"), events))
        ),
        status_code=_status(status.get("code"), join(path, "status.code")),
        status_message=text_or_none(status.get("message"), join(path, "status.message")) or None,
        rest=rest(raw, *_SPAN),
        resource=resource,
        scope=scope,
    )


def _log(raw: Mapping[str, Any], path: str, resource: dict[str, Any], scope: dict[str, Any]) -> Log:
    attributes = read_attributes(raw.get("attributes"), join(path, "attributes"))
    name = text_or_none(raw.get("eventName"), join(path, "eventName"))
    told = attributes.get("event.name")  # where the name stood until eventName came, in 2025
    body = raw.get("body")
    if isinstance(body, Mapping):
        body = read_value(body, join(path, "body"))
    key = next((k for k in ("timeUnixNano", "observedTimeUnixNano") if digits(raw.get(k))), None)
    time = None if key is None else _time(raw[key], join(path, key))
    event = SpanEvent(
        name=name or (told if isinstance(told, str) else None),
        time=time,
        attributes={**attributes, **(body if isinstance(body, dict) else _said(body))},
        raw=raw,
    )
    return Log(
        event=event,
        nanoseconds=(digits(raw[key]) or 0) if key is not None else 0,
        trace_id=_hex(raw.get("traceId"), join(path, "traceId"), 16),
        span_id=_hex(raw.get("spanId"), join(path, "spanId"), 8),
        resource=resource,
        scope=scope,
    )


def _said(body: Any) -> dict[str, Any]:
    return {} if body is None else {"content": body}


def _event(raw: Mapping[str, Any], path: str) -> SpanEvent:
    return SpanEvent(
        name=text_or_none(raw.get("name"), f"{path}.name"),
        time=_time(raw.get("timeUnixNano"), f"{path}.timeUnixNano"),
        attributes=read_attributes(raw.get("attributes"), f"{path}.attributes"),
        raw=raw,
    )


def _status(raw: Any, path: str) -> int:
    code = _STATUS.get(raw, raw) if isinstance(raw, str) else raw
    if code is None:
        return 0
    if isinstance(code, bool) or not isinstance(code, int):
        raise InputError("must be 0, 1 or 2", path=path)
    return code


def _hex(raw: Any, path: str, size: int) -> str | None:
    """An id in lower-case hex digits; ``None`` where it is empty or all zeros, which means that there is none."""
    text = (text_or_none(raw, path) or "").strip()
    if len(text) == -(-size // 3) * 4 and text.endswith("="):  # protobuf's own JSON has base64
        with contextlib.suppress(binascii.Error, ValueError):
            text = base64.b64decode(text, validate=True).hex()
    return text.lower() if text.strip("0") else None


def _time(raw: Any, path: str) -> dt.datetime | None:
    """A time in unix nanoseconds, as digits or a number; 0 means that there is none."""
    if raw is None or raw == "":
        return None
    nanoseconds = digits(raw)
    if nanoseconds is None:
        raise InputError(f"must be unix nanoseconds, not {type_name(raw)}", path=path)
    try:
        return _EPOCH + dt.timedelta(microseconds=nanoseconds // 1000) if nanoseconds else None
    except OverflowError:
        raise InputError("is too large a number of nanoseconds", path=path) from None
