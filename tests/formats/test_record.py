"""The envelope that the formats of all providers share."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from llmtee.errors import InputError
from llmtee.formats.openai_chat.codec import decode_record, encode_call
from llmtee.formats.records import envelope
from llmtee.model import Agent, Cost, ErrorInfo, Person
from llmtee.model.ids import derive_id, is_uuid

REQUEST = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "hello"}}]}


def record(**fields: Any) -> dict[str, Any]:
    return {"request": REQUEST, "response": ANSWER} | fields


def test_every_field_of_the_envelope_is_read() -> None:
    own, parent = "0192f000-0000-7000-8000-000000000001", "0192f000-0000-7000-8000-000000000002"
    call = decode_record(
        record(
            id=own,
            parent=parent,
            session="s",
            trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
            name="answer",
            agent="helper",
            agent_version="v2",
            person="p1",
            started_at="2026-01-02T03:04:05Z",
            ended_at=1767323046,
            first_token_at=1767323045500,
            duration_ms=900,
            error="it broke",
            metrics={"score": 0.5},
            feedback={"thumb": "up"},
            properties={"plan": "pro"},
            tags=["a", "b"],
            cost=0.25,
            response={**ANSWER, "created": 1},
            source="prod",
            provider="azure.ai.openai",
            source_ids={"mine": "1"},
            flags=["odd"],
            region="eu",
        )
    )
    assert (call.id, call.parent, call.session, call.name) == (own, parent, "s", "answer")
    assert call.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert call.agent == Agent(name="helper", version="v2")
    assert call.person == Person(id="p1")
    assert call.started_at == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert call.ended_at == dt.datetime(2026, 1, 2, 3, 4, 6, tzinfo=dt.UTC)
    assert call.first_token_at == dt.datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=dt.UTC)
    assert call.duration_ms == 900
    assert call.error == ErrorInfo(message="it broke")
    assert (call.metrics, call.feedback) == ({"score": 0.5}, {"thumb": "up"})
    assert (call.properties, call.tags, call.flags) == ({"plan": "pro"}, ("a", "b"), ("odd",))
    assert call.cost == Cost(amount=Decimal("0.25"), source="caller")
    assert (call.source, call.provider, call.source_ids) == (
        "prod",
        "azure.ai.openai",
        {"mine": "1"},
    )
    assert call.extra["record"] == {"region": "eu"}
    again = decode_record({**envelope(call), **encode_call(call)})
    assert again.model_dump(exclude={"native", "source_ids"}) == call.model_dump(
        exclude={"native", "source_ids"}
    )


def test_agent_and_person_may_be_objects_with_fields_of_their_own() -> None:
    call = decode_record(
        record(
            agent={"name": "helper", "version": "v1", "team": "growth"},
            agent_version="v2",
            person={"id": 42, "properties": {"plan": "pro"}, "vip": True},
        )
    )
    assert call.agent == Agent(name="helper", version="v2", extra={"team": "growth"})
    assert call.person == Person(id="42", properties={"plan": "pro"}, extra={"vip": True})


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"session": {}}, "session"),
        ({"id": []}, "id"),
        ({"parent": True}, "parent"),
        ({"agent": 1.5, "agent_version": []}, "agent_version"),
        ({"agent": []}, "agent"),
        ({"agent": {"name": 3}}, "agent.name"),
        ({"person": ["p"]}, "person"),
        ({"person": {"properties": {}, "ids": {"x": 1}}}, "person.ids.x"),
        ({"started_at": "yesterday"}, "started_at"),
        ({"ended_at": {}}, "ended_at"),
        ({"first_token_at": 10**400}, "first_token_at"),
        ({"duration_ms": "3"}, "duration_ms"),
        ({"duration_ms": 10**400}, "duration_ms"),
        ({"error": 5}, "error"),
        ({"metrics": []}, "metrics"),
        ({"properties": "x"}, "properties"),
        ({"tags": "x"}, "tags"),
        ({"tags": ["x", 1]}, "tags[1]"),
        ({"flags": [None]}, "flags[0]"),
        ({"source_ids": {"a": 1}}, "source_ids.a"),
        ({"cost": "much"}, "cost"),
        ({"cost": True}, "cost"),
        ({"cost": {"amount": "x"}}, "cost.amount"),
        ({"provider": []}, "provider"),
        ({"request": "x"}, "request"),
        ({"request": {"messages": "x"}}, "request.messages"),
        ({"request": {"messages": [{"role": 1}]}}, "request.messages[0].role"),
        ({"response": 7}, "response"),
    ],
)
def test_a_wrong_type_is_named_by_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_record(record(**fields))
    assert caught.value.path == path


class TestIds:
    def test_an_id_that_is_no_uuid_is_derived_and_kept(self) -> None:
        call = decode_record(record(id="run/1"))
        assert is_uuid(call.id)
        assert call.source_ids["record"] == "run/1"
        assert decode_record({"request": REQUEST, "id": "run/1"}).id == call.id

    def test_a_parent_that_is_no_uuid_still_meets_its_event(self) -> None:
        assert decode_record(record(parent="run/1")).parent == decode_record(record(id="run/1")).id

    def test_without_an_id_the_response_gives_it(self) -> None:
        answer = {**ANSWER, "id": "chatcmpl-1"}
        with_envelope = decode_record({"request": REQUEST, "response": answer, "session": "s"})
        assert (
            with_envelope.id == decode_record(answer).id == derive_id("openai-chat", "chatcmpl-1")
        )

    def test_without_any_id_the_content_gives_it(self) -> None:
        same = decode_record({"response": ANSWER, "request": dict(reversed(REQUEST.items()))})
        assert decode_record(record()).id == same.id
        assert decode_record(record(session="s")).id != same.id


class TestBare:
    def test_a_bare_request_is_a_call_without_answer(self) -> None:
        call = decode_record(REQUEST)
        assert (call.model, call.input[0].text, call.choices) == ("gpt-5", "hi", ())

    def test_a_bare_response_is_a_call_without_question(self) -> None:
        call = decode_record(ANSWER)
        assert (call.input, call.choices[0].message.text) == ((), "hello")

    def test_paths_in_a_bare_request_have_no_prefix(self) -> None:
        with pytest.raises(InputError) as caught:
            decode_record({"messages": [{"role": "user", "content": 5}]})
        assert caught.value.path == "messages[0].content"

    def test_a_failure_alone_is_a_record(self) -> None:
        call = decode_record({"error": "no route to host", "session": "s"})
        assert call.error == ErrorInfo(message="no route to host")
        assert call.session == "s"


class TestErrors:
    def test_an_error_body_is_taken_apart(self) -> None:
        body = {"error": {"message": "m", "type": "t", "param": None, "code": "c"}}
        call = decode_record({"request": REQUEST, "response": body})
        assert call.error == ErrorInfo(message="m", type="t", code="c", details={"param": None})
        assert encode_call(call)["response"] == body

    def test_a_numeric_code_is_a_status(self) -> None:
        call = decode_record(
            {"request": REQUEST, "response": {"error": {"message": "m", "code": 429}}}
        )
        assert call.error == ErrorInfo(message="m", code="429", status=429)
        assert encode_call(call)["response"] == {"error": {"message": "m", "code": 429}}

    def test_the_record_knows_better_than_the_response(self) -> None:
        call = decode_record(
            record(
                response={"error": {"message": "inner"}}, error={"message": "outer", "status": 500}
            )
        )
        assert call.error == ErrorInfo(message="outer", status=500)

    def test_a_wrapped_error_is_unwrapped(self) -> None:
        call = decode_record({"request": REQUEST, "error": {"error": {"message": "m"}}})
        assert call.error == ErrorInfo(message="m")
