from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.fidelity import explain_rendering
from llmtee.model import (
    Agent,
    Choice,
    Cost,
    ErrorInfo,
    Event,
    MediaPart,
    Message,
    ModelCall,
    Native,
    Person,
    PromptTemplate,
    ReasoningPart,
    Step,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    ToolRun,
    Usage,
)
from llmtee.model.ids import as_uuid, is_uuid
from llmtee.spec import Request
from llmtee.testing import strategies
from llmtee.testing.contract import same_json
from llmtee.vendors.honeyhive import VENDOR, HoneyHive

LEGACY = HoneyHive(api_key="k", project="Simple RAG")
V1 = HoneyHive(api_key="k", api="v1")
SESSION = "caf77ace-3417-4da4-944d-f4a0688f3c23"


def seed() -> dict[str, Any]:
    return json.loads((data_dir("fixtures") / "vendors/honeyhive/seed.json").read_text("utf-8"))


@cache
def validator(api: str) -> Draft202012Validator:
    path = data_dir("schemas") / f"vendors/honeyhive/{api}-batch.json"
    return Draft202012Validator(json.loads(path.read_text("utf-8")))


def schema_error(request: Request, settings: HoneyHive) -> str | None:
    error = best_match(validator(settings.api).iter_errors(json.loads(request.content)))
    return None if error is None else f"{error.json_path}: {error.message}"


def render(event: Event, settings: HoneyHive = LEGACY) -> dict[str, Any]:
    return VENDOR.render(event, settings).body


def round_trip(event: Event, settings: HoneyHive = LEGACY) -> Any:
    [back] = VENDOR.parse(render(event, settings))
    return back


def message(role: str, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text=text),))


@pytest.mark.parametrize("api", ["legacy", "v1"])
@given(events=st.lists(strategies.events(), max_size=3))
def test_every_batch_of_several_sessions_satisfies_the_schema(
    api: Literal["legacy", "v1"], events: list[Event]
) -> None:
    settings = HoneyHive(
        api=api, sessions="mixed"
    )  # the contract kit has the requests of one session
    items = [VENDOR.render(event, settings) for event in events]
    for request in VENDOR.pack(items, settings, {}):
        assert schema_error(request, settings) is None


# ── the seed ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_seed_comes_back_exactly() -> None:
    items = VENDOR.parse(seed())
    [request] = VENDOR.pack([VENDOR.render(item, LEGACY) for item in items], LEGACY, {})
    assert same_json(json.loads(request.content), seed())
    assert (request.method, request.path) == ("POST", "/events/batch")


def test_the_seed_in_canonical_words() -> None:
    session, call = VENDOR.parse(seed())
    assert isinstance(session, Step)
    assert (session.step_type, session.id, session.name) == (
        "session",
        SESSION,
        "Playground Session",
    )
    assert isinstance(call, ModelCall)
    assert (call.session, call.parent) == (SESSION, None)
    assert (call.provider, call.model) == ("openai", "gpt-3.5-turbo")
    assert call.usage == Usage(input_tokens=35, output_tokens=23, total_tokens=58)
    assert call.cost == Cost(amount=Decimal("0.00008"))
    assert call.duration_ms == 999.8056
    assert call.started_at is not None
    assert call.started_at.isoformat() == "2024-05-06T06:59:24.301000+00:00"
    assert call.template is not None
    assert call.template.variables == {
        "context": "Hello world",
        "question": "What is in the context?",
    }
    assert [part.text for part in call.input] == [
        "Answer the user's question only using provided context. Context: Hello world",
        "What is in the context?",
    ]
    assert call.output == message("assistant", "Hello world")
    assert call.properties == {}
    assert call.person is not None
    assert call.person.id == "google-oauth2|111840237613341303366"


def test_the_seed_at_v1_has_no_legacy_field() -> None:
    items = VENDOR.parse(seed())
    [request] = VENDOR.pack([VENDOR.render(item, V1) for item in items], V1, {})
    assert request.path == "/v1/events/batch"
    assert schema_error(request, V1) is None
    assert request.body["single_session"] is True
    assert "is_single_session" not in request.body
    [event] = request.body["events"]
    assert not {"project", "error", "children_ids", "feedback"} & set(event)
    assert VENDOR.parse(request.body)[1].model_copy(update={"extra": {}}) == items[1].model_copy(
        update={"extra": {}}
    )


# ── the way there and back ──────────────────────────────────────────────────────────────────────────────────────

