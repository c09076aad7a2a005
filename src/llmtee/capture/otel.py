"""OpenTelemetry: spans of generative AI, of any instrumentation, become events of a Tee.

    from llmtee.capture.otel import LlmteeSpanProcessor

    provider.add_span_processor(LlmteeSpanProcessor(tee))

Read is what the formats ``otel-genai`` and ``openinference`` read, in all their dialects. Other spans are ignored, and
counted. `LlmteeSpanProcessor` records each span when it ends, and knows what surrounds it: the session of an enclosing
span or of ``tee.session``, and whether a wrapped client captures the same call. `LlmteeSpanExporter` is for a
``BatchSpanProcessor`` of your own; it sees spans alone, after the fact.

Needs ``opentelemetry-sdk`` (the extra ``otel``).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from contextvars import Context as Variables
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from llmtee import registry
from llmtee.capture import _active
from llmtee.capture._extras import needs
from llmtee.formats.otel_genai.attributes import Attributes
from llmtee.formats.otel_genai.fields import identity
from llmtee.formats.otel_genai.kinds import MODEL_CALL, kind_of
from llmtee.model import Event, ModelCall
from llmtee.tee import DEFAULT, Tee, get_tee

with needs("llmtee.capture.otel", "OpenTelemetry's SDK", "otel"):
    from opentelemetry import trace
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span
    from opentelemetry.trace import SpanContext

__all__ = ["LlmteeSpanExporter", "LlmteeSpanProcessor"]

_FORMATS = ("openinference", "otel-genai")
"""Who may read a span, the one that is surer first."""
_INHERITED = ("session", "person", "agent")

_Key: TypeAlias = tuple[int, int]


class _Bridge:
    """What processor and exporter share."""

    def __init__(self, tee: Tee | None = None) -> None:
        """Records to ``tee``, else to the default Tee (``llmtee.get_tee``) of the time when a span ends."""
        self.recorded = 0
        """Spans that became events."""
        self.ignored = 0
        """Spans that are not of generative AI, or not sampled."""
        self._given = tee
        self._counting = threading.Lock()
        self._is_shut = False

    @property
    def _tee(self) -> Tee:
        return get_tee() if self._given is None else self._given

    def _count(self, *, recorded: int = 0, ignored: int = 0) -> None:
        with self._counting:
            self.recorded += recorded
            self.ignored += ignored

    def _failed(self, error: Exception) -> None:
        """Tells the Tee, which logs and counts; an exception must not reach the application."""
        (DEFAULT if self._given is None else self._given).capture_failed(error)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Delivers what is pending (``Tee.flush``); whether all of it was delivered in time."""
        if self._is_shut:
            return True
        try:
            return self._tee.flush(timeout_millis / 1000).ok
        except Exception as error:  # noqa: BLE001 - as `_failed` says
            self._failed(error)
            return False

    def shutdown(self) -> None:
        """Flushes, for as long as the Tee may take at exit. The Tee stays open; it is the application's."""
        if self._is_shut:
            return
        self.force_flush(int(self._tee.exit_timeout * 1000))
        self._is_shut = True


class LlmteeSpanExporter(_Bridge, SpanExporter):
    """Records the GenAI spans among those it is given. Spans of one batch complete one another, as in a file.

    Args:
        tee: where to; by default the default Tee.
    """

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Records the spans; ``FAILURE`` where llmtee could not. Never raises, but in a Tee's strict mode."""
        if self._is_shut:
            return SpanExportResult.FAILURE
        try:
            events, ignored = events_of(spans)
            tee = self._tee
            lost = tee.stats().refused
            for event in events:
                tee.record(event)
            self._count(recorded=len(events), ignored=ignored)
            kept = tee.stats().refused == lost
        except Exception as error:  # noqa: BLE001 - as `_failed` says
            self._failed(error)
            kept = False
        return SpanExportResult.SUCCESS if kept else SpanExportResult.FAILURE


@dataclass(frozen=True)
class _Live:
    """A span that has started and not ended."""

    span: weakref.ref[Span]
    parent: _Key | None
    variables: Variables
    outer: _active.Capturing | None
    """Who captured when it started."""


@dataclass
class _SpanLayer:
    layer: str = field(default="opentelemetry")
    under_way: bool = True


