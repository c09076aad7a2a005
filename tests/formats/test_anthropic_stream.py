"""Streams of Anthropic Messages, put together."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.errors import InputError
from llmtee.formats.anthropic_messages.codec import decode_record
from llmtee.formats.anthropic_messages.stream import AnthropicStream
from llmtee.model import ToolCallPart
from llmtee.testing import strategies

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "cache_read_input_tokens": 7, "output_tokens": 1},
    },
}
END: list[dict[str, Any]] = [
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 15, "cache_read_input_tokens": None},
    },
    {"type": "message_stop"},
]


def stream(events: Iterable[Mapping[str, Any]]) -> AnthropicStream:
    found = AnthropicStream()
    for event in events:
        found.add(event)
    return found


def response_of(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found = stream(events).response()
    assert found is not None
    return found


def begun(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stopped(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def content(*events: Mapping[str, Any]) -> Any:
    return response_of([START, *events, *END])["content"]


def test_a_whole_stream_is_the_response_in_one_piece() -> None:
    events = [
        START,
        begun(0, type="text", text=""),
        {"type": "ping"},
        delta(0, "text_delta", text="Hel"),
        delta(0, "text_delta", text="lo"),
        stopped(0),
        *END,
    ]
    before = copy.deepcopy(events)
    found = stream(events)
    assert events == before
    assert found.complete
    assert found.response() == {
        **START["message"],
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 25, "cache_read_input_tokens": 7, "output_tokens": 15},
    }
    usage = decode_record(found.response()).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (32, 15)


class TestBlocks:
    def test_thinking_and_its_signature(self) -> None:
        assert content(
            begun(0, type="thinking", thinking="", signature=""),
            delta(0, "thinking_delta", thinking="First, "),
            delta(0, "thinking_delta", thinking="rain."),
            delta(0, "signature_delta", signature="EqQBsig=="),
            begun(1, type="redacted_thinking", data="opaque=="),
        ) == [
            {"type": "thinking", "thinking": "First, rain.", "signature": "EqQBsig=="},
            {"type": "redacted_thinking", "data": "opaque=="},
        ]

    def test_citations(self) -> None:
        cited = [{"type": "char_location", "cited_text": "a"}, {"type": "novel_location"}]
        assert content(
            begun(0, type="text", text="", citations=[]),
            *(delta(0, "citations_delta", citation=one) for one in cited),
            delta(0, "text_delta", text="x"),
        ) == [{"type": "text", "text": "x", "citations": cited}]

    @pytest.mark.parametrize(
        ("pieces", "found"),
        [
            (["", '{"city": "Gr', 'az"}'], {"city": "Graz"}),
            ([], {}),
            ([""], {}),
            (['{"city": "Gr'], '{"city": "Gr'),
            (["3"], "3"),
        ],
    )
    def test_input_of_tools(self, pieces: list[str], found: Any) -> None:
        [block] = content(
            begun(0, type="tool_use", id="toolu_1", name="get_weather", input={}),
            *(delta(0, "input_json_delta", partial_json=piece) for piece in pieces),
            stopped(0),
        )
        assert block == {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": found}

    def test_blocks_that_come_side_by_side_stand_in_order(self) -> None:
        assert content(
            begun(1, type="text", text=""),
            begun(0, type="text", text="a"),
            delta(1, "text_delta", text="c"),
            delta(0, "text_delta", text="b"),
        ) == [{"type": "text", "text": "ab"}, {"type": "text", "text": "c"}]

    def test_results_of_server_side_tools_come_whole(self) -> None:
        block = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]}
        assert content(begun(0, **block)) == [block]

    def test_a_delta_of_an_unknown_type_is_kept(self) -> None:
        assert content(
            begun(0, type="compaction", content=None),
            delta(0, "compaction_delta", content="They "),
            delta(0, "compaction_delta", content="met.", level=2),
        ) == [{"type": "compaction", "content": "They met.", "level": 2}]

    def test_a_delta_without_a_beginning_makes_its_block(self) -> None:
        assert content(delta(0, "text_delta", text="x")) == [{"type": "text", "text": "x"}]


class TestEnds:
    def test_cut_short(self) -> None:
        events = [
            START,
            begun(0, type="tool_use", id="toolu_1", name="f", input={}),
            delta(0, "input_json_delta", partial_json='{"a": tr'),
        ]
        found = stream(events)
        assert not found.complete
        [part] = decode_record(found.response()).choices[0].message.parts
        assert isinstance(part, ToolCallPart)
        assert (part.arguments, part.arguments_text) == (None, '{"a": tr')

    def test_the_reason_to_stop_is_enough(self) -> None:
        assert stream([START, END[0]]).complete

    def test_an_error_before_the_message_is_the_response(self) -> None:
        event = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        found = stream([event])
        assert not found.complete
        assert found.response() == event

    def test_an_error_within_keeps_what_was_said(self) -> None:
        error = {"type": "overloaded_error", "message": "Overloaded"}
        text = begun(0, type="text", text="Half")
        call = decode_record(stream([START, text, {"type": "error", "error": error}]).response())
        assert call.error is not None
        assert call.error.type == "overloaded_error"
        assert call.choices[0].message.text == "Half"

    def test_nothing_but_a_beginning_is_an_empty_message(self) -> None:
        found = stream([START])
        assert not found.complete
        assert decode_record(found.response()).choices[0].message.parts == ()

    def test_fields_of_the_end_are_kept(self) -> None:
        end = {**END[0], "context_management": {"applied_edits": []}}
        last = {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"latency": 4}}
        response = response_of([START, end, last])
        assert response["context_management"] == {"applied_edits": []}
        assert response["amazon-bedrock-invocationMetrics"] == {"latency": 4}


def test_the_first_token_is_told() -> None:
    found = stream([START, begun(0, type="text", text="")])
    assert not found.has_content
    found.add(delta(0, "text_delta", text="x"))
    assert found.has_content


def test_unknown_events_are_kept() -> None:
    event = {"type": "novel", "x": 1}
    assert response_of([START, event, *END])["unknown_events"] == [event]


names = st.sampled_from(
    (
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop", "error", "ping"),
    )
)
values = strategies.json_values() | st.fixed_dictionaries(
    {"type": st.sampled_from(("text", "text_delta", "input_json_delta", "citations_delta"))},
    optional={key: strategies.json_values() for key in ("text", "partial_json", "citation")},
)
odd_events = strategies.json_objects() | st.fixed_dictionaries(
    {"type": names},
    optional={
        "index": st.integers(0, 2) | strategies.json_values(),
        **dict.fromkeys(("message", "content_block", "delta", "usage", "error"), values),
    },
)


@given(st.lists(odd_events, max_size=6))
def test_what_is_refused_changes_nothing(events: list[dict[str, Any]]) -> None:
    taken, all_of_them = AnthropicStream(), AnthropicStream()
    for event in events:
        try:
            all_of_them.add(event)
        except InputError as error:
            assert (error.path or "").startswith("[")  # noqa: PT017 - only some of them are refused
        else:
            taken.add(event)
    assert all_of_them.response() == taken.response()
    assert all_of_them.complete == taken.complete


@given(st.text(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_it_does_not_matter_where_a_text_is_cut(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    deltas = [delta(0, "text_delta", text=piece) for piece in pieces]
    [block] = content(begun(0, type="text", text=""), *deltas)
    assert block["text"] == text
