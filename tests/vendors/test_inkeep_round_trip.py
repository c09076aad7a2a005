from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llmtee import jsontext
from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.model import (
    AnyPart,
    Conversation,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
)
from llmtee.testing import strategies
from llmtee.vendors.inkeep import VENDOR, Inkeep

FOLDER = data_dir("fixtures") / "vendors" / "inkeep"
SCHEMA = json.loads((data_dir("schemas") / "vendors/inkeep/conversation.json").read_text("utf-8"))
SEED = json.loads((FOLDER / "seed.json").read_text("utf-8"))
ANSWER = json.loads((FOLDER / "answer.json").read_text("utf-8"))

HINTS = {
    "externalId": "ticket-9",
    "type": "support_ticket",
    "updatedAt": "2026-01-01T10:00:00+02:00",
    "properties": {},
    "unheard_of": [1],
}


def conversations() -> st.SearchStrategy[Conversation]:
    """Any conversation, some of them with fields of Inkeep, right ones and wrong ones."""
    hints = st.dictionaries(
        st.sampled_from(tuple(HINTS)), st.sampled_from((*HINTS.values(), None, 5)), max_size=2
    )
    extra = st.just({}) | hints.map(lambda ours: {"inkeep": ours})
    return st.builds(
        lambda conversation, extra: conversation.model_copy(update={"extra": extra}),
        strategies.conversations(),
        extra,
    )


def exporters() -> st.SearchStrategy[Inkeep]:
    return st.builds(
        Inkeep,
        tool_results=st.sampled_from(("properties", "text")),
        visibility=st.sampled_from((None, "private")),
        project_id=st.sampled_from((None, "project-1")),
    )


def tidy(conversation: Conversation) -> Conversation:
    """Without what Inkeep cannot hold: U+0000, and two messages with one id, which are one message to it."""
    fields = without_nul(conversation.to_json())
    for i, message in enumerate(fields.get("messages", ())):
        message["id"] = f"{message.get('id')}-{i}"
    return Conversation.model_validate(fields)


def without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "~")
    if isinstance(value, dict):
        return {without_nul(key): without_nul(inner) for key, inner in value.items()}
    return [without_nul(inner) for inner in value] if isinstance(value, list) else value


def tool_conversations() -> st.SearchStrategy[Conversation]:
    """Calls, results and runs in any order and number, paired or not."""
    ids = st.sampled_from(("call_1", "call_2", None))
    text = st.builds(TextPart, text=st.sampled_from(("", "Hello")))
    calls = st.builds(
        ToolCallPart,
        id=ids,
        name=st.just("lookup"),
        arguments=strategies.json_values(),
        call_type=st.sampled_from(("function", "custom")),
    )
    results = st.builds(
        ToolResultPart,
        call_id=ids,
        result=strategies.json_values(),
        parts=st.lists(text, max_size=1).map(tuple),
        is_error=st.sampled_from((None, True)),
    )
    message = st.builds(
        Message,
        id=st.none() | strategies.names(),
        role=st.sampled_from(("user", "assistant", "assistant", "tool", "tool", "critic")),
        parts=st.lists(text | calls | results | results, min_size=1, max_size=3).map(tuple),
        started_at=st.none() | strategies.times(),
    )
    run = st.builds(
        ToolRun,
        id=strategies.names(),
        name=st.sampled_from(("lookup", None)),
        call_id=ids,
        arguments=strategies.json_values(),
        result=strategies.json_values(),
    )
    return st.builds(
        Conversation,
        id=st.just("conversation-1"),
        messages=st.lists(message, min_size=2, max_size=6).map(tuple),
        tool_runs=st.lists(run, max_size=3).map(tuple),
    )


def assert_kept(before: Any, after: Any, path: str = "") -> None:
    """What ``before`` says, ``after`` says too; ids, sessions and times that were missing may have come."""
    if isinstance(before, Conversation | Message):
        for name in type(before).model_fields:
            value = getattr(before, name)
            field = type(before).model_fields[name]
            if value != field.get_default(call_default_factory=True):
                assert_kept(value, getattr(after, name), f"{path}.{name}")
    elif isinstance(before, tuple):
        assert len(before) == len(after), path
        for i, (left, right) in enumerate(zip(before, after, strict=True)):
            assert_kept(left, right, f"{path}[{i}]")
    elif path == ".extra":  # a setting, such as project_id, adds a field that is read back
        assert all(after[owner] == {**after[owner], **before[owner]} for owner in before)
    else:
        assert before == after, path


def schema_error(body: Any) -> str | None:
    error = next(Draft202012Validator(SCHEMA).iter_errors(body), None)
    return None if error is None else f"{error.json_path}: {error.message}"


def test_the_seed_comes_back_as_it_was() -> None:
    [conversation] = VENDOR.parse(SEED)
    wire = VENDOR.render(conversation, Inkeep())
    [request] = VENDOR.pack([wire], Inkeep(), {})
    assert (request.method, request.path) == ("POST", "/conversations")
    assert request.body == SEED
    assert list(request.body) == list(SEED)
    assert wire.notes == ()
    assert schema_error(SEED) is None


