"""A trace in several records, files or batches is one trace: whatever the cut and the order, the same events."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmtee
from llmtee import registry
from llmtee.bulk._traces import LATE, OpenTraces
from llmtee.formats._traced.tree import DIFFERS, REPEATED
from llmtee.formats.otel_genai.pieces import SPAN_MISSING, SPAN_REPEATED
from llmtee.model import Item, ModelCall, Step, ToolRun

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def span(number: int, parent: int | None = None, **attributes: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        **({} if parent is None else {"parentSpanId": f"{parent:016x}"}),
        "name": f"span {number}",
        "startTimeUnixNano": str(1_790_960_000_000_000_000 + number),
        "endTimeUnixNano": str(1_790_960_001_000_000_000 + number),
        "attributes": attributes,
    }


def log(number: int, name: str, at: int, body: Any = None, **attributes: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "timeUnixNano": str(1_790_960_000_000_000_000 + at),
        "eventName": name,
        "attributes": attributes,
        **({} if body is None else {"body": {"kvlistValue": {"values": [*body]}}}),
    }


def text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def calls(number: int, **attributes: Any) -> dict[str, Any]:
    known = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", **attributes}
    return span(number, 1, **known)


ROOT = span(
    1,
    **{
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "support",
        "gen_ai.conversation.id": "s-1",
        "user.id": "u-1",
    },
)
ASKED = log(2, "gen_ai.user.message", 1, [text("content", "Where is my order?")])
TOLD = log(2, "gen_ai.system.message", 0, [text("content", "Be kind.")])
ANSWERED = log(
    2,
    "gen_ai.choice",
    2,
    [
        text("finish_reason", "stop"),
        {"key": "message", "value": {"kvlistValue": {"values": [text("content", "On its way.")]}}},
    ],
)
SCORED = log(
    2,
    "gen_ai.evaluation.result",
    9,
    **{"gen_ai.evaluation.name": "helpful", "gen_ai.evaluation.score.value": 0.9},
)
PIECES = [
    ROOT,
    calls(2),
    span(3, 2, **{"gen_ai.operation.name": "execute_tool"}),
    ASKED,
    TOLD,
    ANSWERED,
    SCORED,
]


def export(pieces: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Pieces as a collector writes them: spans and log records apart."""
    spans = [one for one in pieces if "startTimeUnixNano" in one]
    logs = [one for one in pieces if "startTimeUnixNano" not in one]
    return {
        **({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]} if spans else {}),
        **({"resourceLogs": [{"scopeLogs": [{"logRecords": logs}]}]} if logs else {}),
    }


def read(records: Iterable[Any], name: str = "auto") -> list[Item]:
    return list(llmtee.read(io.StringIO("".join(f"{json.dumps(one)}\n" for one in records)), name))


def as_set(items: Iterable[Item]) -> dict[str, Any]:
    return {item.id: item.to_json() for item in items}


WHOLE = as_set(read([export(PIECES)]))


def test_log_records_are_the_messages_and_scores_of_their_span() -> None:
    [call] = [item for item in read([export(PIECES)]) if isinstance(item, ModelCall)]
    assert [(one.role, one.text) for one in call.input] == [
        ("system", "Be kind."),
        ("user", "Where is my order?"),
    ]
    assert call.output is not None
    assert (call.output.text, call.choices[0].finish_reason) == ("On its way.", "stop")
    assert call.metrics == {"helpful": 0.9}
    assert call.extra["otel-genai"]["dialect"] == 2
    assert "events" not in call.extra["otel-genai"]


def test_session_person_and_agent_of_the_root_are_everybodys() -> None:
    for item in read([export(PIECES)]):
        assert isinstance(item, ModelCall | ToolRun | Step)
        assert item.session == "s-1"
        assert item.person is not None
        assert item.person.id == "u-1"
        assert item.agent is not None
        assert item.agent.name == "support"


@settings(max_examples=60)
@given(st.permutations(PIECES), st.lists(st.integers(0, len(PIECES)), max_size=4), st.booleans())
def test_however_a_trace_is_cut_and_ordered_its_events_are_the_same(
    pieces: list[dict[str, Any]], cuts: list[int], again: bool
) -> None:
    places = [0, *sorted(cuts), len(pieces)]
    batches = [pieces[a:b] for a, b in pairwise(places) if a < b]
    records = [export(batch) for batch in batches]
    if again:  # collectors deliver at least once
        records.append(records[0])
    assert as_set(read(records)) == WHOLE


