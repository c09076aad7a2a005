"""Streams of Chat Completions, as OpenAI and the servers compatible with it send them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from llmtee.errors import InputError
from llmtee.formats.openai_chat.codec import decode_record
from llmtee.formats.openai_chat.stream import ChatStream
from llmtee.model import MediaPart, ReasoningPart, RefusalPart, ToolCallPart


def stream(*chunks: Any) -> ChatStream:
    found = ChatStream()
    for chunk in chunks:
        found.add(chunk)
    return found


def delta(index: int = 0, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": fields, "finish_reason": finish}]}


def message(*chunks: Any) -> dict[str, Any]:
    response = stream(*chunks).response()
    assert response is not None
    found = response["choices"][0]["message"]
    assert isinstance(found, dict)
    return found


def call(name: str | None = None, arguments: Any = None, **fields: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    function = {key: value for key, value in function.items() if value is not None}
    return delta(tool_calls=[{**fields, "function": function}])


def calls(*chunks: Any) -> list[tuple[Any, Any, Any]]:
    return [
        (one.get("id"), one["function"].get("name"), one["function"].get("arguments"))
        for one in message(*chunks)["tool_calls"]
    ]


class TestToolCalls:
    def test_by_index_in_turns(self) -> None:
        found = calls(
            call("f", "", index=0, id="a", type="function"),
            call("g", "", index=1, id="b", type="function"),
            call(None, '{"x":', index=0),
            call(None, "{}", index=1),
            call(None, "1}", index=0),
        )
        assert found == [("a", "f", '{"x":1}'), ("b", "g", "{}")]

    def test_id_and_name_repeated_on_each_chunk(self) -> None:
        assert calls(call("f", '{"x":', index=0, id="a"), call("f", "1}", index=0, id="a")) == [
            ("a", "f", '{"x":1}')
        ]

    def test_without_an_index_the_id_tells(self) -> None:
        assert calls(
            call("f", "[", id="a"),
            call("g", "{", id="b"),
            call(None, "]", id="a"),
            call(None, "}", id="b"),
        ) == [("a", "f", "[]"), ("b", "g", "{}")]

    def test_without_an_index_the_last_call_goes_on(self) -> None:
        assert calls(call("f", "", id="a"), call(None, "{"), call(None, "}")) == [("a", "f", "{}")]

    def test_whole_calls_without_index_and_id(self) -> None:
        assert calls(call("f", "{}"), call("f", "{}")) == [(None, "f", "{}"), (None, "f", "{}")]

    def test_whole_calls_that_all_have_the_index_0(self) -> None:
        assert calls(
            call("f", "{}", index=0, id="a"),
            call("g", "{", index=0, id="b"),
            call(None, "}", index=0),
        ) == [("a", "f", "{}"), ("b", "g", "{}")]

    def test_arguments_as_an_object_stay_one(self) -> None:
        assert calls(call("f", {"x": 1}, index=0)) == [(None, "f", {"x": 1})]

    def test_a_type_that_is_never_said(self) -> None:
        [found] = message(call("f", "{}", index=0))["tool_calls"]
        assert found["type"] == "function"

    def test_a_name_in_pieces(self) -> None:
        assert calls(call("get_", "", index=0), call("weather", "", index=0)) == [
            (None, "get_weather", "")
        ]

    def test_custom_tools_and_fields_of_others(self) -> None:
        first = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": ""}}
        more = {"index": 0, "custom": {"input": "select"}, "extra_content": {"google": {"s": "x"}}}
        [found] = message(delta(tool_calls=[first]), delta(tool_calls=[more]))["tool_calls"]
        assert found == {
            "id": "a",
            "type": "custom",
            "custom": {"name": "sql", "input": "select"},
            "extra_content": {"google": {"s": "x"}},
        }

    def test_the_legacy_function_call(self) -> None:
        found = message(
            delta(role="assistant", content=None, function_call={"name": "f", "arguments": ""}),
            delta(function_call={"arguments": "{}"}),
            delta(finish="function_call"),
        )
        assert found == {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "f", "arguments": "{}"},
        }


class TestFields:
    @pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
    def test_reasoning_of_compatible_servers(self, field: str) -> None:
        record = {"response": [delta(**{field: "Hm"}), delta(**{field: "."}), delta(content="x")]}
        [thought, _] = decode_record(record).choices[0].message.parts
        assert isinstance(thought, ReasoningPart)
        assert thought.text == "Hm."

    def test_a_refusal(self) -> None:
        record = {"response": [delta(refusal="I can"), delta(refusal="not."), delta(finish="stop")]}
        assert decode_record(record).choices[0].message.parts == (
            RefusalPart(text="I cannot.", extra={"openai-chat": {"field": "refusal"}}),
        )

    def test_audio_whose_pieces_are_padded_one_by_one(self) -> None:
        pieces = [base64.b64encode(data).decode() for data in (b"a", b"bc", b"def")]
        chunks = [
            delta(audio={"id": "audio_1", "transcript": "Ser"}),
            *(delta(audio={"data": piece}) for piece in pieces),
            delta(audio={"transcript": "vus", "expires_at": 1793003600}),
            delta(finish="stop"),
        ]
        assert stream(chunks[0]).has_content
        [part] = decode_record({"response": chunks}).choices[0].message.parts
        assert isinstance(part, MediaPart)
        assert (part.data, part.transcript) == (base64.b64encode(b"abcdef").decode(), "Servus")

    def test_logprobs_are_listed_on(self) -> None:
        chunks = [delta(content=text) for text in "ab"]
        for chunk, token in zip(chunks, "ab", strict=True):
            chunk["choices"][0]["logprobs"] = {"content": [{"token": token}], "refusal": None}
        response = stream(*chunks).response()
        assert response is not None
        assert response["choices"][0]["logprobs"] == {
            "content": [{"token": "a"}, {"token": "b"}],
            "refusal": None,
        }

    def test_the_empty_first_chunk_of_azure_says_nothing(self) -> None:
        empty = {"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": [1]}
        said = {"id": "c1", "model": "gpt", "created": 7, **delta(content="x", finish="stop")}
        response = stream(empty, said).response()
        assert response is not None
        assert [response[key] for key in ("id", "model", "created")] == ["c1", "gpt", 7]
        assert response["prompt_filter_results"] == [1]

    def test_counts_in_every_chunk_the_last_are_right(self) -> None:
        chunks = [
            {**delta(content="x"), "usage": {"prompt_tokens": 3, "completion_tokens": n}}
            for n in (1, 2)
        ]
        usage = decode_record({"response": chunks}).usage
        assert usage is not None
        assert usage.output_tokens == 2
        assert not stream(*chunks).usage_missing
        assert stream(delta(content="x")).usage_missing

    def test_the_message_beside_the_delta_is_a_repetition(self) -> None:
        chunks = [delta(content="a"), delta(content="b")]
        chunks[1]["choices"][0]["message"] = {"role": "assistant", "content": "ab"}
        assert message(*chunks)["content"] == "ab"

    def test_a_server_that_sends_the_answer_whole(self) -> None:
        whole = {
            "choices": [
                {"message": {"role": "assistant", "content": "ab"}, "finish_reason": "stop"}
            ]
        }
        found = stream(whole)
        assert found.complete
        assert found.has_content
        assert message(whole) == {"role": "assistant", "content": "ab"}

    def test_content_in_parts(self) -> None:
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
        text = [{"type": "text", "text": "a"}]
        assert message(delta(content=[thought]), delta(content=text), delta(content="b"))[
            "content"
        ] == [
            thought,
            {"type": "text", "text": "ab"},
        ]

    def test_unknown_fields_are_kept(self) -> None:
        chunks = [
            {**delta(content="x", novel="a"), "x_groq": {"id": "r"}},
            delta(novel="b", list=[1]),
            delta(list=[2], finish="stop"),
        ]
        response = stream(*chunks).response()
        assert response is not None
        assert response["x_groq"] == {"id": "r"}
        assert response["choices"][0]["message"] == {
            "role": "assistant",
            "content": "x",
            "novel": "ab",
            "list": [1, 2],
        }


class TestEnds:
    def test_a_role_and_an_empty_text_are_no_content(self) -> None:
        assert not stream(delta(role="assistant", content="", refusal=None)).has_content

    def test_each_choice_has_to_end(self) -> None:
        first, second = delta(content="a"), delta(1, content="b")
        assert not stream(first, second, delta(finish="stop")).complete
        assert stream(first, second, delta(finish="stop"), delta(1, finish="length")).complete

    def test_an_error_before_anything_is_the_answer(self) -> None:
        error = {"error": {"message": "busy", "type": "server_error", "code": None}}
        assert stream(error).response() == error
        call = decode_record({"response": [error]})
        assert call.error is not None
        assert (call.choices, call.error.message) == ((), "busy")

    def test_a_call_that_was_cut_keeps_its_text(self) -> None:
        record = {"response": [call("f", '{"x": tr', index=0, id="a")]}
        [part] = decode_record(record).choices[0].message.parts
        assert isinstance(part, ToolCallPart)
        assert (part.arguments, part.arguments_text) == (None, '{"x": tr')


@pytest.mark.parametrize(
    ("chunk", "path"),
    [
        ({"choices": {}}, "[0].choices"),
        ({"choices": [{"delta": []}]}, "[0].choices[0].delta"),
        ({"choices": [{"text": "x"}]}, "[0].choices[0].delta"),
        ({"choices": [{"index": -1, "delta": {}}]}, "[0].choices[0].index"),
        (delta(content=3), "[0].choices[0].delta.content"),
        (delta(tool_calls=[{"function": []}]), "[0].choices[0].delta.tool_calls[0].function"),
        (delta(tool_calls=[{"index": "0"}]), "[0].choices[0].delta.tool_calls[0].index"),
        ({"error": []}, "[0].error"),
        ({"usage": 3}, "[0].usage"),
    ],
)
def test_what_is_malformed_is_named(chunk: Any, path: str) -> None:
    with pytest.raises(InputError) as caught:
        stream(chunk)
    assert caught.value.path == path
