"""Single facts of the format anthropic-messages that the laws do not tell."""

from __future__ import annotations

from typing import Any

import pytest

from llmtee.errors import InputError
from llmtee.formats.anthropic_messages.codec import DIALECT, FORMAT, decode_record, encode_call
from llmtee.model import (
    Choice,
    CitationPart,
    ErrorInfo,
    MediaPart,
    Message,
    ModelCall,
    Native,
    Person,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    Usage,
)

ASK = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}]}


def answer(*content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(content), **fields}


def asked(*messages: Any, **fields: Any) -> tuple[Message, ...]:
    return decode_record({"messages": list(messages), **fields}).input


def written(*messages: Message, **fields: Any) -> dict[str, Any]:
    request: dict[str, Any] = encode_call(ModelCall(input=messages, **fields))["request"]
    return request


def result(call_id: str, content: Any = "ok") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def text(said: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **fields}


def test_native_is_request_and_response_verbatim() -> None:
    response = answer(text("x", citations=None), id="msg_1", odd=[None])
    call = decode_record({"request": ASK, "response": response})
    assert call.native == Native(dialect=DIALECT, request=ASK, response=response)


def test_the_id_hangs_on_the_response_and_is_kept() -> None:
    calls = [decode_record(answer(id=id)) for id in ("msg_1", "msg_1", "msg_2")]
    assert calls[0].id == calls[1].id != calls[2].id
    assert calls[0].source_ids == {"anthropic": "msg_1"}


class TestUsage:
    def usage(self, **counts: Any) -> Usage:
        found = decode_record(answer(usage=counts)).usage
        assert found is not None
        return found.model_copy(update={"raw": None})

    def test_caches_are_added_to_the_input(self) -> None:
        assert self.usage(
            input_tokens=12, cache_read_input_tokens=5120, cache_creation_input_tokens=248
        ) == Usage(input_tokens=5380, cache_read=5120, cache_write=248)

    def test_the_breakdown_of_a_cache_is_not_counted_twice(self) -> None:
        assert self.usage(
            input_tokens=1,
            cache_creation_input_tokens=10,
            cache_creation={"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
        ) == Usage(input_tokens=11, cache_write=10, cache_write_5m=4, cache_write_1h=6)

    def test_a_breakdown_alone_is_summed(self) -> None:
        found = self.usage(input_tokens=1, cache_creation={"ephemeral_1h_input_tokens": 6})
        assert found == Usage(input_tokens=7, cache_write=6, cache_write_1h=6)

    def test_thinking_is_part_of_the_output(self) -> None:
        found = self.usage(output_tokens=40, output_tokens_details={"thinking_tokens": 30})
        assert found == Usage(output_tokens=40, reasoning=30)

    def test_what_is_not_reported_stays_missing(self) -> None:
        assert self.usage(output_tokens=0) == Usage(output_tokens=0)

    def test_impossible_sums_are_flagged_and_kept(self) -> None:
        call = decode_record(
            answer(usage={"output_tokens": 1, "output_tokens_details": {"thinking_tokens": 2}})
        )
        assert call.flags == ("usage: reasoning (2) exceeds output_tokens (1)",)
        assert call.usage is not None
        assert (call.usage.output_tokens, call.usage.reasoning) == (1, 2)

    def test_counts_of_another_provider_are_written_without_caches(self) -> None:
        usage = Usage(input_tokens=100, output_tokens=5, cache_read=60, cache_write=10, reasoning=2)
        call = ModelCall(usage=usage, choices=(Choice(message=Message(role="assistant")),))
        assert encode_call(call)["response"]["usage"] == {
            "input_tokens": 30,
            "cache_creation_input_tokens": 10,
            "cache_read_input_tokens": 60,
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 2},
        }


class TestToolResults:
    def test_each_becomes_a_message_of_its_own(self) -> None:
        found = asked(user(result("a"), result("b"), text("and?")))
        assert [message.role for message in found] == ["tool", "tool", "user"]
        assert found[1].parts == (ToolResultPart(call_id="b", result="ok"),)

    @pytest.mark.parametrize(
        "messages",
        [
            [user(result("a"), result("b"), text("and?"))],
            [user(result("a")), user(result("b"))],
            [user(text("before"), result("a"), text("between"), result("b"))],
            [user(result("a"), text("x")), user(text("y"))],
            [user(result("a")), {"role": "user", "content": "y"}],
        ],
    )
    def test_they_return_to_the_messages_they_came_from(self, messages: list[Any]) -> None:
        assert encode_call(decode_record({"messages": messages}))["request"] == {
            "messages": messages
        }

    def test_those_of_another_provider_make_one_user_message(self) -> None:
        results = [
            Message(role="tool", parts=(ToolResultPart(call_id=id, result={"n": 1}),))
            for id in ("a", "b")
        ]
        assert written(*results)["messages"] == [
            user(result("a", '{"n":1}'), result("b", '{"n":1}'))
        ]

    def test_one_within_an_answer_is_told_by_the_user(self) -> None:
        call = ToolCallPart(id="a", name="f", arguments={})
        said = (call, ToolResultPart(call_id="a", result="ok"), TextPart(text="done"))
        roles = [m["role"] for m in written(Message(role="assistant", parts=said))["messages"]]
        assert roles == ["assistant", "user", "assistant"]

    def test_one_of_a_server_side_tool_stays_beside_its_call(self) -> None:
        raw = {"type": "web_fetch_tool_result", "tool_use_id": "s", "content": {"url": "u"}}
        [message] = asked({"role": "assistant", "content": [raw]})
        [part] = message.parts
        assert isinstance(part, ToolResultPart)
        assert (part.name, part.result, part.is_error) == ("web_fetch", {"url": "u"}, None)
        assert written(message)["messages"] == [{"role": "assistant", "content": [raw]}]


