"""Messages in the shape of Chat Completions: what each one is, and that it is written back as it came."""

from __future__ import annotations

from typing import Any

import pytest

from llmtee.errors import InputError
from llmtee.formats.openai_chat.messages import (
    arguments_text,
    data_url,
    decode_content,
    decode_message,
    decode_messages,
    encode_call,
    encode_message,
    encode_messages,
    result_text,
)
from llmtee.model import (
    AnyPart,
    CitationPart,
    MediaPart,
    Message,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}

EXACT: list[dict[str, Any]] = [
    {"role": "user", "content": "hi"},
    {"role": "user", "content": ""},
    {"role": "user", "content": None},
    {"role": "user", "content": []},
    {"role": "user", "content": [{"type": "text", "text": "hi"}], "name": "mira"},
    {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "critic", "content": "an unknown role", "x_field": {"kept": True}},
    {
        "role": "user",
        "content": [{"type": "text", "text": "cached", "cache_control": {"type": "ephemeral"}}],
    },
    {
        "role": "user",
        "content": [
            {
                "type": "image_url",
                "image_url": {"url": "https://example.com/a.png", "detail": "low"},
            },
            {
                "type": "image_url",
                "image_url": {"url": "data:image/png;base64,AAAA", "x": 1},
                "y": 2,
            },
            {"type": "image_url", "image_url": "https://example.com/bare.png"},
            {"type": "image_url", "image_url": {"url": "data:text/plain;charset=utf-8,hi"}},
            {"type": "image_url", "image_url": {"url": None}},
            {"type": "image_url"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mpeg"}},
            {"type": "input_audio", "input_audio": {"data": None}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
            },
            {"type": "video_url", "video_url": {"url": "https://example.com/v.mp4"}},
            {"no": "type"},
            {},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "c2", "index": 1}]},
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "assistant", "content": "text too", "tool_calls": [CALL]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c3", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}},
            {
                "id": "c4",
                "type": "builtin_function",
                "function": {"name": "$web_search", "arguments": "{}"},
            },
            {"id": "c5", "type": "mystery", "payload": [1]},
            {
                "id": "c6",
                "type": "function",
                "function": {"name": "f", "arguments": '{"cut": tr', "strict": 1},
            },
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "f", "arguments": "{}", "x": 1},
    },
    {"role": "assistant", "content": None, "refusal": "I can't."},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "I won't."}]},
    {"role": "assistant", "content": "42", "reasoning_content": "6 * 7"},
    {
        "role": "assistant",
        "content": "42",
        "reasoning": "6 * 7",
        "reasoning_details": [{"type": "x"}],
    },
    {"role": "assistant", "content": "42", "reasoning": {"not": "text"}},
    {
        "role": "assistant",
        "content": None,
        "audio": {"id": "a1", "transcript": "hello", "expires_at": 5},
    },
    {
        "role": "assistant",
        "content": "See [1].",
        "annotations": [
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": 4,
                    "end_index": 7,
                    "url": "https://example.com",
                    "title": "T",
                    "x": 1,
                },
                "y": 2,
            },
            {"type": "url_citation", "url_citation": {"start_index": "four"}},
            {"type": "file_citation", "file_citation": {"file_id": "f"}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "42"},
    {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "", "is_error": True},
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "42"}]},
    {
        "role": "tool",
        "tool_call_id": "c1",
        "content": [
            {"type": "refusal", "refusal": "no"},
            {"type": "image_url", "image_url": {"url": "u"}},
        ],
    },
    {"role": "function", "name": "f", "content": "42"},
]


