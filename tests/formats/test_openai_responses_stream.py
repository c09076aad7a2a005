"""Streams of OpenAI Responses: whole, cut short, failed and broken."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.errors import InputError
from llmtee.formats.openai_responses.codec import decode_record
from llmtee.formats.openai_responses.stream import ResponsesStream
from llmtee.model import CitationPart, ReasoningPart, TextPart, ToolCallPart
from llmtee.testing import strategies

BASE = {"id": "resp_1", "object": "response", "status": "in_progress", "model": "gpt-5.1"}
TEXT = {"type": "output_text", "text": "", "annotations": []}
NOTE = {"type": "url_citation", "url": "https://example.com", "start_index": 0, "end_index": 5}


def item(index: int, step: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.output_item.{step}", "output_index": index, "item": fields}


def event(name: str, index: int, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{name}", "output_index": index, **fields}


THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{**TEXT, "text": "Hello", "annotations": [NOTE]}],
}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {**BASE, "output": []}},
    {"type": "response.in_progress", "response": {**BASE, "output": []}},
    item(0, "added", type="reasoning", id="rs_1", summary=[]),
    event(
        "reasoning_summary_part.added",
        0,
        summary_index=0,
        part={"type": "summary_text", "text": ""},
    ),
    event("reasoning_summary_text.delta", 0, summary_index=0, delta="H"),
    event("reasoning_summary_text.delta", 0, summary_index=0, delta="m."),
    item(0, "done", **THOUGHT),
    item(
        1, "added", type="message", id="msg_1", role="assistant", status="in_progress", content=[]
    ),
    event("content_part.added", 1, content_index=0, part=TEXT),
    event("output_text.delta", 1, content_index=0, delta="Hel"),
    event("output_text.delta", 1, content_index=0, delta="lo"),
    event("output_text.annotation.added", 1, content_index=0, annotation_index=0, annotation=NOTE),
    event("output_text.done", 1, content_index=0, text="Hello"),
    event("content_part.done", 1, content_index=0, part=SAID["content"][0]),
    item(1, "done", **SAID),
    item(2, "added", **{**CALL, "arguments": ""}),
    event("function_call_arguments.delta", 2, delta='{"a"'),
    event("function_call_arguments.delta", 2, delta=":1}"),
    event("function_call_arguments.done", 2, arguments='{"a":1}'),
    item(2, "done", **CALL),
]
OUTPUT = [THOUGHT, SAID, CALL]
DONE = {**BASE, "status": "completed", "output": OUTPUT, "usage": {"input_tokens": 1}}


def stream(events: list[Any]) -> ResponsesStream:
    found = ResponsesStream()
    for one in events:
        found.add(one)
    return found


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
def test_the_last_event_has_the_whole_response(status: str) -> None:
    response = {**DONE, "status": status}
    events = [*EVENTS, {"type": f"response.{status}", "response": response}]
    assert stream(events).response() == response


def test_the_items_fill_an_end_without_output() -> None:
    end = {"type": "response.completed", "response": {**DONE, "output": []}}
    assert stream([*EVENTS, end]).response() == DONE


def test_without_an_end_all_items_are_there_and_the_status_is_incomplete() -> None:
    assert stream(EVENTS).response() == {**BASE, "status": "incomplete", "output": OUTPUT}


def test_a_cut_is_rebuilt_from_the_deltas() -> None:
    found = stream(EVENTS[:12]).response()
    parts = decode_record(found).choices[0].message.parts
    assert [type(part) for part in parts] == [ReasoningPart, TextPart, CitationPart]
    assert isinstance(parts[1], TextPart)
    assert parts[1].text == "Hello"


def test_arguments_that_were_cut_are_kept_as_text() -> None:
    [*_, part] = decode_record(stream(EVENTS[:17]).response()).choices[0].message.parts
    assert isinstance(part, ToolCallPart)
    assert (part.arguments, part.arguments_text) == (None, '{"a"')


def test_a_reasoning_that_was_cut() -> None:
    [part] = decode_record(stream(EVENTS[:5]).response()).choices[0].message.parts
    assert isinstance(part, ReasoningPart)
    assert part.summary == ("H",)


def test_an_error_makes_it_failed() -> None:
    found = stream([*EVENTS[:10], {"type": "error", "code": "overloaded", "message": "busy"}])
    call = decode_record(found.response())
    assert call.error is not None
    assert (call.error.code, call.error.message) == ("overloaded", "busy")
    assert call.choices[0].finish_reason == "error"


def test_deltas_without_a_beginning_are_kept() -> None:
    found = stream([EVENTS[9], EVENTS[5], EVENTS[16]]).response()
    assert found is not None
    assert [one["type"] for one in found["output"]] == ["reasoning", "message", "function_call"]


def test_nothing_is_no_response() -> None:
    assert stream([]).response() is None
    assert stream([{}, {"type": "response.new", "output_index": 0}]).response() is None


def test_progress_is_left_out() -> None:
    progress = {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws_1"}
    assert stream([*EVENTS, progress]).response() == stream(EVENTS).response()


def test_without_an_index_an_event_is_about_the_latest_item() -> None:
    begin, *others = EVENTS[7:11]
    bare = [{k: v for k, v in one.items() if k != "output_index"} for one in others]
    assert (
        stream([EVENTS[2], begin, *bare]).response()
        == stream([EVENTS[2], begin, *others]).response()
    )


def test_what_was_handed_in_is_not_changed() -> None:
    before = copy.deepcopy(EVENTS)
    found = stream(EVENTS)
    assert found.response() == found.response()
    assert before == EVENTS


@given(st.integers(0, len(EVENTS)))
def test_any_cut_can_be_read(length: int) -> None:
    found = stream(EVENTS[:length]).response()
    assert (found is None) == (length == 0)
    if found is not None:
        assert decode_record(found).native is not None


@given(st.lists(st.sampled_from(EVENTS), max_size=8), strategies.json_values(), st.data())
def test_events_in_any_order_and_broken_ones_are_taken_or_refused(
    events: list[dict[str, Any]], odd: Any, data: st.DataObject
) -> None:
    broken = [dict(one) for one in events]
    if broken:
        one = data.draw(st.sampled_from(broken))
        one[data.draw(st.sampled_from(sorted(one)))] = odd
    found = ResponsesStream()
    for one in [*broken, odd]:
        try:
            found.add(one)
        except InputError as error:
            assert (error.path or "").startswith("[")  # noqa: PT017 - only some of them are refused
    found.response()