class LlmteeSpanProcessor(_Bridge, SpanProcessor):
    """Records each GenAI span when it ends.

    What a span does not say of session, person and agent comes from the spans around it, else from ``tee.session``,
    as it was when the span started. A model call that somebody captures already is not recorded again: neither a span
    within a call of a wrapped client, nor the call of a wrapped client within a span of a model call.

    Args:
        tee: where to; by default the default Tee.
    """

    def __init__(self, tee: Tee | None = None) -> None:
        super().__init__(tee)
        self.duplicates = 0
        """Spans of model calls that another layer recorded."""
        self._live: dict[_Key, _Live] = {}
        _active.watch(self._capturing)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Notes what surrounds the span."""
        if self._is_shut or (key := _key(span.get_span_context())) is None:
            return
        live = self._live
        live[key] = _Live(
            # A span that is never ended is forgotten when its last user forgets it.
            weakref.ref(span, lambda _: live.pop(key, None)),
            _key(span.parent),
            copy_context(),
            _active.current(probed=False),
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Records the span. Never raises, but in a Tee's strict mode."""
        key = _key(span.get_span_context())
        live = None if key is None else self._live.pop(key, None)
        if self._is_shut:
            return
        try:
            self._end(span, live)
        except Exception as error:  # noqa: BLE001 - as `_failed` says
            self._failed(error)

    def shutdown(self) -> None:
        """As the exporter's; wrapped clients are no longer told of this processor's spans."""
        super().shutdown()
        _active.unwatch(self._capturing)
        self._live.clear()

    def _end(self, span: ReadableSpan, live: _Live | None) -> None:
        events, ignored = events_of([span])
        for event in events:
            own = event
            if live is not None:
                if isinstance(event, ModelCall) and _active.left_to(live.outer, _layer(span)):
                    with self._counting:
                        self.duplicates += 1
                    continue
                own = self._completed(event, live)
                # A copy, because the one itself may be entered.
                live.variables.copy().run(self._tee.record, own)
            else:
                self._tee.record(own)
            self._count(recorded=1)
        self._count(ignored=ignored)

    def _completed(self, event: Event, live: _Live) -> Event:
        missing = {name for name in _INHERITED if getattr(event, name) is None}
        found: dict[str, Any] = {}
        above = live.parent
        while missing and above is not None and (outer := self._live.get(above)) is not None:
            span = outer.span()
            told = identity(Attributes(span.attributes or {})) if span is not None else {}
            found |= {name: told[name] for name in missing if told.get(name) is not None}
            missing -= found.keys()
            above = outer.parent
        return event.model_copy(update=found) if found else event

    def _capturing(self) -> _active.Capturing | None:
        """This layer, where the current span is a model call that will be recorded when it ends."""
        if not self._live:
            return None
        span = trace.get_current_span()
        key = _key(span.get_span_context())
        live = None if key is None else self._live.get(key)
        own = None if live is None else live.span()
        if own is None or format_of(own.attributes or {}) is None:
            return None
        if kind_of(Attributes(own.attributes or {})) != MODEL_CALL:
            return None
        return _SpanLayer(_layer(own))


def _layer(span: ReadableSpan) -> str:
    scope = span.instrumentation_scope
    return "opentelemetry" if scope is None else f"opentelemetry ({scope.name})"


def _key(context: SpanContext | None) -> _Key | None:
    return None if context is None else (context.trace_id, context.span_id)


def events_of(spans: Sequence[ReadableSpan]) -> tuple[list[Event], int]:
    """The events of the GenAI spans, which complete one another, and how many of the spans are none."""
    pieces: list[Any] = []
    join, ignored = None, 0
    for span in spans:
        context = span.get_span_context()
        name = format_of(span.attributes or {})
        if name is None or context is None or not context.trace_flags.sampled:
            ignored += 1
            continue
        traces = registry.format(name).traces
        if traces is None:
            raise TypeError(f"the format {name} has no traces")
        pieces += [piece for _, piece in traces.split(as_export(span))]
        join = traces.join  # the formats share it
    items = [] if join is None else join(pieces)
    return [item for item in items if item.kind != "conversation"], ignored


def format_of(attributes: Mapping[str, Any]) -> str | None:
    """The format that claims a span of these attributes; ``None`` where it is not one of generative AI."""
    raw = {"traceId": "", "spanId": "", "attributes": attributes}
    return next((name for name in _FORMATS if registry.format(name).detect(raw)), None)


def as_export(span: ReadableSpan) -> dict[str, Any]:
    """A span as OTLP/JSON, but for attributes, which stay plain values."""
    scope, resource = span.instrumentation_scope, span.resource
    about: dict[str, Any] = {}
    if scope is not None:
        about = {"name": scope.name, "version": scope.version or ""}
        about["attributes"] = dict(scope.attributes or {})
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": dict(resource.attributes)},
                "schemaUrl": resource.schema_url,
                "scopeSpans": [
                    {
                        "scope": about,
                        "schemaUrl": (scope.schema_url if scope is not None else None) or "",
                        "spans": [_span(span)],
                    }
                ],
            }
        ]
    }


def _span(span: ReadableSpan) -> dict[str, Any]:
    context, parent = span.get_span_context(), span.parent
    found: dict[str, Any] = {
        "name": span.name,
        "kind": span.kind.value + 1,  # OTLP has 0 for a kind that nobody told
        "startTimeUnixNano": span.start_time,
        "endTimeUnixNano": span.end_time,
        "attributes": dict(span.attributes or {}),
        "events": [
            {
                "name": event.name,
                "timeUnixNano": event.timestamp,
                "attributes": dict(event.attributes or {}),
            }
            for event in span.events
        ],
        "status": {"code": span.status.status_code.value, "message": span.status.description},
    }
    if context is not None:
        found |= {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}
    if parent is not None:
        found["parentSpanId"] = f"{parent.span_id:016x}"
    if span.links:
        found["links"] = [
            {
                "traceId": f"{link.context.trace_id:032x}",
                "spanId": f"{link.context.span_id:016x}",
                "attributes": dict(link.attributes or {}),
            }
            for link in span.links
        ]
    return found