@pytest.mark.parametrize("raw", EXACT, ids=lambda raw: f"{raw['role']}-{EXACT.index(raw)}")
def test_a_message_is_written_back_as_it_came(raw: dict[str, Any]) -> None:
    assert encode_message(decode_message(raw)) == [raw]


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ({"role": "user", "content": "hi"}, (TextPart(text="hi"),)),
        ({"role": "user", "content": ["bare"]}, (TextPart(text="bare"),)),
        (
            {"role": "assistant", "refusal": "no"},
            (RefusalPart(text="no", extra={"openai-chat": {"field": "refusal"}}),),
        ),
        (
            {"role": "assistant", "content": "b", "reasoning_content": "a"},
            (
                ReasoningPart(text="a", extra={"openai-chat": {"field": "reasoning_content"}}),
                TextPart(text="b"),
            ),
        ),
        (
            {"role": "assistant", "tool_calls": [CALL]},
            (ToolCallPart(id="c1", name="f", arguments={"a": 1}, arguments_text='{"a": 1}'),),
        ),
        (
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
            (ToolResultPart(call_id="c1", result="42"),),
        ),
    ],
)
def test_the_parts_of_a_message(raw: dict[str, Any], parts: tuple[AnyPart, ...]) -> None:
    assert decode_message(raw).parts == parts


def test_arguments_that_are_no_json_are_kept_as_text_only() -> None:
    raw = {
        "role": "assistant",
        "tool_calls": [{**CALL, "function": {"name": "f", "arguments": '{"a'}}],
    }
    [call] = decode_message(raw).tool_calls
    assert (call.arguments, call.arguments_text) == (None, '{"a')


def test_the_input_of_a_custom_tool_is_not_read_as_json() -> None:
    raw = {
        "role": "assistant",
        "tool_calls": [{"type": "custom", "custom": {"name": "f", "input": "1"}}],
    }
    [call] = decode_message(raw).tool_calls
    assert (call.arguments, call.arguments_text, call.call_type) == (None, "1", "custom")


def test_arguments_as_an_object_are_written_as_text() -> None:
    raw = {
        "role": "assistant",
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}],
    }
    [call] = decode_message(raw).tool_calls
    assert (call.arguments, call.arguments_text) == ({"a": 1}, None)
    assert encode_call(call)["function"]["arguments"] == '{"a":1}'


