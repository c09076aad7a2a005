from __future__ import annotations

from typing import Any

import pytest

from llmtee.errors import RenderError
from llmtee.model import Conversation, Step
from llmtee.vendors.inkeep import VENDOR, Inkeep

CALL = {"type": "tool_call", "id": "call_1", "name": "lookup", "arguments": {"id": 7}}
RESULT = {"type": "tool_result", "call_id": "call_1", "result": {"found": True}}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def message(role: str, *parts: Any, **fields: Any) -> dict[str, Any]:
    listed = [text(part) if isinstance(part, str) else part for part in parts]
    return {"role": role, "parts": listed, **fields}


def conversation(*messages: Any, **fields: Any) -> Conversation:
    return Conversation.model_validate({"id": "conversation-1", "messages": messages, **fields})


def render(*messages: Any, settings: Inkeep | None = None, **fields: Any) -> Any:
    return VENDOR.render(conversation(*messages, **fields), settings or Inkeep()).body


def reasons(*messages: Any, **fields: Any) -> list[str]:
    wire = VENDOR.render(conversation(*messages, **fields), Inkeep())
    return [note.reason for note in wire.notes]


def test_a_plain_chat_says_nothing_more_than_it_must() -> None:
    body = render(
        message("user", "Hi", id="m1"), message("assistant", "Hello", id="m2"), session="s1"
    )
    assert body == {
        "id": "conversation-1",
        "externalId": "s1",
        "type": "openai",
        "messages": [
            {"id": "m1", "role": "user", "content": "Hi"},
            {"id": "m2", "role": "assistant", "content": "Hello"},
        ],
    }


def test_the_session_is_the_external_id_unless_it_is_the_id() -> None:
    assert "externalId" not in render(message("user", "Hi"), session="conversation-1")


def test_a_conversation_without_messages_is_skipped() -> None:
    wire = VENDOR.render(conversation(), Inkeep())
    assert wire.body is None
    assert wire.skip == "it has no message, and Inkeep needs at least one"
    assert VENDOR.pack([wire], Inkeep(), {}) == []


def test_an_event_is_refused_with_the_way_out() -> None:
    with pytest.raises(RenderError, match="assemble"):
        VENDOR.render(Step(id="e"), Inkeep())


def test_missing_message_ids_are_derived_from_the_position() -> None:
    first = render(message("user", "Hi"))["messages"]
    longer = render(message("user", "Hi"), message("assistant", "Hello"))["messages"]
    assert longer[0] == first[0]
    assert len({one["id"] for one in longer}) == 2


def test_two_messages_with_one_id_stay_two() -> None:
    messages = [message("user", "Hi", id="m"), message("user", "Again", id="m")]
    assert len({one["id"] for one in render(*messages)["messages"]}) == 2
    assert any("an id stood on two messages" in reason for reason in reasons(*messages))


# ── roles ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("role", "sent"),
    [
        ("system", "system"),
        ("user", "user"),
        ("assistant", "assistant"),
        ("developer", "system"),
        ("model", "assistant"),
        ("Bot", "assistant"),
        ("critic", "user"),
    ],
)
def test_roles_are_folded_to_the_three_that_there_are(role: str, sent: str) -> None:
    [out] = render(message(role, "Hi"))["messages"]
    assert out["role"] == sent
    assert (role == sent) == ("properties" not in out)
    assert (role == sent) == (not reasons(message(role, "Hi")))


def test_an_unknown_role_that_calls_tools_speaks_as_the_assistant() -> None:
    [out] = render(message("planner", CALL))["messages"]
    assert out["role"] == "assistant"


def test_support_conversations_keep_their_type_and_roles() -> None:
    body = render(
        message("agent_human", "Hi"),
        message("tool", "x"),
        extra={"inkeep": {"type": "support_ticket"}},
    )
    assert body["type"] == "support_ticket"
    assert [one["role"] for one in body["messages"]] == ["agent_human", "tool"]


# ── tool calls and results ──────────────────────────────────────────────────────────────────────────────────────


