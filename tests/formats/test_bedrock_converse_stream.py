"""Streams of Bedrock Converse: blocks of every kind, what boto3 puts around them, failures."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from llmtee import detect
from llmtee.errors import InputError
from llmtee.formats.bedrock_converse.codec import decode_record
from llmtee.formats.bedrock_converse.stream import FAILURES, ConverseStream
from llmtee.model import CitationPart, TextPart, ToolCallPart

STOP = {"messageStop": {"stopReason": "end_turn"}}


def stream(*events: Any) -> ConverseStream:
    found = ConverseStream()
    for event in events:
        found.add(event)
    return found


def begun(index: int, **start: Any) -> dict[str, Any]:
    return {"contentBlockStart": {"contentBlockIndex": index, "start": start}}


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": fields}}


def content(*events: Any) -> Any:
    response = stream(*events, STOP).response()
    assert response is not None
    return response["output"]["message"]["content"]


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        (["", '{"a": ', "1}"], {"a": 1}),
        ([], {}),
        ([""], {}),
        (['{"a": tr'], '{"a": tr'),
        (["3"], "3"),
    ],
)
def test_input_of_tools(pieces: list[str], found: Any) -> None:
    start = begun(0, toolUse={"toolUseId": "t", "name": "f"})
    deltas = [delta(0, toolUse={"input": piece}) for piece in pieces]
    assert content(start, *deltas) == [{"toolUse": {"toolUseId": "t", "name": "f", "input": found}}]


def test_a_tool_that_runs_at_amazons_says_its_type() -> None:
    start = begun(0, toolUse={"toolUseId": "t", "name": "search", "type": "server_tool_use"})
    [part] = decode_record({"response": [start, STOP]}).choices[0].message.parts
    assert isinstance(part, ToolCallPart)
    assert part.call_type == "server_tool_use"


def test_what_such_a_tool_gives_is_listed() -> None:
    start = begun(0, toolResult={"toolUseId": "t", "status": "success"})
    deltas = [delta(0, toolResult=[{"text": "a"}]), delta(0, toolResult=[{"json": {}}])]
    assert content(start, *deltas) == [
        {
            "toolResult": {
                "toolUseId": "t",
                "status": "success",
                "content": [{"text": "a"}, {"json": {}}],
            }
        }
    ]


def test_citations_stand_beside_their_text() -> None:
    cited = {"title": "Graz", "sourceContent": [{"text": "x"}], "location": {"web": {"url": "u"}}}
    events = [delta(0, text="It "), delta(0, citation=cited), delta(0, text="rains."), STOP]
    text, citation = decode_record({"response": events}).choices[0].message.parts
    assert isinstance(text, TextPart)
    assert isinstance(citation, CitationPart)
    assert (text.text, citation.url) == ("It rains.", "u")


def test_redacted_reasoning_is_joined_as_bytes() -> None:
    pieces = [base64.b64encode(data).decode() for data in (b"a", b"bc")]
    found = content(*(delta(0, reasoningContent={"redactedContent": piece}) for piece in pieces))
    joined = base64.b64encode(b"abc").decode()
    assert found == [{"reasoningContent": {"redactedContent": joined}}]
    raw = content(delta(0, reasoningContent={"redactedContent": b"abc"}))  # as boto3 gives it
    assert raw == found


def test_images_and_unknown_blocks() -> None:
    assert content(
        begun(0, image={"format": "png"}),
        delta(0, image={"source": {"bytes": "AAAA"}}),
        delta(1, novel={"text": "a"}),
        delta(1, novel={"text": "b"}),
    ) == [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}, {"novel": {"text": "ab"}}]


def test_the_end_is_kept_and_padding_is_not() -> None:
    stop = {
        "messageStop": {
            "stopReason": "end_turn",
            "additionalModelResponseFields": {"x": 1},
            "p": "ab",
        }
    }
    last = {"metadata": {"usage": {"inputTokens": 1}, "trace": {"guardrail": {}}, "p": "abcd"}}
    found = stream({"messageStart": {"role": "assistant", "p": "a"}}, stop, last)
    assert found.complete
    assert not found.usage_missing
    assert found.response() == {
        "output": {"message": {"role": "assistant", "content": []}},
        "stopReason": "end_turn",
        "additionalModelResponseFields": {"x": 1},
        "usage": {"inputTokens": 1},
        "trace": {"guardrail": {}},
    }


def test_what_boto3_puts_around_the_stream() -> None:
    meta = {"RequestId": "req-1", "HTTPStatusCode": 200}
    record = {"response": {"ResponseMetadata": meta, "stream": [delta(0, text="x"), STOP]}}
    assert detect(record).format == "bedrock-converse"
    call = decode_record(record)
    assert call.source_ids == {"aws.bedrock": "req-1"}
    assert call.output is not None
    assert call.output.text == "x"
    record["response"]["stream"][0] = 3
    with pytest.raises(InputError, match=r"response\.stream\[0\]"):
        decode_record(record)


@pytest.mark.parametrize("name", FAILURES)
def test_failures(name: str) -> None:
    event = {name: {"message": "Too fast.", "originalStatusCode": 500}}
    for events in ([event], [delta(0, text="x"), event]):
        call = decode_record({"response": events})
        assert call.error is not None
        assert (call.error.type, call.error.message) == (name, "Too fast.")
        assert call.error.details == {"originalStatusCode": 500}
        assert len(call.choices) == len(events) - 1


def test_unknown_events_are_kept_and_nulls_are_none() -> None:
    response = stream(
        {"novel": {"x": 1}}, {"messageStart": None, "messageStop": {"stopReason": "s"}}
    ).response()
    assert response is not None
    assert response["unknown_events"] == [{"novel": {"x": 1}}]


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"contentBlockDelta": []}, "[0].contentBlockDelta"),
        (delta(0, text=3), "[0].contentBlockDelta.delta.text"),
        (delta(0, toolUse={"input": {}}), "[0].contentBlockDelta.delta.toolUse.input"),
        (
            delta(0, reasoningContent={"text": 3}),
            "[0].contentBlockDelta.delta.reasoningContent.text",
        ),
        (
            {"contentBlockDelta": {"contentBlockIndex": "0"}},
            "[0].contentBlockDelta.contentBlockIndex",
        ),
        ({"messageStop": {"stopReason": 3}}, "[0].messageStop.stopReason"),
        ({"metadata": {"usage": 3}}, "[0].metadata.usage"),
    ],
)
def test_what_is_malformed_is_named(event: Any, path: str) -> None:
    with pytest.raises(InputError) as caught:
        stream(event)
    assert caught.value.path == path