_NOT_HELD = {"input", "choices", "native", "name", "source", "started_at", "ended_at"}
"""Held in the chat shape, not held at all, given a default, or cut to milliseconds."""


def _comparable(event: Event) -> dict[str, Any]:
    fields = {name: getattr(event, name) for name in type(event).model_fields}
    for name in _NOT_HELD:
        fields.pop(name, None)
    if fields["parent"] == fields["session"]:
        fields["parent"] = None
    for name in ("agent", "usage", "template", "person"):
        value = fields.get(name)
        if value is not None and value == type(value)():
            fields[name] = None
    if (usage := fields.get("usage")) is not None and usage.raw == {}:
        fields["usage"] = None if usage == Usage(raw={}) else usage.model_copy(update={"raw": None})
    fields["extra"] = {key: value for key, value in event.extra.items() if key != "honeyhive"}
    if fields["duration_ms"] in (0, None):
        fields["duration_ms"] = None
    if event.started_at is not None and event.ended_at is not None:
        del fields["duration_ms"]
    return fields


@pytest.mark.parametrize("settings", [LEGACY, V1], ids=["legacy", "v1"])
@given(event=strategies.events())
def test_what_has_a_place_comes_back(settings: HoneyHive, event: Event) -> None:
    back = round_trip(event, settings)
    assert type(back) is type(event)
    assert _comparable(back) == _comparable(event)
    if event.started_at is not None:
        assert back.started_at is not None
        assert 0 <= (event.started_at - back.started_at).total_seconds() < 0.001
    else:
        assert back.started_at is None


def test_a_model_call_in_honeyhive_words() -> None:
    call = ModelCall(
        id="call-1",
        session="s-1",
        name="answer",
        agent=Agent(name="support", version="v2"),
        person=Person(id="p-1", properties={"plan": "pro"}),
        started_at="2026-01-01T10:00:00.250Z",
        ended_at="2026-01-01T10:00:01.500500Z",
        provider="openai",
        model="gpt-4o",
        response_model="gpt-4o-2024-08-06",
        parameters={"temperature": 0.2},
        tools=(ToolDefinition(name="lookup", parameters={"type": "object"}),),
        input=(message("user", "Hello"),),
        choices=(
            Choice(message=message("assistant", "Hi"), finish_reason="stop"),
            Choice(message=message("assistant", "Hey"), finish_reason="length"),
        ),
        usage=Usage(input_tokens=10, output_tokens=5, total_tokens=15, cache_read=4, reasoning=2),
        cost=Cost(amount=Decimal("0.25"), currency="EUR"),
        properties={"ticket": 7},
        tags=("a", "b"),
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )
    body = render(call)
    assert body["event_type"] == "model"
    assert body["event_name"] == "answer"
    assert body["config"] == {
        "type": "chat",
        "model": "gpt-4o",
        "provider": "openai",
        "hyperparameters": {"temperature": 0.2},
        "tools": [{"name": "lookup", "parameters": {"type": "object"}}],
    }
    assert body["inputs"] == {"chat_history": [{"role": "user", "content": "Hello"}]}
    assert body["outputs"] == {
        "role": "assistant",
        "content": "Hi",
        "choices": [
            {"message": {"role": "assistant", "content": "Hey"}, "finish_reason": "length"}
        ],
    }
    assert (body["start_time"], body["end_time"]) == (1767261600250, 1767261601500)
    assert body["duration"] == 1250.5
    assert body["user_properties"] == {"user_id": "p-1", "plan": "pro"}
    assert body["metadata"] == {
        "cost": 0.25,
        "cost_details": {"currency": "EUR"},
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "cache_read_tokens": 4,
        "reasoning_tokens": 2,
        "response_model": "gpt-4o-2024-08-06",
        "finish_reason": "stop",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "agent": {"name": "support", "version": "v2"},
        "tags": ["a", "b"],
        "session_id": "s-1",
        "event_id": "call-1",
        "ticket": 7,
    }
    back = round_trip(call)
    assert back.extra == {"honeyhive": {"project": "Simple RAG"}}
    assert (back.duration_ms, back.source) == (1250.5, "llmtee")
    differing = {"ended_at": None, "duration_ms": None, "source": None, "extra": {}}
    assert back.model_copy(update=differing) == call.model_copy(update=differing)