def test_the_seeds_answer_is_read_like_the_request() -> None:
    [sent], [answered] = VENDOR.parse(SEED), VENDOR.parse(ANSWER)
    # The answer's times are the placeholder "string": no times, and kept as they are.
    assert answered.started_at is None
    assert answered.extra["inkeep"]["createdAt"] == "string"
    assert answered.people == sent.people
    assert answered.tags == sent.tags
    assert [m.parts for m in answered.messages] == [m.parts for m in sent.messages]
    assert schema_error(VENDOR.render(answered, Inkeep()).body) is None


@given(conversation=conversations() | tool_conversations(), settings=exporters())
def test_everything_rendered_satisfies_the_schema(
    conversation: Conversation, settings: Inkeep
) -> None:
    body = VENDOR.render(conversation, settings).body
    if body is not None:
        assert schema_error(body) is None
        assert b"\\u0000" not in jsontext.dumps(body).replace(b"\\\\", b"")
        ids = [message["id"] for message in body["messages"]]
        assert len(ids) == len(set(ids))


@given(conversation=conversations(), settings=exporters())
def test_rendering_and_parsing_are_pure(conversation: Conversation, settings: Inkeep) -> None:
    before = conversation.model_copy(deep=True)
    wire = VENDOR.render(conversation, settings)
    first = jsontext.dumps(wire.body)
    assert jsontext.dumps(VENDOR.render(conversation, settings).body) == first
    assert conversation == before
    if wire.body is not None:
        assert VENDOR.parse(wire.body) == VENDOR.parse(wire.body)
        assert jsontext.dumps(wire.body) == first


@given(conversation=(conversations() | tool_conversations()).map(tidy), settings=exporters())
def test_what_is_rendered_is_read_back(conversation: Conversation, settings: Inkeep) -> None:
    wire = VENDOR.render(conversation, settings)
    if wire.body is None:
        return
    [back] = VENDOR.parse(jsontext.loads(jsontext.dumps(wire.body)))
    if wire.body.get("properties"):
        conversation = without_empty_properties(conversation)
    assert_kept(*map(without_order_of_results, (conversation, back)))


def without_empty_properties(conversation: Conversation) -> Conversation:
    """Without the hint that the properties came as an empty object, which is not so where something is parked in them."""
    ours = conversation.extra.get("inkeep", {})
    if ours.get("properties") != {}:
        return conversation
    left = {key: value for key, value in ours.items() if key != "properties"}
    return conversation.model_copy(update={"extra": {"inkeep": left} if left else {}})


def without_order_of_results(conversation: Conversation) -> Conversation:
    """Messages by id, and in each the results first; runs by what they say. Where results stood takes a carry."""
    messages = [
        message.model_copy(update={"parts": tuple(sorted(message.parts, key=_results_first))})
        for message in sorted(conversation.messages, key=lambda message: message.id or "")
    ]
    runs = sorted(conversation.tool_runs, key=lambda run: jsontext.dumps_sorted(run.to_json()))
    return conversation.model_copy(update={"messages": tuple(messages), "tool_runs": tuple(runs)})


def _results_first(part: AnyPart) -> tuple[bool, bytes]:
    is_result = isinstance(part, ToolResultPart)
    return (not is_result, jsontext.dumps_sorted(part.to_json()) if is_result else b"")


@given(conversation=conversations(), settings=exporters())
def test_a_second_journey_changes_nothing(conversation: Conversation, settings: Inkeep) -> None:
    wire = VENDOR.render(conversation, settings)
    if wire.body is None:
        return
    [back] = VENDOR.parse(wire.body)
    assert VENDOR.parse(VENDOR.render(back, settings).body) == [back]


@given(payload=strategies.json_values())
def test_any_json_is_read_or_refused_with_a_reason(payload: Any) -> None:
    for value in (payload, {"messages": payload}, {"messages": [payload]}):
        with contextlib.suppress(InputError):  # and nothing else
            assert all(isinstance(item, Conversation) for item in VENDOR.parse(value))


@given(properties=strategies.json_objects(), mark=strategies.json_values())
def test_marks_that_are_not_ours_are_properties(properties: dict[str, Any], mark: Any) -> None:
    body = {
        "type": "openai",
        "id": "c",
        "properties": {**properties, "llmtee": mark},
        "messages": [
            {"id": "m", "role": "user", "content": "Hi", "properties": {"llmtee": mark, "model": 5}}
        ],
    }
    [conversation] = VENDOR.parse(body)
    assert conversation.properties == body["properties"]
    assert conversation.messages[0].properties == body["messages"][0]["properties"]


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"type": "openai"}, "messages"),
        ({"messages": [{"content": "no role"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "x"}, 3]}, "messages[1]"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"conversations": [{"messages": {}}]}, "conversations[0].messages"),
        (
            {"messages": [{"role": "user", "content": "", "tool_calls": [{"type": "function"}]}]},
            "messages[0].tool_calls[0]",
        ),
    ],
)
def test_what_cannot_be_read_is_named(payload: Any, path: str) -> None:
    with pytest.raises(InputError) as caught:
        VENDOR.parse(payload)
    assert caught.value.path == path
