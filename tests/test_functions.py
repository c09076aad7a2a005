from __future__ import annotations

import json
from typing import Any

import pytest

import llmtee
from llmtee import functions
from llmtee.errors import InputError, UnknownName, UsageError
from llmtee.model import Choice, Conversation, Message, ModelCall, Step, TextPart, ToolDefinition

VENDORS = ("honeyhive", "inkeep", "roark", "voker")


def call(number: int = 1, **more: Any) -> ModelCall:
    say = lambda role, text: Message(role=role, parts=(TextPart(text=text),))  # noqa: E731
    return ModelCall(
        id=f"0e6b2f1c-6c1e-5b0e-9f6f-3a4c1d2e5f6{number}",
        **{
            "session": "s",
            "started_at": f"2026-01-01T10:00:0{number}Z",
            "ended_at": f"2026-01-01T10:00:0{number}.5Z",
            "model": "gpt-4o",
            "input": (say("user", f"question {number}"),),
            "choices": (Choice(message=say("assistant", f"answer {number}")),),
            **more,
        },
    )


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_is_rendered_is_parsed_back(vendor: str) -> None:
    [rendered] = functions.render([call()], vendor)
    assert rendered.skip is None
    assert rendered.request is not None
    assert rendered.body == rendered.request.body
    text = json.dumps(rendered.body)
    for payload in (rendered.body, text, text.encode(), bytearray(text.encode())):
        found = functions.parse(payload, vendor)
        assert any(b"answer 1" in item.to_json_text() for item in found)


@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_of_a_key_or_the_environment_is_needed_or_used(
    vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = functions.render([call()], vendor)[0].body
    for name in ("VOKER_API_KEY", "HH_API_KEY", "HH_PROJECT", "ROARK_API_BEARER_TOKEN"):
        monkeypatch.setenv(name, "planted")
    assert functions.render([call()], vendor)[0].body == bare


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_ledger_counts_every_value(vendor: str) -> None:
    [rendered] = functions.render([call()], vendor)
    ledger = rendered.ledger
    assert ledger is rendered.ledger
    kept = {entry.path for entry in ledger.entries if entry.status == "kept"}
    assert any(path.endswith("parts[].text") for path in kept)
    assert ledger.kept > 0


def test_events_are_assembled_for_a_vendor_of_conversations() -> None:
    rendered = functions.render([call(1), call(2), call(3, session="t")], "inkeep")
    assert [one.item.kind for one in rendered] == ["conversation", "conversation"]


def test_conversations_are_split_for_a_vendor_of_events() -> None:
    [conversation] = functions.assemble([call(1), call(2)])
    rendered = functions.render([conversation], "voker")
    assert [one.item.id for one in rendered if one.item.kind == "model_call"] == [
        call(1).id,
        call(2).id,
    ]


def test_settings_change_what_is_rendered() -> None:
    [conversation] = functions.assemble([call()])
    [rendered] = functions.render([conversation], llmtee.Inkeep(visibility="private"))
    assert rendered.body["visibility"] == "private"


def test_an_item_without_a_place_is_skipped_and_all_of_it_lost() -> None:
    [rendered] = functions.render([Step(id="1", session="s", name="plan")], "voker")
    assert rendered.skip
    assert (rendered.body, rendered.request) == (None, None)
    assert (rendered.ledger.kept, rendered.ledger.parked) == (0, 0)
    assert rendered.ledger.lost > 0


def test_explain_names_what_fitting_loses() -> None:
    ledger = functions.explain(call(tools=(ToolDefinition(name="lookup"),)), "inkeep")
    lost = {entry.path: entry.reason for entry in ledger.entries if entry.status == "lost"}
    assert lost["tools[].name"] == "a conversation has no field for it"


def test_explain_adds_up_what_a_conversation_becomes() -> None:
    [conversation] = functions.assemble([call(1), call(2)])
    assert isinstance(conversation, Conversation)
    whole = functions.explain(conversation, "honeyhive")
    parts = [one.ledger.kept for one in functions.render([conversation], "honeyhive")]
    assert whole.kept == sum(parts)


def test_a_format_parses_too() -> None:
    record = {
        "session": "s",
        "request": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    }
    [found] = functions.parse(record, "openai-chat")
    assert isinstance(found, ModelCall)
    assert found.input[0].text == "hi"


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'inkeep'"):
        functions.render([], "inkep")
    with pytest.raises(UnknownName, match=r"no vendor or format is named 'x'.*openai-chat"):
        functions.parse({}, "x")


def test_a_vendor_that_is_no_vendor_is_named() -> None:
    with pytest.raises(UsageError, match="must be a name"):
        functions.render([], 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("payload", ["{", b"\xff\xfe", ""])
def test_text_that_is_not_json_is_an_input_error(payload: Any) -> None:
    with pytest.raises(InputError, match="not JSON"):
        functions.parse(payload, "inkeep")


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_is_rendered_is_the_callers_own(vendor: str) -> None:
    def call() -> ModelCall:
        # Two that repeat the same messages, which are read and rendered once.
        messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "why"}]
        answer = {"message": {"role": "assistant", "content": "so"}}
        record = {"request": {"messages": messages}, "response": {"choices": [answer]}}
        at = {"started_at": "2026-01-01T10:00:00Z", "ended_at": "2026-01-01T10:00:01Z"}
        [event] = functions.parse({**record, **at, "id": "1", "session": "s"}, "openai-chat")
        assert isinstance(event, ModelCall)
        return event

    def spoil(value: Any) -> None:
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            if isinstance(value[key], dict | list):
                spoil(value[key])
            else:
                value[key] = "spoiled"

    [rendered] = functions.render([call()], vendor)
    before = json.dumps(rendered.body)
    spoil(rendered.body)
    [again] = functions.render([call()], vendor)
    assert json.dumps(again.body) == before