def test_legacy_always_sends_what_any_server_wants() -> None:
    body = render(Step(id="00000000-0000-4000-8000-000000000001"))
    assert body["project"] == "Simple RAG"
    assert body["source"] == "llmtee"
    assert body["duration"] == 0
    assert body["error"] is None
    for field in ("config", "inputs", "outputs", "metadata", "feedback", "metrics"):
        assert isinstance(body[field], dict)
    assert "start_time" not in body
    [back] = VENDOR.parse(body)
    assert (back.started_at, back.duration_ms) == (None, None)


def test_v1_sends_only_what_says_something() -> None:
    body = render(Step(id="00000000-0000-4000-8000-000000000001", session=SESSION), V1)
    assert body == {
        "event_type": "chain",
        "event_name": "chain",
        "source": "llmtee",
        "event_id": "00000000-0000-4000-8000-000000000001",
        "session_id": SESSION,
        "parent_id": SESSION,
        "inputs": {},
    }


@pytest.mark.parametrize(
    ("value", "outputs"),
    [
        (None, {}),
        ("text", {"result": "text"}),
        ([1, 2], {"result": [1, 2]}),
        ({"a": 1}, {"a": 1}),
        ({}, {"result": {}}),
        ({"result": 5}, {"result": {"result": 5}}),
        ({"result": 5, "b": 1}, {"result": 5, "b": 1}),
    ],
)
def test_results_of_tools_are_objects(value: Any, outputs: dict[str, Any]) -> None:
    run = ToolRun(name="lookup", arguments={"q": 1}, result=value, call_id="call_1")
    body = render(run)
    assert body["event_type"] == "tool"
    assert body["event_name"] == "lookup"
    assert body["inputs"] == {"q": 1}
    assert body["outputs"] == outputs
    assert body["metadata"]["tool_call_id"] == "call_1"
    assert round_trip(run).result == value


def test_arguments_that_are_no_object_are_wrapped() -> None:
    run = ToolRun(name="lookup", arguments="half a docu")
    assert render(run)["inputs"] == {"arguments": "half a docu"}
    assert round_trip(run).arguments == "half a docu"


def test_an_error_is_one_text_and_its_details_stand_in_metadata() -> None:
    error = ErrorInfo(message="too many requests", type="RateLimitError", status=429)
    call = ModelCall(model="gpt-4o", error=error)
    body = render(call)
    assert body["error"] == "too many requests"
    assert body["metadata"]["error"] == {"type": "RateLimitError", "status": 429}
    assert body["outputs"] == {}
    assert round_trip(call).error == error


def test_tool_calls_media_and_reasoning_go_in_the_chat_shape() -> None:
    call = ModelCall(
        input=(
            Message(
                role="user",
                parts=(
                    TextPart(text="What is this?"),
                    MediaPart(media="image", mime="image/png", data="aGk="),
                ),
            ),
            Message(
                role="assistant",
                parts=(ToolCallPart(id="c1", name="look", arguments_text='{"a": 1}'),),
            ),
            Message(role="tool", parts=(ToolResultPart(call_id="c1", result="a cat"),)),
        ),
        choices=(
            Choice(
                message=Message(
                    role="assistant",
                    parts=(ReasoningPart(text="hm"), TextPart(text="A cat.")),
                )
            ),
        ),
    )
    body = render(call)
    image, asked, answered = body["inputs"]["chat_history"]
    assert image["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,aGk="},
    }
    assert asked["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a": 1}'}
    assert answered == {"role": "tool", "tool_call_id": "c1", "content": "a cat"}
    assert body["outputs"]["content"] == "A cat."
    assert round_trip(call).output.text == "A cat."


def test_results_within_an_answer_are_kept_beside_it() -> None:
    parts = (
        ToolResultPart(call_id="srv_1", result="found"),
        TextPart(text="I searched."),
    )
    call = ModelCall(choices=(Choice(message=Message(role="assistant", parts=parts)),))
    outputs = render(call)["outputs"]
    assert outputs["content"] == "I searched."
    assert outputs["tool_results"] == [
        {"role": "tool", "tool_call_id": "srv_1", "content": "found"}
    ]
    assert round_trip(call).output.parts == parts


def test_a_template_keeps_its_name_version_and_variables() -> None:
    template = PromptTemplate(
        messages="Hello {{name}}",
        variables={"name": "Ann", "chat_history": "mine"},
        id="greeting",
        version="3",
    )
    call = ModelCall(template=template, input=(message("user", "Hello Ann"),))
    body = render(call)
    assert body["config"]["template"] == "Hello {{name}}"
    assert body["config"]["version"] == "3"
    assert body["inputs"]["name"] == "Ann"
    assert body["inputs"]["chat_history"] == [{"role": "user", "content": "Hello Ann"}]
    assert round_trip(call).template == template


