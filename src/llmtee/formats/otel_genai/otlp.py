"""OTLP/JSON: the spans of an export, unwrapped, with attributes as plain JSON values.

Read are one export object (``resourceSpans`` → ``scopeSpans`` → ``spans``), one bare span, and a list of either. The
envelope is held to the protocol: what is not of its shape is an `InputError` with its JSON path. Attributes are not:
one that an instrumentation wrote with another type is left unread, and what is left unread is kept.
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
from llmtee.jsonfields import as_list, as_object, join, rest, text_or_none, type_name
from llmtee.model.snapshot import to_json_value

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_STATUS = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_SPAN = (
    *("traceId", "spanId", "parentSpanId", "name", "startTimeUnixNano", "endTimeUnixNano"),
    *("attributes", "events", "status"),
)


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


def read_spans(raw: Any) -> list[Span]:
    """The spans of an export, a bare span, or a list of either, in the order in which they stand.

    Raises:
        InputError: something is not of the shape of OTLP/JSON; the error names its JSON path.
    """
    return list(_unwrap(to_json_value(raw), ""))


def _unwrap(raw: Any, path: str) -> Iterator[Span]:
    if isinstance(raw, list):
        for i, one in enumerate(raw):
            if isinstance(one, list):  # a list of lists is no export of anybody's
                raise InputError("must be an object, not a list", path=f"{path}[{i}]")
            yield from _unwrap(one, f"{path}[{i}]")
        return
    raw = as_object(raw, path)
    if "resourceSpans" in raw:
        where = join(path, "resourceSpans")
        for i, group in enumerate(as_list(raw["resourceSpans"], where)):
            yield from _resource_spans(as_object(group, f"{where}[{i}]"), f"{where}[{i}]")
    elif "spanId" in raw or "traceId" in raw:
        yield _span(raw, path, {}, {})
    else:
        keys = ", ".join(sorted(raw)[:12]) or "none"
        raise InputError(
            f"is neither an OTLP export (resourceSpans) nor a span (traceId, spanId); it has the keys: {keys}",
            path=path or None,
        )


def _resource_spans(raw: Mapping[str, Any], path: str) -> Iterator[Span]:
    where = join(path, "resource")
    resource = as_object(raw.get("resource") or {}, where)
    known = {
        **read_attributes(resource.get("attributes"), f"{where}.attributes"),
        **({"schemaUrl": raw["schemaUrl"]} if raw.get("schemaUrl") else {}),
    }
    # Until 2022 the field was called instrumentationLibrarySpans, with the scope under instrumentationLibrary.
    key = "scopeSpans" if "scopeSpans" in raw else "instrumentationLibrarySpans"
    for i, one in enumerate(as_list(raw.get(key), join(path, key))):
        inner = f"{path}.{key}[{i}]"
        group = as_object(one, inner)
        scope = _scope(group, inner)
        for j, span in enumerate(as_list(group.get("spans"), f"{inner}.spans")):
            place = f"{inner}.spans[{j}]"
            yield _span(as_object(span, place), place, known, scope)


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
    nanoseconds = _int(raw)
    if nanoseconds is None:
        raise InputError(f"must be unix nanoseconds, not {type_name(raw)}", path=path)
    try:
        return _EPOCH + dt.timedelta(microseconds=nanoseconds // 1000) if nanoseconds else None
    except OverflowError:
        raise InputError("is too large a number of nanoseconds", path=path) from None


def _int(raw: Any) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    if isinstance(raw, float) and not raw.is_integer():
        return None
    try:
        return int(raw)
    except (ValueError, OverflowError):
        return None


# ── attributes ──────────────────────────────────────────────────────────────────────────────────────────────────


def read_attributes(raw: Any, path: str) -> dict[str, Any]:
    """Attributes as a plain object: from OTLP's list of keys and typed values, or from an object as it is.

    Raises:
        InputError: it is neither, or a value is not of its type; the error names its JSON path.
    """
    if isinstance(raw, Mapping):  # exporters that write for people, not for collectors
        return dict(raw)
    found: dict[str, Any] = {}
    for i, one in enumerate(as_list(raw, path)):
        where = f"{path}[{i}]"
        pair = as_object(one, where)
        key = text_or_none(pair.get("key"), f"{where}.key")
        if key is None:
            raise InputError("is missing", path=f"{where}.key")
        found[key] = _value(pair.get("value"), f"{where}.value")
    return found


def _value(raw: Any, path: str) -> Any:
    if raw is None:
        return None
    raw = as_object(raw, path)
    for kind, inner in raw.items():
        where = f"{path}.{kind}"
        match kind:
            case "stringValue" | "boolValue" | "bytesValue":  # bytes stay in base64
                return inner
            case "intValue":
                number = _int(inner)
                if number is None:
                    raise InputError("must be a whole number, as digits", path=where)
                return number
            case "doubleValue":
                return inner  # NaN and Infinity are written as text
            case "arrayValue":
                values = as_list(as_object(inner or {}, where).get("values"), f"{where}.values")
                return [_value(one, f"{where}.values[{i}]") for i, one in enumerate(values)]
            case "kvlistValue":
                pairs = as_object(inner or {}, where).get("values")
                return read_attributes(pairs, f"{where}.values")
    return dict(raw) or None
