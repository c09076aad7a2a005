"""Single facts of the format openai-responses that the laws do not tell."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from llmtee.assembly import assemble
from llmtee.errors import InputError
from llmtee.formats.openai_responses.codec import DIALECT, FORMAT, decode_record, encode_call
from llmtee.model import (
    Choice,
    CitationPart,
    MediaPart,
    Message,
    ModelCall,
    Native,
    OtherPart,
    Person,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

ASK = {"model": "gpt-5.1", "input": "hi"}
SAID = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "hello", "annotations": []}],
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "look",
    "arguments": '{"at": 1}',
}
THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA=="}


def answer(*output: Any, **fields: Any) -> dict[str, Any]:
    items = list(output) or [SAID]
    return {"id": "resp_1", "object": "response", "status": "completed", "output": items, **fields}


def test_native_is_request_and_response_verbatim() -> None:
    response = answer(odd=[None])
    call = decode_record({"request": ASK, "response": response})
    assert call.native == Native(dialect=DIALECT, request=ASK, response=response)


class TestTimes:
    def test_the_response_dates_a_record_without_times(self) -> None:
        call = decode_record(answer(created_at=1767323045.25, completed_at=1767323046))
        assert call.started_at == dt.datetime(2026, 1, 2, 3, 4, 5, 250000, tzinfo=dt.UTC)
        assert call.ended_at == dt.datetime(2026, 1, 2, 3, 4, 6, tzinfo=dt.UTC)

    def test_the_times_of_the_record_go_first(self) -> None:
        record = {"response": answer(created_at=1767323045), "ended_at": "2026-01-03T00:00:00Z"}
        call = decode_record(record)
        assert call.started_at is None
        assert call.ended_at == dt.datetime(2026, 1, 3, tzinfo=dt.UTC)

    @pytest.mark.parametrize("created", [0, None, True, "soon", -5, 10**300])
    def test_what_is_no_time_leaves_it_missing_and_is_kept(self, created: Any) -> None:
        call = decode_record(answer(created_at=created))
        assert call.started_at is None
        assert encode_call(call)["response"]["created_at"] == created


class TestWhoAndWhere:
    def test_user_is_the_person(self) -> None:
        assert decode_record({"request": {**ASK, "user": "u1"}}).person == Person(id="u1")

    def test_a_safety_identifier_names_nobody(self) -> None:
        assert decode_record({"request": {**ASK, "safety_identifier": "9f86"}}).person is None

    @pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
    def test_a_conversation_is_the_session_and_hides_the_history(self, conversation: Any) -> None:
        call = decode_record({"request": {**ASK, "conversation": conversation}})
        assert (call.session, call.flags) == ("conv_1", ("history_incomplete",))

    def test_the_session_of_the_record_goes_first(self) -> None:
        record = {"request": {**ASK, "conversation": "conv_1"}, "session": "s1"}
        assert decode_record(record).session == "s1"

    def test_a_previous_response_hides_the_history(self) -> None:
        call = decode_record({"request": {**ASK, "previous_response_id": "resp_0"}})
        assert call.flags == ("history_incomplete",)
        assert decode_record({"request": ASK, "response": answer()}).flags == ()


class TestFinish:
    @pytest.mark.parametrize(
        ("response", "expected"),
        [
            (answer(), ("stop", "completed")),
            (answer(SAID, CALL), ("tool_call", "completed")),
            (answer(status="queued"), ("pause", "queued")),
            (answer(status="cancelled"), ("error", "cancelled")),
            (answer(status="new"), (None, "new")),
            (
                answer(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
                ("length", "max_output_tokens"),
            ),
            (
                answer(status="incomplete", incomplete_details={"reason": "content_filter"}),
                ("content_filter", "content_filter"),
            ),
        ],
    )
    def test_status_and_reason(self, response: Any, expected: Any) -> None:
        [choice] = decode_record(response).choices
        assert (choice.finish_reason, choice.finish_reason_raw) == expected

    def test_a_call_that_the_provider_answered_itself_is_no_call_for_a_tool(self) -> None:
        shell = {"type": "shell_call", "call_id": "c1", "action": {"commands": ["ls"]}}
        result = {"type": "shell_call_output", "call_id": "c1", "output": []}
        assert decode_record(answer(shell)).choices[0].finish_reason == "tool_call"
        assert decode_record(answer(shell, result)).choices[0].finish_reason == "stop"

    @pytest.mark.parametrize(
        ("reason", "status", "details"),
        [
            ("stop", "completed", None),
            ("length", "incomplete", {"reason": "max_output_tokens"}),
            ("pause", "in_progress", None),
            ("error", "failed", None),
        ],
    )
    def test_the_words_of_others_are_translated(
        self, reason: str, status: str, details: Any
    ) -> None:
        message = Message(role="assistant", parts=(TextPart(text="x"),))
        choice = Choice(message=message, finish_reason=reason, finish_reason_raw="end_turn")
        response = encode_call(ModelCall(choices=(choice,)))["response"]
        assert (response["status"], response.get("incomplete_details")) == (status, details)

    def test_a_failure_has_no_choice(self) -> None:
        error = {"code": "server_error", "message": "sorry"}
        call = decode_record({"id": "resp_1", "output": [], "status": "failed", "error": error})
        assert call.choices == ()
        assert call.error is not None
        assert (call.error.code, call.error.message) == ("server_error", "sorry")


class TestTurns:
    def test_items_between_two_messages_are_one_message_in_their_order(self) -> None:
        output = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
        user = {"role": "user", "content": "hi"}
        call = decode_record({"model": "m", "input": [user, THOUGHT, SAID, CALL, output, SAID]})
        assert [message.role for message in call.input] == [
            "user",
            "assistant",
            "tool",
            "assistant",
        ]
        thought, said, asked = call.input[1].parts
        assert isinstance(thought, ReasoningPart)
        assert (thought.encrypted, thought.id) == ("gAAA==", "rs_1")
        assert isinstance(said, TextPart)
        assert isinstance(asked, ToolCallPart)
        assert (asked.id, asked.arguments, asked.arguments_text) == (
            "call_1",
            {"at": 1},
            '{"at": 1}',
        )
        assert call.input[2].parts == (ToolResultPart(call_id="call_1", result="2"),)

    def test_an_answer_sent_again_is_the_same_message(self) -> None:
        user = {"role": "user", "content": "hi"}
        items = [THOUGHT, SAID, CALL]
        first = decode_record({"request": {**ASK, "input": [user]}, "response": answer(*items)})
        second = decode_record({"request": {**ASK, "input": [user, *items]}})
        assert second.input[1] == first.output

    def test_a_growing_history_assembles_to_each_message_once(self) -> None:
        user = {"role": "user", "content": "hi"}
        result = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
        first = {"request": {**ASK, "input": [user]}, "response": answer(THOUGHT, CALL)}
        history = [user, THOUGHT, CALL, result]
        second = {
            "request": {**ASK, "input": history},
            "response": answer(SAID, id="resp_2"),
        }
        events = [
            decode_record({**record, "session": "s1", "started_at": f"2026-01-02T00:00:0{i}Z"})
            for i, record in enumerate((first, second))
        ]
        [conversation] = assemble(events)
        assert [m.role for m in conversation.messages] == ["user", "assistant", "tool", "assistant"]

    def test_several_messages_of_a_turn_come_back_as_several(self) -> None:
        output = [SAID, {**SAID, "id": "msg_2"}]
        call = decode_record(answer(*output))
        assert len(call.choices) == 1
        assert encode_call(call)["response"]["output"] == output


class TestOthers:
    def test_what_chat_and_anthropic_say_becomes_items(self) -> None:
        parts = (
            ReasoningPart(text="hm", signature="sig"),
            TextPart(text="Look."),
            CitationPart(url="https://example.com", start=0, end=4),
            ToolCallPart(id="t1", name="look", arguments={"a": 1}, call_type="server_tool_use"),
            ToolResultPart(call_id="t1", result={"b": 2}),
        )
        call = ModelCall(choices=(Choice(message=Message(role="assistant", parts=parts)),))
        output = encode_call(call)["response"]["output"]
        assert [item["type"] for item in output] == [
            *("reasoning", "message", "function_call", "function_call_output")
        ]
        note = {
            "type": "url_citation",
            "url": "https://example.com",
            "start_index": 0,
            "end_index": 4,
        }
        assert output[1]["content"][0]["annotations"] == [note]
        assert output[2]["arguments"] == '{"a":1}'
        assert output[3]["output"] == '{"b":2}'

    def test_media_in_its_shape(self) -> None:
        parts = (
            MediaPart(media="image", mime="image/png", data="AAAA"),
            MediaPart(media="document", file_id="file-1"),
            MediaPart(media="video", sha256="00"),
        )
        call = ModelCall(input=(Message(role="user", parts=parts),))
        [item] = encode_call(call)["request"]["input"]
        assert item["content"] == [
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            {"type": "input_file", "file_id": "file-1"},
            {"type": "input_text", "text": "[video]"},
        ]

    def test_unknown_items_are_kept_whole(self) -> None:
        odd = {"type": "hologram_call", "depth": 3}
        [part] = decode_record(answer(odd)).choices[0].message.parts
        assert isinstance(part, OtherPart)
        assert (part.name, part.data) == ("hologram_call", odd)


class TestRefused:
    @pytest.mark.parametrize(
        ("raw", "path"),
        [
            ({"request": {"input": [3]}}, "request.input[0]"),
            ({"request": {"messages": []}}, "request.input"),
            ({"response": [{"type": "response.created"}]}, "response[0].response"),
            ({"response": {"output": {}}}, "response.output"),
            ({"response": answer({**SAID, "content": [3]})}, "response.output[0].content[0]"),
            ({"response": answer(usage={"input_tokens": "x"})}, "response.usage.input_tokens"),
        ],
    )
    def test_with_the_path(self, raw: Any, path: str) -> None:
        with pytest.raises(InputError) as raised:
            decode_record(raw)
        assert raised.value.path == path


class TestDetect:
    @pytest.mark.parametrize(
        "raw",
        [
            {"model": "text-embedding-3-small", "input": "hi"},
            {"model": "text-embedding-3-small", "input": ["hi"], "encoding_format": "float"},
            {"model": "m", "input": [{"role": "user", "content": "x"}], "type": "GENERATION"},
            {"request": ASK, "response": {"object": "list", "data": []}},
            {"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn"},
            {"kind": "model_call", "input": [{"role": "user"}], "model": "m"},
            [],
            None,
        ],
    )
    def test_others_are_not_claimed(self, raw: Any) -> None:
        assert FORMAT.detect(raw) is None

    @pytest.mark.parametrize(
        "raw",
        [
            answer(),
            {"request": ASK, "response": answer()},
            {"model": "m", "input": "hi", "max_output_tokens": 5},
            {"model": "m", "input": [{"role": "user", "content": "x"}]},
        ],
    )
    def test_its_own_are(self, raw: Any) -> None:
        assert FORMAT.detect(raw)