@pytest.mark.parametrize(
    "amount", ["0.1", "5", "12345678901234567890.123456789", "1E-30", "1E+400"]
)
def test_costs_stay_exact(amount: str) -> None:
    call = ModelCall(cost=Cost(amount=Decimal(amount)))
    body = json.loads(VENDOR.pack([VENDOR.render(call, LEGACY)], LEGACY, {})[0].content)
    [_, back] = VENDOR.parse(body)
    assert back.cost == call.cost


# ── ids ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_foreign_ids_become_uuids_and_the_originals_stay() -> None:
    call = ModelCall(id="call-1", session="s-1", parent="step-1", started_at=1714978764301)
    item = VENDOR.render(call, LEGACY)
    body = item.body
    assert all(is_uuid(body[key]) for key in ("event_id", "session_id", "parent_id"))
    assert body["metadata"] == {"event_id": "call-1", "session_id": "s-1", "parent_id": "step-1"}
    assert body["parent_id"] == render(Step(id="step-1"))["event_id"]
    notes = {note.path: note.reason for note in item.notes}
    assert notes["session"] == (
        f"HoneyHive needs ids that are UUIDs; 's-1' was mapped to {body['session_id']}; "
        "the original is in metadata.session_id"
    )
    assert set(notes) == {"id", "session", "parent"}
    assert item.session == "s-1"


def test_an_event_without_any_time_is_dated_by_honeyhive_and_says_so() -> None:
    [note] = VENDOR.render(ModelCall(id=SESSION, session=SESSION), LEGACY).notes
    assert (note.path, note.action) == ("started_at", "changed")


def test_the_name_of_the_token_limit_is_honeyhives_own() -> None:
    call = ModelCall(parameters={"max_output_tokens": 5, "seed": 1})
    assert render(call)["config"]["hyperparameters"] == {"max_tokens": 5, "seed": 1}
    assert round_trip(call).parameters == call.parameters


def test_uuids_stay_as_they_are() -> None:
    call = ModelCall(
        id="7F22137A-6911-4ed3-bc36-110f1dde6b66", session=SESSION, started_at=1714978764301
    )
    item = VENDOR.render(call, LEGACY)
    assert item.body["event_id"] == call.id
    assert item.body["session_id"] == SESSION
    assert item.body["parent_id"] == SESSION
    assert item.notes == ()


def test_an_event_without_a_session_gets_the_same_one_every_time() -> None:
    alone = ModelCall(id="a")
    assert render(alone)["session_id"] == render(alone)["session_id"]
    assert render(alone)["session_id"] != render(ModelCall(id="b"))["session_id"]
    assert round_trip(alone).session is None
    notes = VENDOR.render(alone, LEGACY).notes
    assert any(note.path == "session" and "without a session" in note.reason for note in notes)


def test_events_of_one_trace_without_a_session_stay_together() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    one, two = (render(ModelCall(id=name, trace_id=trace)) for name in "ab")
    assert one["session_id"] == two["session_id"]
    assert round_trip(ModelCall(id="a", trace_id=trace)).session is None


def test_a_session_has_the_id_of_its_session() -> None:
    step = Step(id="step-1", session="s-1", step_type="session", name="Checkout")
    body = render(step)
    assert body["event_type"] == "session"
    assert body["event_id"] == body["session_id"] == as_uuid("s-1", "session")
    assert "parent_id" not in body
    back = round_trip(step)
    assert (back.id, back.session, back.step_type) == ("step-1", "s-1", "session")


def test_metadata_that_looks_like_ours_and_is_not_stays_a_property() -> None:
    raw = {
        "event_type": "model",
        "event_id": "7f22137a-6911-4ed3-bc36-110f1dde6b66",
        "session_id": SESSION,
        "inputs": {},
        "metadata": {
            "session_id": "theirs",
            "tags": "red",
            "cost": "5 dollars",
            "prompt_tokens": None,
            "agent": {"nickname": "Bob"},
            "total_tokens": 3.5,
            "region": "eu",
        },
    }
    [event] = VENDOR.parse(raw)
    assert event.session == SESSION
    assert event.properties == raw["metadata"]
    assert round_trip(event).properties == event.properties


