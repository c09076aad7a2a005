"""Spans of any instrumentation, through OpenTelemetry's own SDK, to events of a Tee."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from capture_clients import MESSAGES, Heard, make_openai
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.capture.otel import LlmteeSpanExporter, LlmteeSpanProcessor
from llmtee.formats.otel_genai.otlp import Span, read_pieces
from llmtee.model import ModelCall, Step, ToolRun
from llmtee.testing.providers import ProviderServer

FIXTURES = [
    path
    for name in ("otel-genai", "openinference")
    for path in sorted((data_dir("fixtures") / "formats" / name).glob("*.json"))
    if not path.name.endswith(".expected.json")
]

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4.1-mini",
    "gen_ai.input.messages": json.dumps(
        [{"role": "user", "parts": [{"type": "text", "content": "Where is order 17?"}]}]
    ),
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "On its way."}]}]
    ),
}


@pytest.fixture
def tee(tmp_path: Path) -> Iterator[Heard]:
    with Heard([], dir=tmp_path / "log") as made:
        yield made


@pytest.fixture
def traced(tee: Heard) -> Iterator[tuple[LlmteeSpanProcessor, trace.Tracer]]:
    provider = TracerProvider()
    processor = LlmteeSpanProcessor(tee)
    provider.add_span_processor(processor)
    yield processor, provider.get_tracer("an.instrumentation")
    provider.shutdown()


def plain(value: Any) -> bool:
    """Whether OpenTelemetry's SDK takes the value as an attribute."""
    if isinstance(value, list):
        return all(isinstance(one, str) for one in value)
    return isinstance(value, str | bool | int | float)


def readable(span: Span) -> ReadableSpan:
    def context(span_id: str | None) -> SpanContext | None:
        if span_id is None:
            return None
        sampled = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(span.trace_id or "0", 16), int(span_id, 16), False, sampled)

    raw = span.raw
    return ReadableSpan(
        name=span.name or "",
        context=context(span.span_id),
        parent=context(span.parent_id),
        resource=Resource({k: v for k, v in span.resource.items() if k != "schemaUrl"}),
        attributes={k: v for k, v in span.attributes.items() if plain(v)},
        events=[
            SpanEvent(
                event.name or "",
                {k: v for k, v in event.attributes.items() if plain(v)},
                int(event.raw.get("timeUnixNano") or 0) or None,
            )
            for event in span.events
        ],
        kind=SpanKind.CLIENT,
        status=Status(StatusCode(span.status_code), span.status_message)
        if span.status_code == 2
        else Status(StatusCode(span.status_code)),
        start_time=int(raw.get("startTimeUnixNano") or 0) or None,
        end_time=int(raw.get("endTimeUnixNano") or 0) or None,
        instrumentation_scope=InstrumentationScope("a.library", "1.0"),
    )


def is_expressible(pieces: list[Any]) -> bool:
    return bool(pieces) and all(
        isinstance(piece, Span)
        and all(map(plain, piece.attributes.values()))
        and all(plain(value) for event in piece.events for value in event.attributes.values())
        for piece in pieces
    )


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_span_of_the_sdk_reads_as_one_in_a_file(path: Path, tee: Heard) -> None:
    raw = json.loads(path.read_text("utf-8"))
    pieces = read_pieces(raw)
    if not is_expressible(pieces):
        pytest.skip("has log records, or values that are no attributes of the SDK")
    exporter = LlmteeSpanExporter(tee)
    spans = [readable(piece) for piece in pieces if isinstance(piece, Span)]
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    expected = registry.format(path.parent.name).decode(raw)
    about = {"extra", "source"}  # the SDK has a resource of its own
    assert exporter.recorded + exporter.ignored == len(expected)
    kept = {item.id for item in tee.events}
    assert [one.model_dump(exclude=about) for one in tee.events] == [
        one.model_dump(exclude=about) for one in expected if one.id in kept
    ]