class TestSystem:
    def test_it_stands_first(self) -> None:
        assert asked(user(text("x")), system="be kind")[0] == Message(
            role="system", parts=(TextPart(text="be kind"),)
        )

    @pytest.mark.parametrize(
        "request_",
        [
            {"system": "one", "messages": [{"role": "system", "content": "two"}]},
            {
                "messages": [
                    {"role": "system", "content": "first"},
                    {"role": "user", "content": "x"},
                ]
            },
            {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "late"}]},
            {"system": [text("a"), text("b")], "messages": []},
            {"system": [text("a")], "messages": []},
        ],
    )
    def test_it_returns_to_where_it_stood(self, request_: dict[str, Any]) -> None:
        assert encode_call(decode_record(request_))["request"] == request_

    def test_several_of_another_provider_become_one(self) -> None:
        first = Message(role="system", parts=(TextPart(text="a"),))
        second = Message(role="developer", parts=(TextPart(text="b"),))
        assert written(first, second) == {"system": [text("a"), text("b")], "messages": []}


class TestToolCalls:
    def test_arguments_of_another_provider_become_an_object(self) -> None:
        calls = (
            ToolCallPart(id="a", name="f", arguments={"x": 1}, arguments_text='{"x": 1}'),
            ToolCallPart(id="b", name="f", arguments=[1]),
            ToolCallPart(id="c", name="f", arguments_text="SELECT 1", call_type="custom"),
            ToolCallPart(name="f"),
        )
        [message] = written(Message(role="assistant", parts=calls))["messages"]
        assert [block["input"] for block in message["content"]] == [
            {"x": 1},
            {"value": [1]},
            {"input": "SELECT 1"},
            {},
        ]

    def test_input_cut_short_is_kept_as_text(self) -> None:
        raw = {"type": "tool_use", "id": "a", "name": "f", "input": '{"x": tr'}
        [part] = decode_record(answer(raw)).choices[0].message.parts
        assert isinstance(part, ToolCallPart)
        assert (part.arguments, part.arguments_text) == (None, '{"x": tr')

    def test_order_of_thinking_text_and_calls_is_kept(self) -> None:
        content = [
            {"type": "thinking", "thinking": "a", "signature": "s1=="},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "redacted_thinking", "data": "opaque=="},
            text("b"),
        ]
        call = decode_record(answer(*content))
        assert call.choices[0].message.parts == (
            ReasoningPart(text="a", signature="s1=="),
            ToolCallPart(id="a", name="f", arguments={}),
            ReasoningPart(encrypted="opaque=="),
            TextPart(text="b"),
        )
        assert encode_call(call)["response"]["content"] == content


class TestParameters:
    def test_two_have_canonical_names(self) -> None:
        call = decode_record({**ASK, "max_tokens": 5, "stop_sequences": ["x"], "top_k": 3})
        assert call.parameters == {"max_output_tokens": 5, "stop": ["x"], "top_k": 3}

    def test_those_of_another_provider_get_the_words_of_this_one(self) -> None:
        choice = {"type": "function", "function": {"name": "f"}}
        parameters = {"max_output_tokens": 5, "stop": "x", "tool_choice": choice}
        assert written(parameters=parameters) == {
            "messages": [],
            "max_tokens": 5,
            "stop_sequences": ["x"],
            "tool_choice": {"type": "tool", "name": "f"},
        }
        assert written(parameters={"tool_choice": "required"})["tool_choice"] == {"type": "any"}

    def test_the_user_of_the_metadata_is_the_person_unless_the_record_names_one(self) -> None:
        request = {**ASK, "metadata": {"user_id": "u1"}}
        assert decode_record(request).person == Person(id="u1")
        assert decode_record({"request": request, "person": "p"}).person == Person(id="p")

    @pytest.mark.parametrize(
        ("version", "provider"),
        [
            ("bedrock-2023-05-31", "aws.bedrock"),
            ("vertex-2023-10-16", "gcp.vertex_ai"),
            ("2023-06-01", "anthropic"),
        ],
    )
    def test_other_platforms_name_themselves(self, version: str, provider: str) -> None:
        assert decode_record({**ASK, "anthropic_version": version}).provider == provider

    def test_a_tool_without_parameters_gets_an_empty_schema(self) -> None:
        [tool] = written(tools=(ToolDefinition(name="now"),))["tools"]
        assert tool == {"name": "now", "input_schema": {"type": "object", "properties": {}}}