def test_a_property_that_looks_like_ours_is_not_mistaken_for_it() -> None:
    properties = {"tags": ["mine"], "cost": 3, "finish_reason": "bored", "properties": {"a": 1}}
    call = ModelCall(properties=properties, tags=("theirs",))
    metadata = render(call)["metadata"]
    assert metadata["tags"] == ["theirs"]
    assert metadata["properties"] == properties
    back = round_trip(call)
    assert (back.properties, back.tags, back.cost) == (properties, ("theirs",), None)


# ── the person ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("user_properties", "person_id", "properties"),
    [
        ({"user_id": "a", "plan": "pro"}, "a", {"plan": "pro"}),
        ({"user": "a"}, "a", {}),
        ({"id": "a", "email": "a@b.c"}, "a", {"email": "a@b.c"}),
        ({"user_id": "a", "user": "b"}, "a", {"user": "b"}),
        ({"user_id": 42}, "42", {}),
        ({"user": {"name": "Ann"}}, None, {"user": {"name": "Ann"}}),
        ({"plan": "pro"}, None, {"plan": "pro"}),
    ],
)
def test_persons_are_found_and_written_back_under_their_key(
    user_properties: dict[str, Any], person_id: str | None, properties: dict[str, Any]
) -> None:
    raw = {
        "event_type": "chain",
        "event_id": SESSION,
        "inputs": {},
        "user_properties": user_properties,
    }
    [event] = VENDOR.parse(raw)
    assert event.person is not None
    assert (event.person.id, event.person.properties) == (person_id, properties)
    assert render(event)["user_properties"] == user_properties


def test_a_person_keeps_properties_named_like_the_id() -> None:
    person = Person(id="a", properties={"user_id": "b", "plan": "pro"}, ids={"voker": "v"})
    step = Step(person=person)
    assert render(step)["user_properties"] == {"user_id": "a", "plan": "pro"}
    assert round_trip(step).person == person


# ── foreign events ──────────────────────────────────────────────────────────────────────────────────────────────


def _event(**fields: Any) -> dict[str, Any]:
    return {
        "project": "p",
        "event_type": "model",
        "event_name": "n",
        "source": "s",
        "event_id": "7f22137a-6911-4ed3-bc36-110f1dde6b66",
        "session_id": SESSION,
        "parent_id": SESSION,
        "children_ids": [],
        "config": {"type": "chat"},
        "inputs": {},
        "outputs": {},
        "error": None,
        "duration": 0,
        "metadata": {},
        "feedback": {},
        "metrics": {},
        "user_properties": {},
        **fields,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant": "acme", "children_ids": ["7f22137a-6911-4ed3-bc36-110f1dde6b67"]},
        {"config": {"type": "completion", "model": "m", "seed_of_theirs": [1]}},
        {"config": {"type": "chat", "hyperparameters": {}, "model": 5, "tools": ["x"]}},
        {"inputs": {"chat_history": "not a list", "q": "a"}},
        {"inputs": {"chat_history": [{"role": 5}]}},
        {"inputs": {"chat_history": []}},
        {"outputs": {"completion": "text"}},
        {"outputs": {"content": {"odd": 1}, "role": "assistant"}},
        {"outputs": {"role": "assistant", "content": "a", "choices": ["odd"]}},
        {"outputs": {"choices": [{"message": {"role": "assistant", "content": "a"}}]}},
        {"metadata": {"cost": 0.00008, "region": "eu", "total_tokens": 58}},
        {"start_time": 1714978764301, "end_time": 1714978765301, "duration": 1000},
        {"error": "boom", "feedback": {"rating": 5}, "metrics": {"ok": True}},
        {"event_type": "tool", "config": {"name": "t"}, "outputs": {"result": [1]}},
        {"event_type": "chain", "config": {"k": 1}, "inputs": {"a": 1}, "outputs": {"b": 2}},
    ],
)
def test_foreign_events_come_back_exactly(fields: dict[str, Any]) -> None:
    raw = _event(**fields)
    [event] = VENDOR.parse(raw)
    assert same_json(render(event), raw)


def test_an_unknown_type_of_event_is_a_step() -> None:
    [event] = VENDOR.parse(_event(event_type="agent"))
    assert isinstance(event, Step)
    assert event.step_type == "agent"
    assert render(event)["event_type"] == "chain"
    assert round_trip(event).step_type == "agent"


@pytest.mark.parametrize("value", [1714978764301.0, "2024-05-06T06:59:24.301Z", 1714978764301])
def test_times_are_read_in_every_form_and_written_as_whole_milliseconds(value: Any) -> None:
    [event] = VENDOR.parse(_event(start_time=value))
    written = render(event)["start_time"]
    assert (type(written), written) == (int, 1714978764301)