def test_a_tool_round_is_folded_into_the_message_that_called() -> None:
    body = render(
        message("user", "Find 7", id="m1"),
        message("assistant", CALL, id="m2"),
        message("tool", RESULT, id="m3"),
        message("assistant", "Found.", id="m4"),
    )
    assert [one["id"] for one in body["messages"]] == ["m1", "m2", "m4"]
    called = body["messages"][1]
    assert called["content"] == ""
    assert called["tool_calls"] == [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "lookup", "arguments": '{"id":7}'},
        }
    ]
    assert called["properties"]["toolResults"] == {
        "call_1": {"result": {"found": True}, "message": {"id": "m3"}}
    }


def test_parallel_results_are_keyed_by_call_and_come_back_in_the_order_of_the_calls() -> None:
    calls = [{**CALL, "id": call_id} for call_id in ("call_1", "call_2")]
    results = [
        message("tool", {**RESULT, "call_id": call_id}, id=f"result-{call_id}")
        for call_id in ("call_2", "call_1")
    ]
    before = conversation(message("assistant", *calls, id="m1"), *results)
    body = VENDOR.render(before, Inkeep()).body
    assert set(body["messages"][0]["properties"]["toolResults"]) == {"call_1", "call_2"}
    # A database that reorders the keys of objects must not reorder the messages.
    folded = body["messages"][0]["properties"]["toolResults"]
    body["messages"][0]["properties"]["toolResults"] = dict(reversed(folded.items()))
    [after] = VENDOR.parse(body)
    assert [one.id for one in after.messages] == ["m1", "result-call_1", "result-call_2"]


def test_results_become_text_of_the_assistant_by_option() -> None:
    before = conversation(
        message("assistant", CALL, id="m1"),
        message("tool", RESULT, id="m2"),
        message("tool", {**RESULT, "result": "as text"}, id="m3"),
    )
    body = VENDOR.render(before, Inkeep(tool_results="text")).body
    assert [(one["role"], one["content"]) for one in body["messages"]] == [
        ("assistant", ""),
        ("assistant", '{"found":true}'),
        ("assistant", "as text"),
    ]
    [after] = VENDOR.parse(body)
    assert [one.role for one in after.messages] == ["assistant", "tool", "tool"]
    assert [one.parts for one in after.messages[1:]] == [one.parts for one in before.messages[1:]]


def test_a_result_before_any_assistant_stays_a_message() -> None:
    body = render(message("tool", RESULT), message("user", "Hi"))
    assert [(one["role"], one["content"]) for one in body["messages"]] == [
        ("assistant", '{"found":true}'),
        ("user", "Hi"),
    ]


def test_a_result_that_nobody_asked_for_stands_in_the_message_before_and_is_noted() -> None:
    messages = [message("assistant", "Hi"), message("tool", RESULT)]
    [out] = render(*messages)["messages"]
    assert "call_1" in out["properties"]["toolResults"]
    assert any("no message made the call" in reason for reason in reasons(*messages))


def test_a_tool_run_stands_with_its_call_and_one_without_a_call_in_the_properties() -> None:
    run = {"kind": "tool_run", "id": "run-1", "name": "lookup", "call_id": "call_1"}
    paired = {**run, "arguments": {"id": 7}, "result": {"found": True}, "duration_ms": 12.5}
    alone = {**run, "id": "run-2", "call_id": None}
    before = conversation(
        message("assistant", CALL, id="m1"),
        message("tool", RESULT, id="m2"),
        tool_runs=[paired, alone],
    )
    body = VENDOR.render(before, Inkeep()).body
    entry = body["messages"][0]["properties"]["toolResults"]["call_1"]
    assert entry["run"] == {"id": "run-1", "duration_ms": 12.5}
    assert [one["id"] for one in body["properties"]["toolRuns"]] == ["run-2"]
    [after] = VENDOR.parse(body)
    assert after.tool_runs == before.tool_runs


def test_a_call_without_an_id_gets_one() -> None:
    [out] = render(message("assistant", {**CALL, "id": None}, id="m1"))["messages"]
    assert out["tool_calls"][0]["id"]


def test_arguments_are_sent_as_received() -> None:
    cut_short = {**CALL, "arguments": None, "arguments_text": '{"id": 7, "na'}
    [out] = render(message("assistant", cut_short))["messages"]
    assert out["tool_calls"][0]["function"]["arguments"] == '{"id": 7, "na'


