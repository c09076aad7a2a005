"""Events as GenAI spans, to a strict OTLP backend over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import llmtee
from llmtee import OTLP, ModelCall, Step, ToolRun, config, registry
from llmtee._data_files import data_dir
from llmtee.errors import ConfigError
from llmtee.model import Agent, Choice, ErrorInfo, Message, Person, TextPart, ToolCallPart, Usage
from llmtee.spec import (
    Delivered,
    Exchange,
    Rejected,
    Retry,
    RetryPolicy,
    TooLarge,
    Unauthorised,
    Unknown,
)
from llmtee.tee import Tuning
from llmtee.testing.emulators import OTLPEmulator, faults
from llmtee.vendors.otlp import wire

VENDOR = registry.vendor("otlp")
SEED = json.loads((data_dir("fixtures") / "vendors" / "otlp" / "seed.json").read_text("utf-8"))
FAST = Tuning(retry=RetryPolicy(initial=0.002, jitter=0.002, maximum=0.02, attempts=4))

CALL = ModelCall(
    id="0e6b2f1c-6c1e-5b0e-9f6f-3a4c1d2e5f60",
    session="s-1",
    provider="openai",
    model="gpt-4.1-mini",
    response_model="gpt-4.1-mini-2025-04-14",
    agent=Agent(name="support", version="v1"),
    person=Person(id="user-7"),
    started_at="2026-01-01T10:00:00Z",
    ended_at="2026-01-01T10:00:02.5Z",
    first_token_at="2026-01-01T10:00:00.25Z",
    parameters={"temperature": 0.2, "max_output_tokens": 100},
    input=(Message(role="user", parts=(TextPart(text="Where is order 17?"),)),),
    choices=(
        Choice(
            message=Message(
                role="assistant",
                parts=(ToolCallPart(id="c1", name="lookup", arguments={"order": 17}),),
            ),
            finish_reason="tool_call",
            finish_reason_raw="tool_calls",
        ),
    ),
    usage=Usage(input_tokens=20, output_tokens=7, cache_read=5),
    properties={"plan": "free"},
    tags=("eu",),
    metrics={"helpfulness": 0.9, "tone": "warm"},
)


@pytest.fixture
def emulator() -> Iterator[OTLPEmulator]:
    with OTLPEmulator() as made:
        yield made


def rendered(event: Any) -> dict[str, Any]:
    [one] = llmtee.render([event], "otlp")
    body: dict[str, Any] = one.wire.body
    return body


def values(span: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}


def test_a_call_is_a_span_of_the_conventions() -> None:
    span = rendered(CALL)
    found = values(span)
    assert (span["name"], span["kind"]) == ("chat gpt-4.1-mini", wire.CLIENT)
    assert span["startTimeUnixNano"] == "1767261600000000000"
    assert span["endTimeUnixNano"] == "1767261602500000000"
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4.1-mini",
        "gen_ai.response.model": "gpt-4.1-mini-2025-04-14",
        "gen_ai.conversation.id": "s-1",
        "gen_ai.agent.name": "support",
        "user.id": "user-7",
        "gen_ai.request.max_tokens": "100",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.usage.input_tokens": "20",
        "gen_ai.usage.cache_read.input_tokens": "5",
        "gen_ai.response.time_to_first_chunk": 0.25,
    }
    assert found.items() >= expected.items()
    assert json.loads(found["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "tool_call", "id": "c1", "name": "lookup", "arguments": {"order": 17}}
            ],
            "finish_reason": "tool_calls",
        }
    ]
    assert {event["name"] for event in span["events"]} == {"gen_ai.evaluation.result"}


def test_what_a_call_says_comes_back() -> None:
    [back] = llmtee.parse(rendered(CALL), "otlp")
    made_up = {"extra", "name", "source_ids", "trace_id"}  # of a span, where the event says nothing
    assert back.usage.model_dump(exclude={"raw"}) == CALL.usage.model_dump(exclude={"raw"})
    about = made_up | {"usage"}
    assert back.model_dump(exclude=about) == CALL.model_dump(exclude=about)
    ledger = llmtee.explain(CALL, "otlp")
    assert ledger.lost == 0
    assert ledger.kept > 3 * ledger.parked


def test_ids_are_the_same_each_time_and_children_meet_their_parents() -> None:
    parent = Step(id="root", session="s-1", step_type="agent")
    child = ToolRun(id="run", parent="root", session="s-1", name="lookup", error=None)
    first, again, below = rendered(parent), rendered(parent), rendered(child)
    assert first == again
    assert below["parentSpanId"] == first["spanId"]
    assert below["traceId"] == first["traceId"]
    assert rendered(parent.model_copy(update={"session": "s-2"}))["traceId"] != first["traceId"]


def test_a_span_that_came_as_one_keeps_its_ids() -> None:
    path = data_dir("fixtures") / "formats" / "otel-genai" / "agent-tools.json"
    raw = json.loads(path.read_text("utf-8"))
    spans = [s for g in raw["resourceSpans"] for c in g["scopeSpans"] for s in c["spans"]]
    made = [rendered(event) for event in registry.format("otel-genai").decode(raw)]
    ids = ("traceId", "spanId", "parentSpanId")
    assert [[span.get(key) for key in ids] for span in made] == [
        [span.get(key) or None for key in ids] for span in spans
    ]


def test_the_seed_is_rendered_as_it_was_read() -> None:
    items = llmtee.parse(SEED, "otlp")
    wires = [VENDOR.render(item, OTLP()) for item in items]
    [request] = VENDOR.pack(wires, OTLP(service_name="shop"), {})

    def without_version(body: Any) -> Any:
        text = json.dumps(body, sort_keys=True)
        return text.replace(llmtee.__version__, "VERSION")

    assert without_version(request.body) == without_version(SEED).replace("0.0.0", "VERSION")


def test_errors_steps_and_tools() -> None:
    failed = ToolRun(name="lookup", error=ErrorInfo(message="no", type="KeyError", status=404))
    span = rendered(failed)
    assert span["status"] == {"code": 2, "message": "no"}
    assert values(span)["error.type"] == "KeyError"
    assert values(span)["gen_ai.operation.name"] == "execute_tool"
    # A step whose type is a word for calls stays a step.
    [back] = llmtee.parse(rendered(Step(step_type="chat", inputs={"q": 1})), "otlp")
    assert (back.kind, back.step_type, back.inputs) == ("step", "chat", {"q": 1})


def test_delivery_compressed_and_with_headers(emulator: OTLPEmulator, tmp_path: Path) -> None:
    exporter = OTLP(
        endpoint=f"{emulator.url}/v1/traces",
        headers={"authorization": f"Bearer {emulator.key}", "x-team": "t1"},
    )
    with llmtee.Tee([exporter], dir=tmp_path) as tee:
        for number in range(20):
            tee.record(CALL.model_copy(update={"id": f"call-{number}"}))
        assert tee.flush()["otlp"].delivered == 20
    assert len(emulator.spans) == 20
    [traces] = [emulator.traces]
    assert [len(spans) for spans in traces.values()] == [20]
    request = emulator.requests[-1]
    assert (request.path, request.headers["x-team"]) == ("/v1/traces", "t1")
    assert any(one.headers.get("content-encoding") == "gzip" for one in emulator.requests)
    group = request.body["resourceSpans"][0]
    assert group["scopeSpans"][0]["schemaUrl"] == wire.SCHEMA_URL


def test_a_busy_backend_and_a_span_at_fault(emulator: OTLPEmulator, tmp_path: Path) -> None:
    emulator.script(faults.status(503, retry_after=0.01))
    emulator.invalid_names.add("bad")
    with llmtee.Tee([emulator.exporter(concurrency=1)], dir=tmp_path, tuning=FAST) as tee:
        for number in range(8):
            name = "bad" if number == 5 else None
            tee.record(CALL.model_copy(update={"id": f"call-{number}", "name": name}))
        report = tee.flush()["otlp"]
        [letter] = tee.dead_letters()
    assert (report.delivered, report.dead) == (7, 1)
    assert len(emulator.spans) == 7
    assert "a span is invalid" in letter.reason


def test_a_partial_success_is_told(emulator: OTLPEmulator, tmp_path: Path) -> None:
    emulator.refused_names.add("refused")
    exporter = emulator.exporter(concurrency=1, max_items=1)
    with llmtee.Tee([exporter], dir=tmp_path, tuning=FAST) as tee:
        tee.record(CALL)
        tee.record(CALL.model_copy(update={"id": "other", "name": "refused"}))
        report = tee.flush()["otlp"]
        assert (report.delivered, report.dead) == (1, 1)
        [letter] = tee.dead_letters()
    assert "spans were refused" in letter.reason


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, b"{}", Delivered),
        (200, b"", Delivered),
        (200, b'{"partialSuccess": {"rejectedSpans": "0", "errorMessage": "slow"}}', Delivered),
        (200, b'{"partialSuccess": {"rejectedSpans": "1"}}', Unknown),
        (200, b'{"partialSuccess": {"rejectedSpans": 2}}', Rejected),
        (200, b"<html>", Unauthorised),
        (400, b'{"code": 3, "message": "bad"}', TooLarge),
        (404, b"", Unauthorised),
        (500, b"", Unknown),
        (502, b"", Retry),
        (504, b"", Retry),
    ],
)
def test_verdicts(status: int, content: bytes, kind: type) -> None:
    items = [VENDOR.render(CALL, OTLP()), VENDOR.render(CALL, OTLP())]
    [request] = VENDOR.pack(items, OTLP(), {})
    verdicts = VENDOR.judge(Exchange(request, status=status, content=content), OTLP())
    assert [type(verdict) for verdict in verdicts] == [kind, kind]


def test_settings_from_the_environment() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otlp.example/base/",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20secret,authorization=Basic%20abc",
        "OTEL_SERVICE_NAME": "shop",
    }
    found = config.resolve(OTLP(), environ=environ)
    assert (found.base_url, found.service_name) == ("https://otlp.example/base", "shop")
    assert VENDOR.auth(found) == {"x-key": "a secret", "authorization": "Basic abc"}
    assert "secret" not in repr(found)
    environ = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://otlp.example/v1/traces"}
    assert config.resolve(OTLP(), environ=environ).base_url == "https://otlp.example"
    assert config.resolve(OTLP(), environ={}).base_url == "http://localhost:4318"
    assert config.resolve(OTLP(endpoint="https://a.example"), environ={}).base_url


@pytest.mark.parametrize("text", ["no-sign", "a b=c", "key=line%0Aend"])
def test_headers_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="headers from environment variable") as caught:
        config.resolve(OTLP(), environ={"OTEL_EXPORTER_OTLP_HEADERS": text})
    assert "line" not in str(caught.value)


def test_a_span_that_is_too_large_is_cut(emulator: OTLPEmulator) -> None:
    long = Message(role="user", parts=(TextPart(text="word " * 20_000),))
    [one] = llmtee.render(
        [CALL.model_copy(update={"input": (long,)})], OTLP(api_key="k", max_bytes=20_000)
    )
    assert one.wire.size <= 20_000
    assert emulator.validate("traces.json", one.request.body) is None
    [back] = llmtee.parse(one.body, "otlp")
    assert "characters cut by llmtee" in back.input[0].text
    assert {note.path for note in one.wire.notes} == {"input"}