def test_the_fixtures_are_mostly_expressible() -> None:
    found = [is_expressible(read_pieces(json.loads(p.read_text("utf-8")))) for p in FIXTURES]
    assert sum(found) >= len(FIXTURES) // 2


def test_spans_become_events_with_their_ids_and_parents(tee: Heard, traced: Any) -> None:
    processor, tracer = traced
    with tracer.start_as_current_span("GET /", attributes={"http.request.method": "GET"}):
        agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}
        agent["gen_ai.conversation.id"] = "s-1"
        with tracer.start_as_current_span("agent", attributes=agent) as outer:
            with tracer.start_as_current_span("chat", attributes=CHAT) as inner:
                pass
            tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}
            with tracer.start_as_current_span("tool", attributes=tool):
                pass
    call, run, step = tee.events
    assert isinstance(call, ModelCall)
    assert isinstance(run, ToolRun)
    assert isinstance(step, Step)
    assert call.input[0].text == "Where is order 17?"
    assert call.output is not None
    assert call.output.text == "On its way."
    assert call.parent == run.parent == step.id
    assert call.source_ids["otel.span_id"] == f"{inner.get_span_context().span_id:016x}"
    assert call.trace_id == f"{outer.get_span_context().trace_id:032x}"
    # What stands on the span around it, and on no other.
    assert {event.session for event in tee.events} == {"s-1"}
    assert call.agent is not None
    assert call.agent.name == run.agent.name == "support"
    assert (processor.recorded, processor.ignored, processor.duplicates) == (3, 1, 0)


def test_a_span_belongs_to_the_session_in_which_it_began(tee: Heard, traced: Any) -> None:
    _, tracer = traced
    with tee.session("s-7", person="u-1", properties={"plan": "free"}):
        span = tracer.start_span("chat", attributes=CHAT)
    with tee.session("another"):
        span.end()
    [call] = tee.events
    assert (call.session, call.person.id, call.properties) == ("s-7", "u-1", {"plan": "free"})


def test_a_span_that_says_its_session_keeps_it(tee: Heard, traced: Any) -> None:
    _, tracer = traced
    with tee.session("s-7"):
        tracer.start_span("chat", attributes={**CHAT, "session.id": "own"}).end()
    assert [event.session for event in tee.events] == ["own"]


def test_failures_and_first_tokens(tee: Heard, traced: Any) -> None:
    _, tracer = traced
    with pytest.raises(ZeroDivisionError), tracer.start_as_current_span("chat", attributes=CHAT):
        raise ZeroDivisionError("no")
    [call] = tee.events
    assert call.error is not None
    assert (call.error.type, call.error.message) == ("ZeroDivisionError", "ZeroDivisionError: no")


def test_in_a_batch(tee: Heard) -> None:
    provider = TracerProvider()
    exporter = LlmteeSpanExporter(tee)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span(
        "agent", attributes={"gen_ai.operation.name": "invoke_agent", "session.id": "s-1"}
    ):
        for _ in range(20):
            tracer.start_span("chat", attributes=CHAT).end()
        tracer.start_span("SELECT").end()
    assert provider.force_flush()
    assert (exporter.recorded, exporter.ignored) == (21, 1)
    assert {event.session for event in tee.events} == {"s-1"}
    provider.shutdown()


def test_force_flush_delivers_and_shutdown_ends(
    tmp_path: Path, honeyhive: Callable[..., Any]
) -> None:
    with honeyhive() as emulator, Heard([emulator.exporter()], dir=tmp_path) as tee:
        provider = TracerProvider()
        exporter = LlmteeSpanExporter(tee)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        provider.get_tracer("t").start_span("chat", attributes=CHAT).end()
        assert provider.force_flush()
        assert exporter.force_flush()
        assert tee.stats().exporters["honeyhive"].counts.delivered == 1
        provider.get_tracer("t").start_span("chat", attributes=CHAT).end()
        provider.shutdown()
        assert tee.stats().exporters["honeyhive"].counts.delivered == 2
        assert exporter.export([]) is SpanExportResult.FAILURE
        exporter.shutdown()  # twice is fine