def test_free_text_input_of_a_custom_tool_is_sent_as_json() -> None:
    custom = {**CALL, "arguments": None, "arguments_text": "SELECT 1", "call_type": "custom"}
    [out] = render(message("assistant", custom))["messages"]
    assert out["tool_calls"][0]["function"]["arguments"] == '"SELECT 1"'


# ── content ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_content_is_never_null() -> None:
    body = render(message("assistant"), message("assistant", CALL), message("user", ""))
    assert [one["content"] for one in body["messages"]] == ["", "", ""]


def test_images_with_an_address_stay_images() -> None:
    [out] = render(
        message(
            "user",
            "What is this?",
            {"type": "media", "media": "image", "url": "https://x.test/a.png", "detail": "low"},
            {
                "type": "media",
                "media": "image",
                "mime": "image/png",
                "data": "AAAA",
                "detail": "odd",
            },
        )
    )["messages"]
    assert out["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]


@pytest.mark.parametrize(
    ("part", "placeholder"),
    [
        ({"media": "audio", "mime": "audio/wav", "data": "A" * 16}, "[audio: audio/wav, 12 bytes]"),
        (
            {"media": "document", "filename": "a.pdf", "size": 12345},
            "[document: a.pdf, 12,345 bytes]",
        ),
        ({"media": "video", "url": "https://x.test/v"}, "[video: https://x.test/v]"),
        ({"media": "image", "file_id": "file-1"}, "[image]"),
    ],
)
def test_media_that_inkeep_cannot_hold_become_placeholders(
    part: dict[str, Any], placeholder: str
) -> None:
    before = conversation(message("user", {"type": "media", **part}, id="m1"))
    wire = VENDOR.render(before, Inkeep())
    assert wire.body["messages"][0]["content"] == placeholder
    assert len(wire.notes) == 1
    assert VENDOR.parse(wire.body)[0].messages == before.messages


def test_refusals_and_reasoning_are_said_or_parked() -> None:
    before = conversation(
        message(
            "assistant",
            {"type": "reasoning", "text": "Is it safe?", "signature": "abc"},
            {"type": "refusal", "text": "No."},
            id="m1",
        )
    )
    [out] = VENDOR.render(before, Inkeep()).body["messages"]
    assert out["content"] == "No."
    assert out["properties"]["llmtee"]["parts"][0]["text"] == "Is it safe?"
    assert VENDOR.parse({"type": "openai", "messages": [out]})[0].messages == before.messages


def test_citations_with_a_url_are_links() -> None:
    cited = {"type": "citation", "url": "https://x.test", "title": "X", "source_type": "site"}
    unlinked = {"type": "citation", "file_id": "file-1"}
    before = conversation(message("assistant", "See", {**cited, "start": 0}, unlinked, id="m1"))
    wire = VENDOR.render(before, Inkeep())
    [out] = wire.body["messages"]
    assert out["links"] == [{"url": "https://x.test", "title": "X", "type": "site"}]
    assert [note.reason for note in wire.notes] == [
        "Inkeep has no link without a url; kept in properties"
    ]
    assert VENDOR.parse(wire.body)[0].messages == before.messages


def test_nul_is_replaced_and_noted() -> None:
    wire = VENDOR.render(conversation(message("user", "a\x00b", properties={"k\x00": 1})), Inkeep())
    [out] = wire.body["messages"]
    assert out["content"] == "a\ufffdb"
    assert out["properties"] == {"k\ufffd": 1}
    assert [note.action for note in wire.notes] == ["changed"]


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_how_an_answer_was_made_stands_in_plain_words() -> None:
    generation = {
        "provider": "openai",
        "model": "gpt-4o",
        "usage": {"input_tokens": 10, "output_tokens": 0},
        "cost": {"amount": "0.00123"},
        "finish_reason": "stop",
        "started_at": "2026-01-01T10:00:00Z",
        "ended_at": "2026-01-01T10:00:01.5Z",
        "error": {"message": "cut off"},
    }
    [out] = render(message("assistant", "Hi", generation=generation))["messages"]
    said = {key: value for key, value in out["properties"].items() if key != "llmtee"}
    assert said == {
        "provider": "openai",
        "model": "gpt-4o",
        "usage": {"input_tokens": 10, "output_tokens": 0},
        "cost": {"amount": "0.00123"},
        "finishReason": "stop",
        "startedAt": "2026-01-01T10:00:00Z",
        "endedAt": "2026-01-01T10:00:01.500000Z",
        "latencyMs": 1500.0,
        "error": {"message": "cut off"},
    }


def test_own_properties_stay_apart_from_our_words() -> None:
    before = conversation(
        message(
            "assistant", "Hi", id="m1", generation={"model": "gpt-4o"}, properties={"model": 5}
        ),
        message("user", "Hi", id="m2", properties={"model": "mine"}),
    )
    body = VENDOR.render(before, Inkeep()).body
    assert body["messages"][0]["properties"]["model"] == "gpt-4o"
    assert body["messages"][1]["properties"] == {"model": "mine"}
    assert VENDOR.parse(body)[0].messages == before.messages


def test_agents_and_people() -> None:
    body = render(
        message("user", "Hi"),
        agents=[{"name": "support", "version": "v1"}],
        people=[{"id": "user-1", "properties": {"plan": "pro", "userType": "admin"}}],
        tags=["vip"],
    )
    assert body["userProperties"] == {
        "id": "user-1",
        "userId": "user-1",
        "plan": "pro",
        "userType": "admin",
    }
    assert body["properties"]["agent"] == "support"
    assert body["properties"]["agentVersion"] == "v1"
    assert body["tags"] == ["vip"]


@pytest.mark.parametrize(
    "user",
    [
        {"id": "cookie-1", "identificationType": "COOKIED"},
        {"userId": 12},
        {"id": "cookie-1", "userId": "user-1", "supportAgentName": None, "plan": ["pro"]},
        {"supportAgentEmail": "a@x.test"},
        {"id": None},
    ],
)
def test_user_properties_come_back_as_they_were(user: dict[str, Any]) -> None:
    payload = {
        "id": "c",
        "type": "openai",
        "userProperties": user,
        "messages": [{"id": "m", "role": "user", "content": "Hi", "userProperties": user}],
    }
    [parsed] = VENDOR.parse(payload)
    assert VENDOR.render(parsed, Inkeep()).body == payload


def test_settings_fill_what_a_conversation_does_not_say() -> None:
    settings = Inkeep(visibility="private", project_id="p", integration_id="i")
    body = render(message("user", "Hi"), settings=settings)
    assert (body["visibility"], body["projectId"], body["integrationId"]) == ("private", "p", "i")
    said = render(message("user", "Hi"), settings=settings, visibility="public")
    assert said["visibility"] == "public"


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_missing_times_follow_the_message_before() -> None:
    body = render(
        message("user", "1"),
        message("user", "2", started_at="2026-01-01T10:00:05.25Z"),
        message("assistant", "3", generation={"ended_at": "2026-01-01T10:00:09Z"}),
        message("user", "4"),
    )
    assert body["createdAt"] == "2026-01-01T10:00:05.250Z"
    assert [one["createdAt"] for one in body["messages"]] == [
        "2026-01-01T10:00:05.250Z",
        "2026-01-01T10:00:05.250Z",
        "2026-01-01T10:00:09Z",
        "2026-01-01T10:00:09Z",
    ]


def test_without_any_time_none_is_made_up() -> None:
    body = render(message("user", "Hi"))
    assert "createdAt" not in body
    assert "createdAt" not in body["messages"][0]


def test_a_page_of_answers_gives_conversations() -> None:
    stored = {
        "id": "c1",
        "type": "openai",
        "externalId": None,
        "visibility": None,
        "createdAt": "2026-01-01T10:00:00.000Z",
        "messages": [
            {
                "id": "m1",
                "conversationId": "c1",
                "role": "assistant",
                "content": "Hi",
                "tool_calls": None,
            }
        ],
        "messagesOpenAIFormat": [
            {
                "role": "assistant",
                "content": "Hi",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "lookup", "arguments": "{}"},
                    }
                ],
            }
        ],
    }
    [one] = VENDOR.parse({"conversations": [stored], "total": 1, "pageSize": 20, "count": 1})
    assert one.session == "c1"
    assert one.extra == {"inkeep": {"createdAt": "2026-01-01T10:00:00.000Z"}}
    assert [call.name for call in one.messages[0].tool_calls] == ["lookup"]
    assert VENDOR.parse([stored]) == [one]
