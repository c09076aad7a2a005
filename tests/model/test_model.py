from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from llmtee import jsontext
from llmtee.model import (
    Choice,
    Conversation,
    Message,
    ModelCall,
    TextPart,
    ToolCallPart,
    ToolRun,
    Usage,
    load_event,
)
from llmtee.testing import strategies


@given(strategies.events())
def test_an_event_comes_back_from_its_json(event: Any) -> None:
    assert load_event(jsontext.loads(jsontext.dumps(event.to_json()))) == event


@given(strategies.conversations())
def test_a_conversation_comes_back_from_its_json(conversation: Conversation) -> None:
    text = jsontext.dumps(conversation.to_json())
    assert Conversation.model_validate(jsontext.loads(text)) == conversation


@given(strategies.events() | strategies.conversations())
def test_the_text_of_an_item_says_what_its_json_says(item: Any) -> None:
    assert jsontext.loads(item.to_json_text()) == item.to_json()


def test_the_text_of_an_item_holds_numbers_of_any_size() -> None:
    run = ToolRun(id="r", arguments={"n": 2**80, "x": 1.5})
    assert jsontext.loads(run.to_json_text()) == run.to_json()
    assert jsontext.loads(run.to_json_text())["arguments"]["n"] == 2**80


def test_values_do_not_share_their_empty_objects() -> None:
    first, second = ToolRun(id="a"), ToolRun(id="b")
    assert first.properties == second.properties == {}
    assert first.properties is not second.properties


@pytest.mark.parametrize("text", ["", "plain", "grün", "\ud83d\ude00", "half \ud83d", "\udc00"])
def test_text_is_what_utf8_can_hold(text: str) -> None:
    held = TextPart(text=text).text
    assert type(held) is str
    assert held.encode().decode() == held
    assert held == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_text_of_another_type_is_refused_in_the_same_words() -> None:
    with pytest.raises(ValidationError) as caught:
        TextPart(text=1)  # type: ignore[arg-type]
    [error] = caught.value.errors()
    assert (error["loc"], error["msg"]) == (("text",), "Input should be a valid string")


def test_json_is_short_and_tagged() -> None:
    run = ToolRun(id="r", name="lookup", arguments={"q": 1})
    assert run.to_json() == {"kind": "tool_run", "id": "r", "name": "lookup", "arguments": {"q": 1}}
    part = ToolCallPart(name="f", arguments=None, arguments_text='{"cut')
    assert part.to_json() == {"type": "tool_call", "name": "f", "arguments_text": '{"cut'}


def test_values_are_frozen_and_names_are_checked() -> None:
    call = ModelCall(model="gpt-4o")
    with pytest.raises(ValidationError, match="frozen"):
        call.model = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="sesion"):
        ModelCall(sesion="typo")  # type: ignore[call-arg]


def test_a_message_shows_its_text_and_calls() -> None:
    message = Message(
        role="assistant",
        parts=(TextPart(text="Let me "), TextPart(text="look."), ToolCallPart(id="1", name="look")),
    )
    assert message.text == "Let me look."
    assert [call.name for call in message.tool_calls] == ["look"]
    assert ModelCall(choices=(Choice(message=message),)).output == message
    assert ModelCall().output is None


@pytest.mark.parametrize(
    ("usage", "problem"),
    [
        (Usage(input_tokens=10, output_tokens=5, total_tokens=15, cache_read=10), None),
        (Usage(input_tokens=None, cache_read=10), None),
        (Usage(input_tokens=10, cache_read=11), "cache_read (11) exceeds input_tokens (10)"),
        (Usage(output_tokens=1, reasoning=2), "reasoning (2) exceeds output_tokens (1)"),
        (
            Usage(input_tokens=1, output_tokens=1, total_tokens=3),
            "total_tokens (3) is not input + output (2)",
        ),
        (Usage(input_tokens=-1), "input_tokens is negative"),
    ],
)
def test_impossible_usage_is_named(usage: Usage, problem: str | None) -> None:
    assert usage.problems() == (() if problem is None else (problem,))
