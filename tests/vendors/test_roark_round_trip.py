"""Roark, both ways: what is read is written as it was, and what is written reads back as far as the shape allows."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from llmtee._data_files import data_dir
from llmtee.assembly import fit
from llmtee.errors import InputError
from llmtee.model import Conversation
from llmtee.testing import strategies
from llmtee.testing.contract import same_json
from llmtee.vendors.roark import VENDOR, Roark

SEED = json.loads((data_dir("fixtures") / "vendors" / "roark" / "seed.json").read_text("utf-8"))
SCHEMA = Draft202012Validator(
    json.loads((data_dir("schemas") / "vendors" / "roark" / "chat.json").read_text("utf-8"))
)
EXPORTERS = (Roark(), Roark(external_id=False, agent="helper"))


def written(conversation, exporter=EXPORTERS[0]):
    [request] = VENDOR.pack([VENDOR.render(conversation, exporter)], exporter, {})
    return request.body


def parsed(payload):
    [conversation] = VENDOR.parse(payload)
    return conversation


def changed(**changes):
    body = {**copy.deepcopy(SEED), **changes}
    return {key: value for key, value in body.items() if value is not ...}


# ── the seed ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_seed_is_written_as_it_was_read():
    assert best_match(SCHEMA.iter_errors(SEED)) is None
    assert same_json(written(parsed(SEED)), SEED)


def test_the_seed_says_what_it_says():
    conversation = parsed(SEED)
    [message] = conversation.messages
    assert (message.role, message.language) == ("assistant", "en")
    assert message.text.startswith("Your balance is")
    assert message.agent.ids["roark"] == SEED["agent"]["roarkId"]
    [run] = conversation.tool_runs
    assert (run.name, run.arguments, run.result) == ("get_balance", {}, "1204.50")
    assert run.ended_at > run.started_at
    assert conversation.session == "abc123"
    assert conversation.properties == SEED["properties"]
    assert conversation.trace_id == SEED["traceId"]
    [person] = conversation.people
    assert person.id == "Dana Reyes"
    assert person.properties == {"phoneNumberE164": "+14155550123"}


def test_what_is_delivered_has_an_external_id_even_where_the_payload_had_none():
    assert "externalId" not in SEED
    [delivered] = fit(fit([parsed(SEED)], "event"), "conversation")  # as the event log holds it
    assert written(delivered)["externalId"] == delivered.id
    assert written(delivered) == written(delivered)


def test_the_same_payload_gives_the_same_ids():
    assert parsed(SEED) == parsed(copy.deepcopy(SEED))
    assert parsed(SEED).id != parsed(changed(endTimestamp="2024-01-15T10:31:00Z")).id


@pytest.mark.parametrize(
    "changes",
    [
        {"agents": ...},
        {"agent": ..., "agents": [{"customId": "a"}, {"name": "B", "customId": "b"}]},
        {"agent": {"name": "Front desk", "description": "Answers first."}, "agents": ...},
        {"agent": {"customId": "a", "prompt": {"resolvedPrompt": "Be kind."}}, "agents": ...},
        {"agent": {"customId": "a", "endpoint": {"id": 7}}, "agents": ...},
        {"customers": ...},
        {"customers": ..., "customer": {"phoneNumberE164": None, "label": "Sam"}},
        {"customers": ..., "customer": {"phoneNumberE164": "+4930123456", "label": None}},
        {"externalId": "order-17"},
        {"traceId": None},
        {"traceId": ...},
        {"properties": {}},
        {"properties": ...},
        {"properties": {"llmtee": "not ours", "tags": ["a"], "inputTokens": 3, "sessionId": 5}},
        {"toolInvocations": []},
        {"toolInvocations": ...},
    ],
)
def test_other_forms_are_written_as_they_were_read(changes):
    body = changed(**changes)
    for entry in [*body["messages"], *body.get("toolInvocations", [])]:
        entry.pop("agent")
    assert best_match(SCHEMA.iter_errors(body)) is None
    assert same_json(written(parsed(body)), body)


def test_who_spoke_is_told_where_there_are_several():
    body = changed(
        agent=...,
        agents=[{"customId": "front"}, {"roarkId": SEED["agent"]["roarkId"]}],
        customers=[
            {"phoneNumberE164": None, "label": "Sam"},
            {"phoneNumberE164": None, "label": "Kim"},
        ],
        messages=[
            {
                "role": "CUSTOMER",
                "text": "Hello",
                "startTimestamp": "2024-01-15T10:00:00Z",
                "customer": {"phoneNumberE164": None, "label": "Kim"},
            },
            {
                "role": "AGENT",
                "text": "Hi Kim",
                "startTimestamp": "2024-01-15T10:00:01Z",
                "agent": {"customId": "front"},
            },
        ],
    )
    conversation = parsed(body)
    assert conversation.messages[0].person.id == "Kim"
    assert conversation.messages[1].agent.ids == {"roark.custom": "front"}
    assert same_json(written(conversation), body)


# ── laws ────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(conversation=strategies.conversations(), exporter=st.sampled_from(EXPORTERS))
def test_what_was_written_is_read_and_written_again(conversation, exporter):
    wire = VENDOR.render(conversation, exporter)
    if wire.body is None:
        return
    assert best_match(SCHEMA.iter_errors(wire.body)) is None
    again = VENDOR.render(parsed(wire.body), exporter)
    assert same_json(again.body, wire.body)


@given(conversation=strategies.conversations(), exporter=st.sampled_from(EXPORTERS))
def test_what_the_conversation_says_of_itself_reads_back(conversation, exporter):
    wire = VENDOR.render(conversation, exporter)
    if wire.body is None:
        return
    back = parsed(wire.body)
    for field in (
        "id",
        "segment",
        "title",
        "visibility",
        "source",
        "source_ids",
        "tags",
        "trace_id",
        "properties",
        "metrics",
        "feedback",
    ):
        assert getattr(back, field) == getattr(conversation, field), field
    if conversation.session is not None:
        assert back.session == conversation.session


@given(payload=strategies.json_values())
def test_any_other_payload_is_refused_in_words(payload):
    with pytest.raises(InputError):
        VENDOR.parse(payload)


@given(
    key=st.sampled_from(sorted(SEED)),
    value=strategies.json_values(),
)
def test_a_broken_body_is_read_or_refused_in_words(key, value):
    try:
        [found] = VENDOR.parse(changed(**{key: value}))
    except InputError:
        return
    assert isinstance(found, Conversation)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"startTimestamp": "<string>"}, "startTimestamp"),
        ({"messages": [{"role": "AGENT", "text": 3}]}, r"messages\[0\].text"),
        ({"messages": ["hello"]}, r"messages\[0\]"),
        ({"messages": [{"text": "hello"}]}, r"messages\[0\].role"),
        ({"toolInvocations": [{"parameters": {}}]}, r"toolInvocations\[0\].name"),
        ({"agents": {"name": "a"}}, "agents"),
        ({"agent": {"name": ["a"]}}, "agent.name"),
        ({"customers": ["Sam"]}, r"customers\[0\]"),
        ({"properties": 5}, "properties"),
    ],
)
def test_an_error_names_the_field(changes, place):
    with pytest.raises(InputError, match=f"^{place}: "):
        VENDOR.parse(changed(**changes))


# ── the read API ────────────────────────────────────────────────────────────────────────────────────────────────

CHAT = {
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "projectId": "660e8400-e29b-41d4-a716-446655440001",
    "organizationId": "770e8400-e29b-41d4-a716-446655440002",
    "startTimestamp": "2024-01-15T10:00:00Z",
    "endTimestamp": "2024-01-15T10:30:00Z",
    "durationMs": 1800000,
    "title": "Account assistance request",
    "summary": "Customer inquired about account balance",
    "createdAt": "2024-01-15T10:31:00Z",
    "updatedAt": "2024-01-15T10:32:00Z",
    "agents": [{"id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}],
    "customers": [{"phoneNumberE164": None, "label": "web-visitor-abc123"}],
    "properties": {"source": "web", "sessionId": "abc123"},
    "policyIds": ["550e8400-e29b-41d4-a716-446655440000"],
    "externalId": "session-abc-123",
}
TRANSCRIPT = {
    "participants": [
        {"id": "p1", "type": "AGENT", "agentId": "3c90c3cc-0d44-4b50-8888-8dd25736052a"},
        {"id": "p2", "type": "CUSTOMER"},
    ],
    "entries": [
        {
            "participantId": "p2",
            "role": "CUSTOMER",
            "text": "My balance?",
            "startOffsetMs": 1500,
            "endOffsetMs": None,
        },
        {
            "participantId": "p1",
            "role": "AGENT",
            "text": "1,204.50",
            "startOffsetMs": 4000,
            "endOffsetMs": 6250,
        },
    ],
}


@pytest.mark.parametrize("payload", [{"data": CHAT}, CHAT, {"chat": {"data": CHAT}}])
def test_one_chat_is_read_without_messages(payload):
    chat = parsed(payload)
    assert chat.id == "session-abc-123"
    assert chat.source_ids == {"roark": CHAT["id"]}
    assert chat.title == "Account assistance request"
    assert chat.session == "abc123"
    assert chat.agents[0].ids == {"roark": CHAT["agents"][0]["id"]}
    assert chat.people[0].id == "web-visitor-abc123"
    assert chat.updated_at.isoformat() == "2024-01-15T10:32:00+00:00"
    assert chat.extra["roark"]["summary"] == CHAT["summary"]
    assert chat.messages == ()


def test_a_list_of_chats_is_read():
    other = {**CHAT, "id": "550e8400-e29b-41d4-a716-446655440009", "externalId": None}
    page = {"data": [CHAT, other], "pagination": {"total": 2, "hasMore": False}}
    first, second = VENDOR.parse(page)
    assert first.id == "session-abc-123"
    assert second.source_ids == {"roark": other["id"]}
    assert first.id != second.id


def test_offsets_become_times_where_the_chat_is_known():
    both = parsed({"chat": {"data": CHAT}, "transcript": {"data": TRANSCRIPT}})
    asked, answered = both.messages
    assert (asked.role, asked.text, asked.ended_at) == ("user", "My balance?", None)
    assert asked.started_at.isoformat() == "2024-01-15T10:00:01.500000+00:00"
    assert asked.person.id == "web-visitor-abc123"
    assert answered.ended_at.isoformat() == "2024-01-15T10:00:06.250000+00:00"
    assert answered.agent == both.agents[0]
    body = written(both)
    assert best_match(SCHEMA.iter_errors(body)) is None
    assert body["externalId"] == "session-abc-123"


@pytest.mark.parametrize("payload", [{"data": TRANSCRIPT}, TRANSCRIPT])
def test_a_transcript_alone_leaves_times_missing(payload):
    conversation = parsed(payload)
    assert [message.started_at for message in conversation.messages] == [None, None]
    assert conversation.messages[1].extra["roark"] == {"startOffsetMs": 4000, "endOffsetMs": 6250}
    assert VENDOR.render(conversation, EXPORTERS[0]).body is None
