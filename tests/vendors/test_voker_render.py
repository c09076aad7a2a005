"""Voker: canonical events to events of Voker, and back."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.fidelity import explain_rendering
from llmtee.model import (
    Agent,
    Choice,
    ErrorInfo,
    Message,
    ModelCall,
    Native,
    Person,
    Step,
    TextPart,
    ToolRun,
)
from llmtee.testing import strategies
from llmtee.testing.contract import same_json
from llmtee.vendors.voker import VENDOR, Voker
from llmtee.vendors.voker.wire import APIS, NO_FINGERPRINT

SETTINGS = Voker(api_key="k")


def load(kind, name):
    return json.loads((data_dir(kind) / "vendors" / "voker" / name).read_text("utf-8"))


EVENT_SCHEMA = Draft202012Validator(load("schemas", "event.json"))
SEED = load("fixtures", "seed.json")


def call(**fields):
    return ModelCall.model_validate(
        {
            "id": "event-1",
            "session": "session-1",
            "agent": Agent(name="helper"),
            "model": "mistral-large",
            "provider": "mistral_ai",
            "input": [Message(role="user", parts=(TextPart(text="Hello"),))],
            "choices": [Choice(message=Message(role="assistant", parts=(TextPart(text="Hi"),)))],
            **fields,
        }
    )


def body(item, **settings):
    rendered = VENDOR.render(item, Voker(api_key="k", **settings)).body
    EVENT_SCHEMA.validate(rendered)
    return rendered


# ── the seed ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_seed_comes_back_as_it_was():
    [item] = VENDOR.parse(SEED)
    wire = VENDOR.render(item, SETTINGS)
    assert same_json(wire.body, SEED)
    assert wire.notes == ()
    [request] = VENDOR.pack([wire], SETTINGS, {})
    assert same_json(json.loads(request.content), SEED)


def test_the_seed_is_read_whole():
    [item] = VENDOR.parse(SEED)
    assert (item.session, item.person.id) == ("session_456", "user_123")
    assert (item.agent.name, item.agent.version) == ("customer-support-agent", "v1")
    assert [message.text for message in item.input] == [
        "You are a helpful assistant.",
        "Can you help me?",
    ]
    assert item.output.text == "Hello! How can I assist you today?"
    assert (item.model, item.response_model) == ("gpt-4o", "gpt-4o-2024-08-06")
    assert (item.usage.input_tokens, item.usage.output_tokens) == (99, 9)
    assert item.extra["voker"] == {"fingerprint_id": "123"}


def test_the_same_event_always_has_the_same_id():
    [first] = VENDOR.parse(SEED)
    [renewed] = VENDOR.parse({**SEED, "fingerprint_id": "456"})
    [other] = VENDOR.parse({**SEED, "session": "session_457"})
    assert first.id == renewed.id != other.id


# ── verbatim or translated ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dialect", sorted(APIS))
def test_a_dialect_that_voker_knows_goes_verbatim(dialect):
    request = {"model": "m", "x": None, "messages": [{"role": "user", "content": "1"}]}
    response = {"id": "r", "nothing": None, "choices": [], "odd": [1, 1.0, True]}
    item = call(native=Native(dialect=dialect, request=request, response=response))
    wire = VENDOR.render(item, SETTINGS)
    assert same_json(
        wire.body["properties"], {"api": dialect, "inputs": request, "output": response}
    )
    assert wire.notes == ()
    [back] = VENDOR.parse(wire.body)
    assert same_json(back.native.to_json(), item.native.to_json())


@pytest.mark.parametrize(
    "native",
    [
        None,
        Native(dialect="mistral-chat", request={"a": 1}, response={"b": 2}),
        Native(dialect="openai-responses", request="text", response={"id": "r"}),
        Native(dialect="anthropic-messages", request={"messages": []}, response=None),
    ],
)
def test_anything_else_is_translated_and_says_so(native):
    wire = VENDOR.render(call(native=native), SETTINGS)
    properties = wire.body["properties"]
    assert properties["api"] == "openai-chat-completions"
    assert properties["inputs"]["model"] == "mistral-large"
    assert properties["inputs"]["messages"] == [{"role": "user", "content": "Hello"}]
    [choice] = properties["output"]["choices"]
    assert choice["message"]["content"] == "Hi"
    [note] = wire.notes
    assert (note.path, note.action) == ("native", "changed")
    assert "openai-chat-completions" in note.reason
    EVENT_SCHEMA.validate(wire.body)


def test_a_translated_call_reads_back():
    [back] = VENDOR.parse(body(call()))
    assert back.input == call().input
    assert back.output.text == "Hi"
    assert (back.model, back.session, back.agent) == ("mistral-large", "session-1", call().agent)


# ── failed calls ────────────────────────────────────────────────────────────────────────────────────────────────

FAILED = {"choices": (), "error": ErrorInfo(message="overloaded", status=529)}


@pytest.mark.parametrize(
    "native",
    [
        None,
        Native(dialect="openai-chat-completions", request={"model": "m", "messages": []}),
        Native(dialect="anthropic-messages", request={"m": 1}, response={"error": {"type": "x"}}),
        Native(dialect="gemini-models", request={"m": 1}, response={"error": {"code": 503}}),
    ],
)
def test_a_failed_call_is_skipped_unless_asked_for(native):
    item = call(native=native, **FAILED)
    skipped = VENDOR.render(item, SETTINGS)
    assert skipped.body is None
    assert "failed_calls=True" in skipped.skip

    wire = VENDOR.render(item, Voker(api_key="k", failed_calls=True))
    EVENT_SCHEMA.validate(wire.body)
    assert wire.body["properties"]["output"] == {"choices": []}
    assert "choices" in {note.path for note in wire.notes}


def test_a_failed_call_keeps_its_own_chat_request():
    request = {"model": "m", "messages": [], "odd": None}
    native = Native(dialect="openai-chat-completions", request=request)
    sent = body(call(native=native, **FAILED), failed_calls=True)
    assert same_json(sent["properties"]["inputs"], request)


def test_a_response_that_reports_a_failure_is_an_answer():
    response = {"id": "resp_1", "status": "failed", "error": {"code": "x"}, "output": []}
    native = Native(dialect="openai-responses", request={"input": "?"}, response=response)
    assert body(call(native=native, **FAILED))["properties"]["output"] == response


# ── what has no place ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("item", "word"),
    [(ToolRun(id="t", name="lookup"), "tool runs"), (Step(id="s", step_type="agent"), "'agent'")],
)
def test_other_events_are_skipped_with_the_reason(item, word):
    wire = VENDOR.render(item, SETTINGS)
    assert (wire.body, wire.id) == (None, item.id)
    assert word in wire.skip


# ── who and where ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("session", [None, ""])
@pytest.mark.parametrize("trace", [None, "4bf92f3577b34da6a3ce929d0e0e4736"])
def test_an_event_without_a_session_gets_one_and_says_so(session, trace):
    wire = VENDOR.render(call(session=session, trace_id=trace), SETTINGS)
    assert wire.body["session"] == (trace or "event-1")
    assert "session" in {note.path for note in wire.notes}


@pytest.mark.parametrize("agent", [None, Agent(), Agent(name=""), Agent(version="2")])
def test_an_event_without_an_agent_gets_the_default_and_says_so(agent):
    wire = VENDOR.render(call(agent=agent), Voker(api_key="k", agent="front desk"))
    EVENT_SCHEMA.validate(wire.body)
    assert wire.body["agent"] == "front desk"
    assert "agent.name" in {note.path for note in wire.notes}
    assert wire.body.get("agent_version") == (agent.version if agent else None)


@pytest.mark.parametrize("person", [None, Person(), Person(id=""), Person(properties={"a": 1})])
def test_no_person_means_no_key(person):
    assert "person" not in body(call(person=person))


def test_names_stand_in_the_body_as_they_are():
    names = {"agent": Agent(name="a/b?c#d", version="ü 1"), "person": Person(id="x@y/z")}
    sent = body(call(session="s/1?", **names))
    assert (sent["agent"], sent["agent_version"]) == ("a/b?c#d", "ü 1")
    assert (sent["person"], sent["session"]) == ("x@y/z", "s/1?")


def test_the_fingerprint_is_the_best_one_known():
    foreign = call(extra={"voker": {"fingerprint_id": "foreign"}})
    assert body(call())["fingerprint_id"] == NO_FINGERPRINT
    assert body(foreign)["fingerprint_id"] == "foreign"
    assert body(foreign, fingerprint_id="mine")["fingerprint_id"] == "mine"


def test_every_reason_is_about_a_field_that_exists():
    assert VENDOR.reasons.keys() <= ModelCall.model_fields.keys()


def test_the_ledger_says_what_is_lost_and_why():
    item = call(tags=("vip",), cost={"amount": "0.1"}, metrics={"score": 1})
    wire = VENDOR.render(item, SETTINGS)
    ledger = explain_rendering(
        item, wire.body, VENDOR.parse, reasons=VENDOR.reasons, notes=wire.notes
    )
    lost = {entry.path: entry.reason for entry in ledger.entries if entry.status == "lost"}
    assert lost["tags[]"] == "Voker has no field for tags"
    assert lost["cost.amount"] == "Voker has no field for cost"
    assert lost["metrics.score"] == "Voker has no field for metrics"
    kept = {entry.path for entry in ledger.entries if entry.status == "kept"}
    assert {"session", "agent.name", "input[].parts[].text", "model"} <= kept
    assert "native" in {note.path for note in ledger.notes}


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ([], None),
        ({**SEED, "event_name": "click"}, "event_name"),
        ({**SEED, "properties": None}, "properties"),
        ({**SEED, "properties": {"inputs": [], "output": {}}}, "properties.inputs"),
        ({**SEED, "properties": {"inputs": {}, "output": "x"}}, "properties.output"),
        ({**SEED, "properties": {"api": 1, "inputs": {}, "output": {}}}, "properties.api"),
        ({**SEED, "properties": {"inputs": {}, "output": {}}}, "properties.api"),
        ({**SEED, "session": 5}, "session"),
        ({**SEED, "fingerprint_id": 123}, "fingerprint_id"),
    ],
)
def test_what_is_no_event_of_voker_says_where(payload, path):
    with pytest.raises(InputError) as caught:
        VENDOR.parse(payload)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("output", "dialect"),
    [
        ({"choices": []}, "openai-chat-completions"),
        ({"content": []}, "anthropic-messages"),
        ({"candidates": []}, "gemini-models"),
        ({"output": []}, "openai-responses"),
    ],
)
def test_an_older_event_without_api_is_told_by_its_shape(output, dialect):
    [item] = VENDOR.parse({**SEED, "properties": {"inputs": {"messages": []}, "output": output}})
    assert item.native.dialect == dialect


def test_a_dialect_that_nobody_reads_yet_is_kept():
    properties = {
        "api": "gemini-interactions",
        "inputs": {"model": "gemini-3-pro", "input": "Hello"},
        "output": {"id": "i", "model": "gemini-3-pro-001"},
    }
    [item] = VENDOR.parse({**SEED, "properties": properties})
    assert (item.provider, item.model) == ("gcp.gemini", "gemini-3-pro")
    assert item.response_model == "gemini-3-pro-001"
    assert item.usage is None
    assert same_json(body(item)["properties"], properties)


def test_a_call_that_is_not_of_its_dialect_is_kept_and_flagged():
    properties = {"api": "openai-chat-completions", "inputs": {"messages": 5}, "output": {}}
    [item] = VENDOR.parse({**SEED, "properties": properties})
    assert "messages" in item.flags[0]
    assert same_json(body(item)["properties"], properties)


def test_fields_that_voker_does_not_document_stay_in_extra():
    [item] = VENDOR.parse({**SEED, "created_at": "2026-01-01T00:00:00Z"})
    assert item.extra["voker"]["created_at"] == "2026-01-01T00:00:00Z"
    assert "created_at" not in body(item)


def test_reading_leaves_the_payload_alone():
    payload = copy.deepcopy(SEED)
    VENDOR.parse(payload)
    assert payload == SEED


@given(item=strategies.model_calls())
def test_what_was_rendered_renders_the_same_again(item):
    sent = VENDOR.render(item, SETTINGS).body
    if sent is not None:
        [back] = VENDOR.parse(sent)
        assert same_json(VENDOR.render(back, SETTINGS).body, sent)


def test_an_anthropic_call_comes_back_with_its_messages_and_usage() -> None:
    event = {
        "event_name": "llm",
        "fingerprint_id": "f-1",
        "agent": "support",
        "session": "s-1",
        "properties": {
            "api": "anthropic-messages",
            "inputs": {
                "model": "claude-sonnet-4",
                "max_tokens": 64,
                "messages": [{"role": "user", "content": "Hi"}],
            },
            "output": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-sonnet-4",
                "content": [{"type": "text", "text": "Hello"}],
                "stop_reason": "end_turn",
                "usage": {
                    "input_tokens": 3,
                    "cache_read_input_tokens": 7,
                    "output_tokens": 2,
                },
            },
        },
    }
    [call] = VENDOR.parse(event)
    assert isinstance(call, ModelCall)
    assert [message.text for message in call.input] == ["Hi"]
    assert call.output is not None
    assert call.output.text == "Hello"
    assert call.usage is not None
    assert (call.usage.input_tokens, call.usage.cache_read) == (10, 7)
    assert VENDOR.render(call, Voker()).body == event
