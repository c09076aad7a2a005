"""Spans to requests, cut to count and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmtee import jsontext
from llmtee._version import __version__
from llmtee.spec import Limits, Request, State, WireItem
from llmtee.vendors.otlp import wire
from llmtee.vendors.otlp.settings import OTLP

LIMITS = Limits(items=512, bytes=4_000_000, concurrency=4, encodings=("gzip",))
"""As many as OpenTelemetry's SDKs send; backends take from 4 MB up. Every server has to read gzip (OTLP 1.9)."""


def pack(items: Sequence[WireItem], settings: OTLP, state: State) -> list[Request]:
    """Requests in the order of the items."""
    most = settings.max_items or LIMITS.items
    room = (settings.max_bytes or LIMITS.bytes) - len(jsontext.dumps(export([], settings)))
    groups: list[list[WireItem]] = []
    left = 0
    for item in items:
        size = item.size + 1  # and a comma
        if not groups or len(groups[-1]) >= most or size > left:
            groups.append([])
            left = room + 1
        groups[-1].append(item)
        left -= size
    return [
        Request(
            "POST",
            wire.TRACES_PATH,
            body=export([item.body for item in group], settings),
            items=tuple(group),
        )
        for group in groups
    ]


def export(spans: list[Any], settings: OTLP) -> dict[str, Any]:
    """A request body: spans with what made them, and the conventions that they follow."""
    resource = {
        "service.name": settings.service_name,
        "telemetry.sdk.name": "llmtee",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": __version__,
    }
    scope = {"name": wire.SCOPE, "version": __version__}
    inner = {"scope": scope, "spans": spans, "schemaUrl": wire.SCHEMA_URL}
    about = {"resource": {"attributes": wire.attributes(resource)}, "schemaUrl": wire.SCHEMA_URL}
    return {"resourceSpans": [{**about, "scopeSpans": [inner]}]}
