"""OTLP/JSON in its own words.

Source: the OTLP specification 1.9 and ``opentelemetry-proto``, with the JSON encoding that they demand: ids in hex,
64-bit integers as text, enumerations as numbers. The attributes are those of OpenTelemetry's conventions for generative
AI, which moved to a repository of their own (open-telemetry/semantic-conventions-genai) in 2026, all still in development.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypedDict

from llmtee import jsontext

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
"""Of the conventions that are written. Source: ``model/manifest.yaml`` of semantic-conventions-genai, autumn 2026."""

TRACES_PATH: Final = "/v1/traces"
CARRY_KEY: Final = "llmtee"
PARKED_UNDER: Final = "llmtee."
"""Begins the attributes that are no convention's but llmtee's."""

SCOPE: Final = "llmtee"
"""Name of the scope, by which our own spans are known."""

INTERNAL, CLIENT = 1, 3
"""Kinds of spans."""
OK, ERROR = 1, 2
"""Codes of a status."""

Value = dict[str, Any]
"""One of ``stringValue``, ``boolValue``, ``intValue`` (as text), ``doubleValue``, ``arrayValue``, ``kvlistValue``,
``bytesValue``."""


class KeyValue(TypedDict):
    """An attribute."""

    key: str
    value: Value


class SpanEvent(TypedDict):
    """Something that happened within a span."""

    timeUnixNano: str
    name: str
    attributes: NotRequired[list[KeyValue]]


class Status(TypedDict):
    """How a span ended."""

    code: NotRequired[int]
    message: NotRequired[str]


class Span(TypedDict):
    """One span."""

    traceId: str
    """32 lower-case hex digits, not all zeros."""
    spanId: str
    """16 of them."""
    parentSpanId: NotRequired[str]
    name: str
    kind: int
    startTimeUnixNano: str
    endTimeUnixNano: str
    attributes: list[KeyValue]
    events: NotRequired[list[SpanEvent]]
    status: Status


def attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    """Plain JSON values as attributes; those that are ``None`` are left out."""
    return [
        {"key": key, "value": typed(value)} for key, value in values.items() if value is not None
    ]


def typed(value: Any) -> Value:
    """One value with its type. What backends take only as text (objects, mixed lists) is written as JSON."""
    match value:
        case str():
            return {"stringValue": value}
        case bool():
            return {"boolValue": value}
        case int() if -(2**63) <= value < 2**63:
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list() if all(isinstance(one, str) for one in value):
            return {"arrayValue": {"values": [{"stringValue": one} for one in value]}}
        case _:
            return {"stringValue": jsontext.dumps(value).decode()}