class TestAnswers:
    @pytest.mark.parametrize(
        ("word", "canonical"),
        [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("tool_use", "tool_call"),
            ("refusal", "content_filter"),
            ("pause_turn", "pause"),
            ("novel", None),
            (None, None),
        ],
    )
    def test_finish_reasons(self, word: str | None, canonical: str | None) -> None:
        [choice] = decode_record(answer(stop_reason=word)).choices
        assert (choice.finish_reason, choice.finish_reason_raw) == (canonical, word)

    def test_a_refusal_of_another_provider_is_a_text_that_stopped_so(self) -> None:
        message = Message(role="assistant", parts=(RefusalPart(text="no"),))
        call = ModelCall(choices=(Choice(message=message, finish_reason="stop"),))
        response = encode_call(call)["response"]
        assert (response["content"], response["stop_reason"]) == ([text("no")], "refusal")

    def test_citations_of_another_provider_point_to_the_web(self) -> None:
        cited = CitationPart(url="https://example.com", title="t", start=0, end=3)
        lost = CitationPart(label="[1]")
        message = Message(role="assistant", parts=(lost, TextPart(text="abc"), cited, lost))
        response = encode_call(ModelCall(choices=(Choice(message=message),)))["response"]
        location = {
            "type": "web_search_result_location",
            "url": "https://example.com",
            "title": "t",
            "encrypted_index": "",
        }
        assert response["content"] == [text("abc", citations=[location])]

    @pytest.mark.parametrize(
        ("part", "block"),
        [
            (MediaPart(media="audio", data="AA==", transcript="hello"), text("hello")),
            (MediaPart(media="image"), text("[image]")),
            (
                MediaPart(media="document", mime="text/csv", data="YSxi"),
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/csv", "data": "a,b"},
                },
            ),
            (
                MediaPart(media="image", data="AA=="),
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AA=="},
                },
            ),
        ],
    )
    def test_media_of_another_provider(self, part: MediaPart, block: dict[str, Any]) -> None:
        [message] = written(Message(role="user", parts=(TextPart(text="see"), part)))["messages"]
        assert message["content"] == [text("see"), block]

    def test_a_failure_is_an_error_body(self) -> None:
        body = {
            "type": "error",
            "error": {"type": "overloaded_error", "message": "Overloaded"},
            "request_id": "req_1",
        }
        call = decode_record({"request": ASK, "response": body})
        assert call.error == ErrorInfo(message="Overloaded", type="overloaded_error")
        assert call.choices == ()
        assert encode_call(call)["response"] == body

    def test_a_page_in_place_of_json_is_flagged(self) -> None:
        call = decode_record({"request": ASK, "response": "<html>"})
        assert call.flags == ("response_not_json",)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"messages": [1]}, "messages[0]"),
        ({"request": {"messages": [{"role": 1}]}}, "request.messages[0].role"),
        ({"messages": [user({"type": "thinking", "thinking": "", "signature": []})]}, None),
        ({"response": {"usage": {}}}, "response"),
        ({"response": [{"type": "message_start"}]}, "response[0].message"),
        (answer(usage={"input_tokens": "many"}), "usage.input_tokens"),
        (answer({**result("a"), "is_error": "yes"}), "content[0].is_error"),
        ({**ASK, "system": 3}, "system"),
        ({**ASK, "tools": [None]}, "tools[0]"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(raw: Any, path: str | None) -> None:
    with pytest.raises(InputError) as caught:
        decode_record(raw)
    assert caught.value.path == (path or "messages[0].content[0].signature")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        ASK,
        {**ASK, "max_tokens": 5},
        {"request": {**ASK, "system": "x", "max_tokens": 5}, "response": {"choices": []}},
        {"modelId": "m", "system": [{"text": "x"}], "messages": [user({"text": "x"})]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text"}]},
        {**ASK, "system": "x", "max_tokens": 5, "messages": [{"role": "tool", "content": "x"}]},
        {"kind": "model_call", "messages": [user(result("a"))]},
    ],
)
def test_it_claims_nothing_that_may_be_anothers(raw: Any) -> None:
    assert FORMAT.detect(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        {**ASK, "system": "x", "max_tokens": 5},
        {**ASK, "tools": [{"name": "f", "input_schema": {}}]},
        {**ASK, "anthropic_version": "bedrock-2023-05-31"},
        {"messages": [user(result("a"))]},
        {"response": {"error": {"message": "x"}}, "request": {"messages": [user(result("a"))]}},
        answer(stop_reason=None),
    ],
)
def test_it_claims_its_own(raw: Any) -> None:
    assert FORMAT.detect(raw)
