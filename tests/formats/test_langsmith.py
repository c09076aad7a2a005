"""What is particular to LangSmith: its four shapes of messages, inclusive totals, times without a zone, projects."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.errors import InputError
from llmtee.formats.langsmith.codec import FORMAT
from llmtee.model import (
    MediaPart,
    ModelCall,
    ReasoningPart,
    Step,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
)

RUN = "0193f1c2-7b1a-7c33-9a55-2f6b1c0d9e01"
CHILD = "0193f1c2-7b1a-7c33-9a55-2f6b1c0d9e02"
QUESTION = {"role": "user", "content": "Hi"}


def run(kind: str = "llm", **fields: Any) -> dict[str, Any]:
    return {"id": CHILD, "run_type": kind, "name": "n", "trace_id": RUN, **fields}


def call(**fields: Any) -> ModelCall:
    [item] = FORMAT.decode(run(**fields))
    assert isinstance(item, ModelCall)
    return item


def constructor(cls: str, **kwargs: Any) -> dict[str, Any]:
    return {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", cls],
        "kwargs": kwargs,
    }


@pytest.mark.parametrize(
    "inputs",
    [
        {"messages": [QUESTION]},
        {"messages": [[constructor("HumanMessage", content="Hi", type="human")]]},
        {"messages": [constructor("HumanMessage", content="Hi")]},
        {"messages": [{"type": "human", "content": "Hi"}]},
        {"messages": [{"type": "human", "data": {"content": "Hi"}}]},
        {"prompts": ["Hi"]},
        {"input": "Hi"},
        QUESTION,
    ],
)
def test_a_question_is_the_same_in_every_shape(inputs: dict[str, Any]) -> None:
    [message] = call(inputs=inputs).input
    assert (message.role, message.parts) == ("user", (TextPart(text="Hi"),))


@pytest.mark.parametrize(
    "outputs",
    [
        {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "A"}}]},
        {"messages": [{"role": "assistant", "content": "A"}]},
        {"messages": [QUESTION, {"role": "assistant", "content": "A"}]},
        {"role": "assistant", "content": "A"},
        {"generations": [[{"text": "A", "message": constructor("AIMessage", content="A")}]]},
        {"generations": [[{"text": "A", "generation_info": {}}]]},
        {"output": {"role": "assistant", "content": "A"}},
        {"output": "A"},
        constructor("AIMessageChunk", content="A"),
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "A"}]},
    ],
)  # fmt: skip
def test_an_answer_is_the_same_in_every_shape(outputs: dict[str, Any]) -> None:
    [choice] = call(outputs=outputs).choices
    assert (choice.message.role, choice.message.parts) == ("assistant", (TextPart(text="A"),))


def test_blocks_keep_their_order_and_a_call_stands_once() -> None:
    content = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eHg="},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "text", "text": "Done."},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "new_thing", "x": 1},
    ]
    said = constructor(
        "AIMessage", content=content, tool_calls=[{"id": "t1", "name": "f", "args": {"a": 1}}]
    )
    [message] = call(inputs={"messages": [[said]]}).input
    kinds = [part.type for part in message.parts]
    assert kinds == ["reasoning", "reasoning", "text", "tool_call", "text", "media", "other"]
    thought, hidden, _, _, _, image, _ = message.parts
    assert isinstance(thought, ReasoningPart)
    assert isinstance(hidden, ReasoningPart)
    assert isinstance(image, MediaPart)
    assert (thought.signature, hidden.encrypted) == ("c2ln", "eHg=")
    assert image.url == "https://example.com/a.png"


def test_arguments_as_received_go_before_parsed_copies() -> None:
    given = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":  1}'}}
    said = constructor(
        "AIMessage",
        content="",
        additional_kwargs={"tool_calls": [given]},
        tool_calls=[{"id": "t1", "name": "f", "args": {"a": 1}, "type": "tool_call"}],
        invalid_tool_calls=[{"id": "t2", "name": "g", "args": '{"b": ', "error": "cut"}],
    )
    [message] = call(inputs={"messages": [[said]]}).input
    first, second = message.tool_calls
    assert (first.arguments, first.arguments_text) == ({"a": 1}, '{"a":  1}')
    assert (second.arguments, second.arguments_text) == (None, '{"b": ')


def test_tool_results_in_a_users_message_stand_apart() -> None:
    content = [
        {"type": "tool_result", "tool_use_id": "t1", "content": "1", "is_error": True},
        {"type": "text", "text": "Go on."},
    ]
    result, user = call(inputs={"messages": [{"role": "user", "content": content}]}).input
    assert (result.role, user.role) == ("tool", "user")
    assert result.parts == (ToolResultPart(call_id="t1", result="1", is_error=True),)
    assert result.extra == {"langsmith": {"role": "user"}}


@given(st.lists(st.integers(0, 10**9), min_size=4, max_size=4))
def test_totals_include_every_kind(counts: list[int]) -> None:
    read, written, plain, out = counts
    block = {
        "input_tokens": read + written + plain,
        "output_tokens": out,
        "total_tokens": read + written + plain + out,
        "input_token_details": {"cache_read": read, "cache_creation": written},
    }
    found = call(outputs={"role": "assistant", "content": "A", "usage_metadata": block})
    assert found.usage is not None
    assert found.usage.input_tokens == sum(counts[:3])
    assert (found.usage.cache_read, found.usage.cache_write) == (read, written)
    assert (found.usage.raw, found.flags) == (block, ())


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 10, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20,
          "output_tokens": 5}, (100, 5, 70)),
        ({"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 70}},
         (100, 5, 70)),
        ({"promptTokenCount": 90, "toolUsePromptTokenCount": 10, "cachedContentTokenCount": 70,
          "candidatesTokenCount": 2, "thoughtsTokenCount": 3}, (100, 5, 70)),
    ],
)  # fmt: skip
def test_a_providers_own_block_counts_as_it_does(
    usage: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    found = call(outputs={"role": "assistant", "content": "A", "usage": usage}).usage
    assert found is not None
    assert (found.input_tokens, found.output_tokens, found.cache_read) == expected


def test_counts_that_are_none_in_an_answer_are_passed_over_but_not_in_the_run() -> None:
    answer = {"role": "assistant", "content": "A", "usage": {"input_tokens": "many"}}
    found = call(outputs=answer, prompt_tokens=3).usage
    assert found is not None
    assert (found.input_tokens, found.output_tokens) == (3, None)
    with pytest.raises(InputError) as caught:
        call(prompt_tokens="many")
    assert caught.value.path == "prompt_tokens"


def test_only_calls_have_usage_and_cost() -> None:
    [chain] = FORMAT.decode(run("chain", total_tokens=9, prompt_tokens=4, total_cost="0.1"))
    assert isinstance(chain, Step)
    assert chain.extra["langsmith"] == {
        "total_tokens": 9,
        "prompt_tokens": 4,
        "total_cost": "0.1",
    }
    cost = call(prompt_cost="0.10", completion_cost=0.2).cost
    assert cost is not None
    assert (cost.amount, cost.source) == (Decimal("0.30"), "vendor")


def test_times_without_a_zone_are_utc_and_tokens_date_the_first() -> None:
    found = call(
        start_time="2026-11-17T09:14:02.120000",
        events=[{"name": "start"}, {"name": "new_token", "time": "2026-11-17T09:14:03"}],
    )
    assert found.started_at == dt.datetime(2026, 11, 17, 9, 14, 2, 120000, tzinfo=dt.UTC)
    assert found.first_token_at == dt.datetime(2026, 11, 17, 9, 14, 3, tzinfo=dt.UTC)
    assert found.ended_at is None


def test_the_runs_session_id_is_the_project() -> None:
    assert call(session_id="p1").session is None
    assert call(session_id="p1").source_ids["langsmith.project"] == "p1"
    for key in ("session_id", "thread_id", "conversation_id"):
        found = call(session_id="p1", extra={"metadata": {key: "s1", "user_id": "u1"}})
        assert found.session == "s1"
        assert found.person is not None
        assert found.person.id == "u1"


def test_children_inside_follow_their_run_and_share_its_session() -> None:
    parent = run("chain", extra={"metadata": {"thread_id": "s1"}})
    leaf = {
        "id": RUN,
        "run_type": "tool",
        "name": "f",
        "inputs": {"a": 1},
        "outputs": {"output": 2},
    }
    step, tool = FORMAT.decode({**parent, "child_runs": [leaf]})
    assert isinstance(tool, ToolRun)
    assert (tool.parent, tool.session) == (step.id, "s1")
    assert (tool.arguments, tool.result) == ({"a": 1}, 2)
    assert [item.id for item in FORMAT.decode({"runs": [parent, leaf]})] == [step.id, tool.id]


def test_errors_name_their_path_inside_children_too() -> None:
    bad = {"id": RUN, "run_type": "tool", "end_time": "late"}
    with pytest.raises(InputError) as caught:
        FORMAT.decode({"runs": [run("chain", child_runs=[bad])]})
    assert caught.value.path == "runs[0].child_runs[0].end_time"


def test_tools_of_anthropic_and_openai_are_definitions() -> None:
    tools = [
        {"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}},
        7,
    ]
    found = call(extra={"invocation_params": {"model": "m", "tools": tools, "temperature": 0}})
    assert [tool.name for tool in found.tools] == ["f", "g", None]
    assert found.tools[0].parameters == {"type": "object"}
    assert found.parameters == {"temperature": 0}


def test_a_call_that_nobody_can_read_is_kept() -> None:
    broken = {"role": "assistant", "content": "x", "tool_calls": [{"type": "function"}]}
    found = call(inputs={"messages": [broken, 7]}, outputs={"score": 1})
    assert [message.parts[0].type for message in found.input] == ["other", "other"]
    assert found.output is not None
    assert found.output.parts[0].model_dump()["data"] == {"score": 1}
    assert not any(isinstance(part, ToolCallPart) for part in found.input[0].parts)


@pytest.mark.parametrize(
    ("inputs", "outputs", "dialect"),
    [
        (
            {"model": "m", "messages": [QUESTION]},
            {"object": "chat.completion", "choices": [{"message": {"role": "assistant"}}]},
            "openai-chat-completions",
        ),
        (
            {"model": "m", "input": "Hi"},
            {"object": "response", "output": [], "status": "completed"},
            "openai-responses",
        ),
        (
            {"model": "m", "messages": [QUESTION], "max_tokens": 9},
            {"type": "message", "role": "assistant", "content": []},
            "anthropic-messages",
        ),
        ({"messages": [QUESTION]}, {"messages": []}, "langsmith"),
    ],
)
def test_a_providers_own_bodies_keep_its_dialect(
    inputs: dict[str, Any], outputs: dict[str, Any], dialect: str
) -> None:
    native = call(inputs=inputs, outputs=outputs).native
    assert native is not None
    assert (native.dialect, native.request, native.response) == (dialect, inputs, outputs)


def test_items_of_responses_are_one_answer_in_order() -> None:
    output = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "eHg="},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    ]
    found = call(outputs={"object": "response", "status": "completed", "output": output})
    [choice] = found.choices
    assert [part.type for part in choice.message.parts] == ["reasoning", "text", "tool_call"]
    assert (choice.finish_reason, choice.finish_reason_raw) == ("tool_call", "completed")


def test_data_urls_are_taken_apart() -> None:
    block = {"type": "image", "url": "data:image/png;base64,AAAA"}
    [message] = call(inputs={"messages": [{"role": "user", "content": [block]}]}).input
    assert message.parts == (MediaPart(media="image", mime="image/png", data="AAAA"),)