def test_a_trace_in_several_files_is_one() -> None:
    files = [io.StringIO(json.dumps(export([one]))) for one in PIECES]
    assert as_set(llmtee.read(files)) == WHOLE


def test_two_sessions_in_a_trace_are_not_guessed_between() -> None:
    strange = calls(7)
    strange.pop("parentSpanId")
    other = span(8, **{"gen_ai.operation.name": "chat", "session.id": "s-2"})
    found = {item.id: item for item in read([export([*PIECES, other, strange])])}
    [alone] = registry.format("otel-genai").decode(strange)
    assert found[alone.id].session is None


def test_log_records_without_their_span_are_a_flagged_call() -> None:
    about = {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": 7,
    }
    asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}])
    [call] = read(
        [
            log(
                2,
                "gen_ai.client.inference.operation.details",
                1,
                **{"gen_ai.input.messages": asked, **about},
            )
        ]
    )
    assert isinstance(call, ModelCall)
    assert (call.provider, call.model, call.flags) == ("openai", "gpt-5", (SPAN_MISSING,))
    assert call.usage is not None
    assert call.usage.input_tokens == 7
    assert [one.text for one in call.input] == ["Hi"]
    assert call.id == read([export(PIECES)])[1].id


def test_what_only_the_details_say_is_kept() -> None:
    about = {"gen_ai.request.model": "gpt-5", "gen_ai.usage.input_tokens": 7, "app.tier": "gold"}
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}])
    record = log(
        2,
        "gen_ai.client.inference.operation.details",
        1,
        **{"gen_ai.input.messages": said, **about},
    )
    [call] = read([record, calls(2, **{"gen_ai.request.model": "gpt-5-mini"})])
    assert isinstance(call, ModelCall)
    assert call.model == "gpt-5-mini"  # the span's own word goes first
    assert call.usage is not None
    assert call.usage.input_tokens == 7
    assert call.extra["otel-genai"]["attributes"] == {"app.tier": "gold"}
    assert call.flags == ()


def test_other_log_records_are_kept() -> None:
    [step] = read([log(5, "app.started", 1, [text("version", "3")])], "otel-genai")
    assert isinstance(step, Step)
    assert step.step_type == "log"
    assert step.extra["otel-genai"]["events"][0]["eventName"] == "app.started"


def test_of_a_span_that_came_twice_the_fullest_is_read() -> None:
    begun, ended = calls(2), calls(2, **{"gen_ai.request.model": "gpt-5"})
    del begun["endTimeUnixNano"]
    for order in ([begun, ended], [ended, begun]):
        [call] = read(order)
        assert isinstance(call, ModelCall)
        assert (call.model, call.flags) == ("gpt-5", (SPAN_REPEATED,))


def test_a_tools_answer_remembers_that_it_rode_in_a_user_message() -> None:
    said = [
        {
            "role": "user",
            "parts": [
                {"type": "tool_call_response", "id": "c", "response": "3"},
                {"type": "text", "content": "And?"},
            ],
        }
    ]
    [call] = read([calls(2, **{"gen_ai.input.messages": json.dumps(said)})])
    assert isinstance(call, ModelCall)
    assert [one.role for one in call.input] == ["tool", "user"]
    assert call.input[0].extra == {"otel-genai": {"role": "user"}}
    assert call.input[1].extra == {}


USED = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}


def test_a_call_above_calls_repeats_their_usage_and_does_not_count() -> None:
    outer, inner = calls(2, **USED), span(3, 2, **{"gen_ai.operation.name": "chat", **USED})
    found = [item for item in read([outer, inner]) if isinstance(item, ModelCall)]
    assert [one.usage is None for one in found] == [True, False]
    assert found[0].flags == (REPEATED,)
    assert found[0].extra["repeated"]["usage"]["input_tokens"] == 10


def test_a_call_above_calls_with_other_counts_is_flagged_and_kept() -> None:
    outer = calls(2, **USED | {"gen_ai.usage.input_tokens": 11})
    inner = span(3, 2, **{"gen_ai.operation.name": "chat", **USED})
    found = [item for item in read([outer, inner]) if isinstance(item, ModelCall)]
    assert [one.usage is None for one in found] == [False, False]
    assert found[0].flags == (DIFFERS,)