def test_what_was_lost_is_a_failure(tmp_path: Path, traced: Any) -> None:
    tee = Heard([], dir=tmp_path)
    exporter = LlmteeSpanExporter(tee)
    provider = TracerProvider()
    tee.close()
    with provider.get_tracer("t").start_as_current_span("chat", attributes=CHAT) as span:
        pass
    assert exporter.export([span]) is SpanExportResult.FAILURE


def test_a_bug_of_ours_stays_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(event: Any) -> str:
        raise RuntimeError("a planted bug")

    with Heard([], dir=tmp_path, strict=False) as tee:
        monkeypatch.setattr(tee, "record", broken)
        provider = TracerProvider()
        exporter = LlmteeSpanExporter(tee)
        provider.add_span_processor(LlmteeSpanProcessor(tee))
        with provider.get_tracer("t").start_as_current_span("chat", attributes=CHAT) as span:
            pass
        assert exporter.export([span]) is SpanExportResult.FAILURE
        assert tee.stats().bugs == 2
        provider.shutdown()


def test_unsampled_and_forgotten_spans(tee: Heard, traced: Any) -> None:
    processor, tracer = traced
    span = tracer.start_span("chat", attributes=CHAT)
    assert len(processor._live) == 1
    del span
    gc.collect()
    assert not processor._live
    assert not tee.events


# ── one call, two layers ────────────────────────────────────────────────────────────────────────────────────────


def test_a_span_within_a_wrapped_call_is_left_out(
    tee: Heard, traced: Any, provider: ProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    processor, tracer = traced
    client = make_openai(provider)
    sending = client._prepare_request

    def traced_sending(request: Any) -> None:  # as an SDK's own telemetry does
        with tracer.start_as_current_span("chat", attributes=CHAT):
            sending(request)

    client._prepare_request = traced_sending
    tee.wrap(client)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            client.chat.completions.create(model="m", messages=MESSAGES)
    assert len(tee.events) == 3
    assert processor.duplicates == 3
    [line] = [record.getMessage() for record in caplog.records if record.name == "llmtee"]
    assert "captured by openai and by opentelemetry (an.instrumentation)" in line


def test_a_wrapped_call_within_a_span_is_left_out(
    tee: Heard, traced: Any, provider: ProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    _, tracer = traced
    client: openai.OpenAI = tee.wrap(make_openai(provider))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with tracer.start_as_current_span("chat", attributes=CHAT):
                client.chat.completions.create(model="m", messages=MESSAGES)
    assert [event.source_ids.keys() >= {"otel.span_id"} for event in tee.events] == [True, True]
    [line] = [record.getMessage() for record in caplog.records if record.name == "llmtee"]
    assert "recorded once, by opentelemetry (an.instrumentation)" in line
    # An agent's span is no model call: the call within it counts.
    with tracer.start_as_current_span("a", attributes={"gen_ai.operation.name": "invoke_agent"}):
        client.chat.completions.create(model="m", messages=MESSAGES)
    assert [event.kind for event in tee.events[2:]] == ["model_call", "step"]


def test_after_shutdown_wrapped_clients_record_again(
    tee: Heard, traced: Any, provider: ProviderServer
) -> None:
    processor, tracer = traced
    client = tee.wrap(make_openai(provider))
    processor.shutdown()
    with tracer.start_as_current_span("chat", attributes=CHAT):
        client.chat.completions.create(model="m", messages=MESSAGES)
    assert len(tee.events) == 1


def test_without_the_sdk_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['opentelemetry.sdk.trace'] = None\n"
        "import llmtee, llmtee.capture\n"
        "try:\n    import llmtee.capture.otel\n"
        "except ModuleNotFoundError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'llmtee[otel]'" in done.stdout