def test_durations_keep_fractions_that_times_lose() -> None:
    step = Step(
        id=SESSION,
        session=SESSION,
        started_at="2026-01-01T10:00:00.0005Z",
        ended_at="2026-01-01T10:00:00.001Z",
    )
    body = render(step)
    assert (body["start_time"] + 1, body["duration"]) == (body["end_time"], 0.5)


def test_large_integers_are_sent_as_they_are_and_noted() -> None:
    call = ModelCall(
        id=SESSION,
        session=SESSION,
        started_at=1714978764301,
        parameters={"seed": [2**53 + 1]},
        properties={"n": 2**53},
        person=Person(id="a", properties={"account": 2**60}),
    )
    item = VENDOR.render(call, LEGACY)
    assert item.body["config"]["hyperparameters"] == {"seed": [2**53 + 1]}
    assert sorted(note.path for note in item.notes) == ["parameters", "person"]


def test_answers_of_the_read_endpoints_are_read() -> None:
    for answer in (
        {"events": [_event()], "totalEvents": 1},
        {"events": [_event()], "count": 1},
        {"event": _event()},
        {"event": json.dumps(_event())},
        [_event()],
        _event(),
    ):
        [event] = VENDOR.parse(answer)
        assert event.id == "7f22137a-6911-4ed3-bc36-110f1dde6b66"
    assert VENDOR.parse({"events": [], "count": 0}) == []


def test_session_properties_are_read_in_every_spelling() -> None:
    properties = {"session_name": "n", "start_time": 1714978764301}
    for batch in (
        {"events": [_event()], "is_single_session": True, "session_properties": properties},
        {"events": [_event()], "single_session": True, "session_properties": properties},
        {"events": [_event()], "session": properties},
    ):
        session, _ = VENDOR.parse(batch)
        assert isinstance(session, Step)
        assert (session.session, session.name) == (SESSION, "n")
        assert session.started_at is not None


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ("text", "body"),
        ({}, "body"),
        ({"events": {}}, "events"),
        ({"events": [3]}, "events[0]"),
        ({"events": [{"inputs": {}}]}, "events[0].event_type"),
        ({"events": [_event(start_time="soon")]}, "events[0].start_time"),
        ({"events": [_event(duration="long")]}, "events[0].duration"),
        ({"events": [_event(outputs="text")]}, "events[0].outputs"),
        ({"event": "{half"}, "event"),
        (_event(event_id=[]), "event_id"),
        ({"events": [], "session_properties": 5}, "session_properties"),
    ],
)
def test_what_cannot_be_read_is_named(payload: Any, path: str) -> None:
    with pytest.raises(InputError) as caught:
        VENDOR.parse(payload)
    assert caught.value.path == path


def test_an_event_without_an_id_gets_the_same_one_every_time() -> None:
    raw = {"event_type": "tool", "inputs": {"q": 1}}
    assert VENDOR.parse(raw) == VENDOR.parse(dict(raw))
    assert VENDOR.parse(raw)[0].id != VENDOR.parse({**raw, "inputs": {"q": 2}})[0].id


# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_ledger_tells_fields_of_honeyhive_from_parking_places() -> None:
    call = ModelCall(
        id=SESSION,
        session=SESSION,
        model="gpt-4o",
        tags=("a",),
        agent=Agent(name="support"),
        usage=Usage(input_tokens=1, cache_read=1),
        cost=Cost(amount=Decimal("0.5")),
        person=Person(id="p-1"),
        properties={"ticket": 7},
        native=Native(dialect="mine", request={"a": 1}),
    )
    item = VENDOR.render(call, LEGACY)
    ledger = explain_rendering(
        call,
        item.body,
        VENDOR.parse,
        free_form=VENDOR.free_form,
        reasons=VENDOR.reasons,
        notes=item.notes,
    )
    status = {entry.path: entry.status for entry in ledger.entries}
    kept = ("model", "usage.input_tokens", "cost.amount", "person.id", "properties.ticket")
    assert {status[path] for path in kept} == {"kept"}
    assert {status[path] for path in ("tags[]", "agent.name", "usage.cache_read")} == {"parked"}
    assert {entry.path for entry in ledger.entries if entry.status == "lost"} == {"native"}
    assert all(entry.reason for entry in ledger.entries if entry.status != "kept")