def test_a_call_within_a_tools_run_is_a_call_of_its_own() -> None:
    tool = span(3, 2, **{"gen_ai.operation.name": "execute_tool"})
    inner = span(4, 3, **{"gen_ai.operation.name": "chat", **USED})
    found = [item for item in read([calls(2, **USED), tool, inner]) if isinstance(item, ModelCall)]
    assert [(one.usage is None, one.flags) for one in found] == [(False, ()), (False, ())]


def test_instructions_on_the_span_and_messages_in_a_log_record_are_one_dialect() -> None:
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}])
    system = json.dumps([{"type": "text", "content": "Be kind."}])
    record = log(
        2, "gen_ai.client.inference.operation.details", 1, **{"gen_ai.input.messages": said}
    )
    [call] = read([record, calls(2, **{"gen_ai.system_instructions": system})])
    assert isinstance(call, ModelCall)
    assert [(one.role, one.text) for one in call.input] == [("system", "Be kind."), ("user", "Hi")]


class TestLangfuse:
    TRACE = {
        "id": "t1",
        "timestamp": "2026-11-17T09:14:02Z",
        "sessionId": "s-1",
        "userId": "u-1",
        "environment": "production",
        "tags": ["eu"],
    }
    CALL = {
        "id": "o1",
        "traceId": "t1",
        "type": "GENERATION",
        "startTime": "2026-11-17T09:14:02Z",
        "input": "Hi",
    }
    SCORE = {
        "id": "s1",
        "name": "good",
        "value": 1,
        "dataType": "NUMERIC",
        "traceId": "t1",
        "observationId": "o1",
    }

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    def test_traces_observations_and_scores_in_files_of_their_own(
        self, order: tuple[int, ...]
    ) -> None:
        kinds = (self.TRACE, self.CALL, self.SCORE)
        files = [io.StringIO(json.dumps(kinds[i])) for i in order]
        found = {item.kind: item for item in llmtee.read(files)}
        call, trace = found["model_call"], found["step"]
        assert isinstance(call, ModelCall)
        assert len(found) == 2
        assert (call.session, call.parent, call.tags) == ("s-1", trace.id, ("eu",))
        assert (call.metrics, call.source) == ({"good": 1}, "production")

    def test_files_give_what_the_trace_gives_whole(self) -> None:
        whole = read([{**self.TRACE, "observations": [self.CALL], "scores": [self.SCORE]}])
        assert as_set(read([self.SCORE, self.CALL, self.TRACE])) == as_set(whole)


class TestLangSmith:
    def run(self, own: str, parent: str | None, kind: str, **fields: Any) -> dict[str, Any]:
        return {
            "id": own,
            "trace_id": "11111111-1111-4111-8111-111111111111",
            "parent_run_id": parent,
            "run_type": kind,
            "name": own,
            "start_time": "2026-11-17T09:14:02.000001",
            "inputs": {},
            **fields,
        }

    def test_runs_in_lines_of_their_own_know_their_session_and_count_once(self) -> None:
        counts = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        root = self.run("r", None, "chain", extra={"metadata": {"thread_id": "s-1"}}, **counts)
        model = self.run("m", "r", "llm", **counts)
        wrapped = self.run("w", "m", "llm", **counts)
        found = {
            item.name: item
            for item in read([wrapped, model, root])
            if isinstance(item, ModelCall | Step)
        }
        assert {item.session for item in found.values()} == {"s-1"}
        used = [name for name, item in found.items() if isinstance(item, ModelCall) and item.usage]
        assert used == ["w"]


def test_a_trace_that_waits_too_long_is_joined_as_far_as_it_came() -> None:
    traces = registry.format("otel-genai").traces
    assert traces is not None
    other = {**calls(4), "traceId": "b" * 32}
    waiting = OpenTraces(limit=2)
    out: list[Item] = []
    for one in (ROOT, calls(2), other, calls(5)):
        out += waiting.add(traces, traces.split(one))
    out += waiting.rest()
    assert [item.name for item in out if isinstance(item, ModelCall | Step)] == [
        "span 1",
        "span 2",
        "span 4",
        "span 5",
    ]
    late = out[-1]
    assert isinstance(late, ModelCall)
    assert (late.flags, late.session) == ((LATE,), None)
    [inside] = [item for item in out if isinstance(item, ModelCall) and item.name == "span 2"]
    assert (inside.flags, inside.session) == ((), "s-1")
