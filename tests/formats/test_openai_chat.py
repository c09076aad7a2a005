"""Single facts of the format openai-chat that the laws do not tell."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from llmtee.errors import InputError
from llmtee.formats.openai_chat.codec import DIALECT, FORMAT, decode_record, encode_call
from llmtee.model import (
    Choice,
    CitationPart,
    Cost,
    MediaPart,
    Message,
    ModelCall,
    Native,
    OtherPart,
    Person,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    Usage,
)

ASK = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}


def answer(**fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "hello"}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], **fields}


def test_native_is_request_and_response_verbatim() -> None:
    response = answer(id="chatcmpl-1", odd=[None])
    call = decode_record({"request": ASK, "response": response})
    assert call.native == Native(dialect=DIALECT, request=ASK, response=response)


class TestTimes:
    def test_created_dates_a_record_without_times(self) -> None:
        call = decode_record({"request": ASK, "response": answer(created=1767323045)})
        assert call.started_at == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)

    @pytest.mark.parametrize("field", ["started_at", "ended_at"])
    def test_the_times_of_the_record_go_first(self, field: str) -> None:
        record = {"response": answer(created=1), field: "2026-01-02T00:00:00Z"}
        call = decode_record(record)
        assert getattr(call, field) == dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
        assert {call.started_at, call.ended_at} == {getattr(call, field), None}

    @pytest.mark.parametrize("created", [0, None, True, "soon", -5, 10**300])
    def test_what_is_no_time_leaves_it_missing_and_is_kept(self, created: Any) -> None:
        call = decode_record(answer(created=created))
        assert call.started_at is None
        assert encode_call(call)["response"]["created"] == created


class TestPeople:
    def test_user_is_the_person_where_the_record_names_none(self) -> None:
        call = decode_record({"request": {**ASK, "user": "u1"}})
        assert call.person == Person(id="u1")
        assert call.parameters["user"] == "u1"

    def test_the_person_of_the_record_goes_first(self) -> None:
        call = decode_record({"request": {**ASK, "user": "u1"}, "person": "p1"})
        assert call.person == Person(id="p1")

    def test_a_safety_identifier_names_nobody(self) -> None:
        assert decode_record({**ASK, "safety_identifier": "9f86d081"}).person is None


class TestParameters:
    @pytest.mark.parametrize(
        "spelling", ["max_tokens", "max_completion_tokens", "max_output_tokens"]
    )
    def test_the_limit_has_one_name_here_and_its_own_there(self, spelling: str) -> None:
        call = decode_record({**ASK, spelling: 10})
        assert call.parameters == {"max_output_tokens": 10}
        assert encode_call(call)["request"] == {**ASK, spelling: 10}

    def test_both_spellings_at_once_survive(self) -> None:
        request = {**ASK, "max_tokens": 5, "max_completion_tokens": 10}
        call = decode_record(request)
        assert call.parameters == {"max_tokens": 5, "max_output_tokens": 10}
        assert encode_call(call)["request"] == request


class TestProvider:
    @pytest.mark.parametrize(
        ("model", "provider"),
        [
            ("gpt-5", "openai"),
            ("my-fine-tune", "openai"),
            ("claude-sonnet-4-5", "anthropic"),
            ("anthropic/claude-sonnet-4.5", "anthropic"),
            ("openrouter/x-ai/grok-4", "x_ai"),
            ("gemini-2.5-pro", "gcp.gemini"),
            ("meta-llama/llama-4", None),
        ],
    )
    def test_the_model_tells_who_serves_it(self, model: str, provider: str | None) -> None:
        assert decode_record({**ASK, "model": model}).provider == provider

    def test_the_record_goes_first(self) -> None:
        call = decode_record({"request": ASK, "provider": "groq", "response": answer(id="r1")})
        assert (call.provider, call.source_ids) == ("groq", {"groq": "r1"})


class TestUsage:
    def test_absent_is_none_and_zero_is_zero(self) -> None:
        usage = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 0}}
        assert decode_record(answer(usage=usage)).usage == Usage(
            input_tokens=5, cache_read=0, raw=usage
        )
        assert decode_record(answer()).usage is None

    def test_impossible_sums_are_flagged_and_not_repaired(self) -> None:
        usage = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}
        call = decode_record(answer(usage=usage))
        assert call.usage is not None
        assert (call.usage.input_tokens, call.usage.cache_read) == (5, 9)
        assert call.flags == ("usage: cache_read (9) exceeds input_tokens (5)",)

    def test_cost_is_the_providers_word(self) -> None:
        call = decode_record(answer(usage={"cost": 0.00012}))
        assert call.cost == Cost(amount=Decimal("0.00012"), source="provider")

    @pytest.mark.parametrize(
        ("usage", "path"),
        [
            (7, "response.usage"),
            ({"prompt_tokens": "7"}, "response.usage.prompt_tokens"),
            ({"completion_tokens": 1.5}, "response.usage.completion_tokens"),
            ({"total_tokens": True}, "response.usage.total_tokens"),
            ({"prompt_tokens_details": [1]}, "response.usage.prompt_tokens_details"),
            (
                {"completion_tokens_details": {"reasoning_tokens": {}}},
                "response.usage.completion_tokens_details.reasoning_tokens",
            ),
            ({"cost": {}}, "response.usage.cost"),
        ],
    )
    def test_a_wrong_count_is_named(self, usage: Any, path: str) -> None:
        with pytest.raises(InputError) as caught:
            decode_record({"response": answer(usage=usage)})
        assert caught.value.path == path

    def test_counts_of_another_provider_become_a_block_of_this_shape(self) -> None:
        raw = {"input_tokens": 3, "cache_read_input_tokens": 7, "output_tokens": 2}
        usage = Usage(input_tokens=10, cache_read=7, output_tokens=2, raw=raw)
        call = ModelCall(choices=(Choice(message=Message(role="assistant")),), usage=usage)
        assert encode_call(call)["response"]["usage"] == {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 7},
        }


class TestChoices:
    @pytest.mark.parametrize(
        ("word", "canonical"),
        [
            ("stop", "stop"),
            ("tool_calls", "tool_call"),
            ("function_call", "tool_call"),
            ("eos", None),
            (None, None),
        ],
    )
    def test_the_raw_word_stands_beside_the_canonical_one(
        self, word: str | None, canonical: str | None
    ) -> None:
        choice = {"message": {"role": "assistant", "content": ""}, "finish_reason": word}
        [found] = decode_record({"choices": [choice]}).choices
        assert (found.finish_reason, found.finish_reason_raw) == (canonical, word)

    def test_a_word_of_another_provider_is_translated(self) -> None:
        choice = Choice(
            message=Message(role="assistant"),
            finish_reason="tool_call",
            finish_reason_raw="tool_use",
        )
        written = encode_call(ModelCall(choices=(choice,)))["response"]["choices"][0]
        assert written["finish_reason"] == "tool_calls"

    @pytest.mark.parametrize(
        ("response", "path", "words"),
        [
            ({"object": "chat.completion.chunk", "choices": []}, "response", "one chunk of a"),
            ({"choices": [{"delta": {}}]}, "response.choices[0].message", "a chunk of a stream"),
            ({"choices": [{"text": "x"}]}, "response.choices[0].message", "a legacy completion"),
            ({"content": [], "stop_reason": "end_turn"}, "response", "neither choices nor error"),
            ({"choices": [{"message": None}]}, "response.choices[0].message", "an object"),
        ],
    )
    def test_what_is_no_answer_is_refused_in_words(
        self, response: Any, path: str, words: str
    ) -> None:
        with pytest.raises(InputError, match=words) as caught:
            decode_record({"request": ASK, "response": response})
        assert caught.value.path == path

    def test_a_page_of_a_gateway_is_kept_and_flagged(self) -> None:
        call = decode_record({"request": ASK, "response": "<html>bad gateway</html>"})
        assert call.flags == ("response_not_json",)
        assert call.native is not None
        assert call.native.response == "<html>bad gateway</html>"


@pytest.mark.parametrize(
    ("request_", "words"),
    [({"input": "hi"}, "Responses"), ({"contents": []}, "Gemini"), ({"prompt": "hi"}, "legacy")],
)
def test_a_request_of_another_shape_is_named(request_: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        decode_record({"request": request_})
    assert caught.value.path == "request.messages"


def test_what_chat_cannot_say_is_written_as_the_nearest_thing() -> None:
    image = MediaPart(media="image", sha256="0" * 64)
    call = ModelCall(
        id="e1",
        provider="anthropic",
        model="claude-sonnet-4-5",
        response_model="claude-sonnet-4-5-20250929",
        parameters={"max_output_tokens": 50, "top_k": 3},
        tools=(ToolDefinition(name="look", parameters={"type": "object"}),),
        input=(
            Message(role="system", parts=(TextPart(text="Be "), TextPart(text="brief."))),
            Message(
                role="user",
                parts=(
                    ToolResultPart(call_id="t1", result={"ok": True}),
                    TextPart(text="and?"),
                    image,
                ),
            ),
        ),
        choices=(
            Choice(
                message=Message(
                    role="assistant",
                    parts=(
                        ReasoningPart(text="hm", signature="sig"),
                        ReasoningPart(encrypted="xyz"),
                        TextPart(text="Look"),
                        ToolCallPart(
                            id="t2", name="look", arguments={"a": 1}, call_type="tool_use"
                        ),
                    ),
                ),
                finish_reason="tool_call",
                finish_reason_raw="tool_use",
            ),
        ),
        source_ids={"anthropic": "msg_1"},
        started_at=dt.datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=dt.UTC),
    )
    assert encode_call(call) == {
        "request": {
            "model": "claude-sonnet-4-5",
            "messages": [
                {
                    "role": "system",
                    "content": [
                        {"type": "text", "text": "Be "},
                        {"type": "text", "text": "brief."},
                    ],
                },
                {"role": "tool", "tool_call_id": "t1", "content": '{"ok":true}'},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "and?"},
                        {"type": "text", "text": "[image]"},
                    ],
                },
            ],
            "tools": [
                {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
            ],
            "max_completion_tokens": 50,
            "top_k": 3,
        },
        "response": {
            "id": "msg_1",
            "object": "chat.completion",
            "created": 1767323045,
            "model": "claude-sonnet-4-5-20250929",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": "Look",
                        "reasoning_content": "hm",
                        "tool_calls": [
                            {
                                "id": "t2",
                                "type": "function",
                                "function": {"name": "look", "arguments": '{"a":1}'},
                            }
                        ],
                    },
                    "finish_reason": "tool_calls",
                }
            ],
        },
    }


def test_a_call_without_answer_has_no_response() -> None:
    assert encode_call(ModelCall(model="gpt-5"))["response"] is None


@pytest.mark.parametrize(
    "raw",
    [
        {"id": "msg_1", "type": "message", "content": [], "stop_reason": "end_turn"},
        {"request": ASK, "response": {"content": [], "stop_reason": "end_turn"}},
        {"request": ASK, "response": {"type": "error", "error": {"type": "x"}}},
        {"request": {**ASK, "system": "s", "max_tokens": 5}},
        {**ASK, "messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
        {**ASK, "tools": [{"name": "x", "input_schema": {}}]},
        {"id": "resp_1", "object": "response", "output": []},
        {"request": {"model": "gpt-5", "input": "hi"}},
        {"contents": [{"role": "user", "parts": []}]},
        {"candidates": []},
        {"kind": "model_call", "choices": [{"message": {"role": "assistant"}}]},
        {"messages": [{"role": "user", "content": "hi"}]},
        {"model": "gpt-5", "messages": []},
        {"model": "gpt-5", "messages": ["hi"]},
        {"error": {"message": "m"}},
        *(None, 3, "text", [], {}),
    ],
)
def test_records_of_others_are_not_claimed(raw: Any) -> None:
    assert FORMAT.detect(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        ASK,
        answer(),
        {"object": "chat.completion", "choices": []},
        {"request": ASK},
        {"request": ASK, "error": "timeout"},
        {"request": ASK, "response": None},
        {"request": ASK, "response": {"error": {"message": "m"}}},
        {"request": {}, "response": answer()},
        {"response": [{"object": "chat.completion.chunk"}]},
    ],
)
def test_its_own_are(raw: Any) -> None:
    assert FORMAT.detect(raw)


def test_every_kind_of_part_has_a_place_or_a_reason_not_to() -> None:
    parts = (
        RefusalPart(text="no"),
        CitationPart(url="https://example.com", start=0, end=2),
        MediaPart(media="audio", data="AA"),
        MediaPart(media="video", url="https://example.com/v.mp4"),
        OtherPart(name="hologram", data={"beams": 3}),
        OtherPart(name="hologram", data=3),
    )
    [written] = encode_call(ModelCall(input=(Message(role="assistant", parts=parts),)))["request"][
        "messages"
    ]
    assert written == {
        "role": "assistant",
        "content": [
            {"type": "refusal", "refusal": "no"},
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
            {"type": "file", "file": {"file_data": "https://example.com/v.mp4"}},
            {"type": "hologram", "beams": 3},
            {"type": "hologram"},
        ],
        "annotations": [
            {
                "type": "url_citation",
                "url_citation": {"start_index": 0, "end_index": 2, "url": "https://example.com"},
            }
        ],
    }