def test_order_and_count_of_messages_are_kept() -> None:
    raw = [{"role": "user", "content": str(i)} for i in range(5)]
    assert encode_messages(decode_messages(raw)) == raw
    assert decode_messages(None) == ()


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("hi", "m"),
        ({"role": None}, "m.role"),
        ({"role": "user", "content": 5}, "m.content"),
        ({"role": "user", "content": [5]}, "m.content[0]"),
        ({"role": "user", "name": []}, "m.name"),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_id": {}}}]},
            "m.content[0].file.file_id",
        ),
        ({"role": "assistant", "tool_calls": {}}, "m.tool_calls"),
        ({"role": "assistant", "tool_calls": ["x"]}, "m.tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"type": 3}]}, "m.tool_calls[0].type"),
        ({"role": "assistant", "tool_calls": [{"type": "function"}]}, "m.tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{**CALL, "id": {}}]}, "m.tool_calls[0].id"),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": 1}}]},
            "m.tool_calls[0].function.name",
        ),
        ({"role": "assistant", "function_call": {"name": 1}}, "m.function_call.name"),
        ({"role": "assistant", "audio": {"id": []}}, "m.audio.id"),
        ({"role": "assistant", "annotations": ["x"]}, "m.annotations[0]"),
        ({"role": "tool", "tool_call_id": {}}, "m.tool_call_id"),
        ({"role": "tool", "content": [[]]}, "m.content[0]"),
    ],
)
def test_what_is_not_of_the_shape_is_named_by_its_path(raw: Any, path: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_message(raw, "m")
    assert caught.value.path == path


class TestForeignMessages:
    """Messages of other sources, which the shape cannot hold as they are."""

    def test_each_tool_result_becomes_a_message_of_its_own(self) -> None:
        message = Message(
            role="user",
            parts=(
                TextPart(text="go on"),
                ToolResultPart(call_id="a", result={"n": 1}),
                ToolResultPart(call_id="b", parts=(TextPart(text="x"),)),
            ),
        )
        assert encode_message(message) == [
            {"role": "tool", "tool_call_id": "a", "content": '{"n":1}'},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "x"}]},
            {"role": "user", "content": "go on"},
        ]

    @pytest.mark.parametrize("role", ["tool", "function"])
    def test_a_tool_message_that_answers_no_call_is_said_by_the_user(self, role: str) -> None:
        message = Message(role=role, parts=(TextPart(text="done"),))
        assert encode_message(message) == [{"role": "user", "content": "done"}]

    def test_pieces_of_reasoning_are_joined_and_encrypted_ones_left_out(self) -> None:
        parts = (
            ReasoningPart(text="a"),
            ReasoningPart(summary=("b", "c")),
            ReasoningPart(encrypted="x"),
        )
        [written] = encode_message(Message(role="assistant", parts=parts))
        assert written == {"role": "assistant", "content": None, "reasoning_content": "a\nb\nc"}

    def test_what_a_source_added_never_replaces_what_was_said(self) -> None:
        message = Message(role="user", parts=(TextPart(text="hi"),), extra={"content": "spoofed"})
        assert encode_message(message) == [{"role": "user", "content": "hi"}]

    @pytest.mark.parametrize(
        ("part", "written"),
        [
            (
                MediaPart(media="image", filename="a.png"),
                {"type": "file", "file": {"filename": "a.png"}},
            ),
            (MediaPart(media="video"), {"type": "text", "text": "[video]"}),
            (
                MediaPart(media="audio", data="AA"),
                {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
            ),
            (OtherPart(name="hologram", data={"beams": 1}), {"type": "hologram", "beams": 1}),
        ],
    )
    def test_media_without_a_place(self, part: AnyPart, written: dict[str, Any]) -> None:
        [message] = encode_message(Message(role="user", parts=(part,)))
        assert message["content"] == [written]

    def test_a_citation_of_elsewhere_keeps_what_the_shape_can_say(self) -> None:
        part = CitationPart(title="T", label="[1]")
        [message] = encode_message(Message(role="assistant", parts=(TextPart(text="x"), part)))
        assert message["annotations"] == [{"type": "url_citation", "url_citation": {"title": "T"}}]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (ToolCallPart(name="f"), "{}"),
        (ToolCallPart(name="f", arguments={"a": [1, "ü"]}), '{"a":[1,"ü"]}'),
        (ToolCallPart(name="f", arguments={"a": 1}, arguments_text='{ "a": 1 }'), '{ "a": 1 }'),
    ],
)
def test_arguments_as_text(part: ToolCallPart, text: str) -> None:
    assert arguments_text(part) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (ToolResultPart(), ""),
        (ToolResultPart(result="plain"), "plain"),
        (ToolResultPart(result={"a": 1}), '{"a":1}'),
        (ToolResultPart(result=False), "false"),
        (
            ToolResultPart(
                parts=(TextPart(text="a"), MediaPart(media="image"), TextPart(text="b"))
            ),
            "ab",
        ),
    ],
)
def test_a_result_as_text(part: ToolResultPart, text: str) -> None:
    assert result_text(part) == text


def test_data_urls() -> None:
    [part] = decode_content(
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    )
    assert isinstance(part, MediaPart)
    assert (part.mime, part.data, part.url) == ("image/png", "AA==", None)
    assert data_url(part) == "data:image/png;base64,AA=="
    assert (
        data_url(MediaPart(media="image", data="AA")) == "data:application/octet-stream;base64,AA"
    )
    assert data_url(MediaPart(media="image", url="https://example.com")) is None


def test_what_others_keep_in_extra_is_not_written() -> None:
    message = Message(
        role="user",
        parts=(TextPart(text="hi", extra={"anthropic-messages": {"cache_control": {}}}),),
        extra={"inkeep": {"externalId": "x"}, "openai-chat": {"weight": 1}},
    )
    assert encode_message(message) == [{"role": "user", "content": "hi", "weight": 1}]
