"""A conversation at Roark: what becomes of roles, times, tool calls, participants and everything else."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from llmtee._data_files import data_dir
from llmtee.model import (
    Agent,
    Conversation,
    ErrorInfo,
    MediaPart,
    Message,
    ModelCall,
    OtherPart,
    Person,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
)
from llmtee.testing import strategies
from llmtee.vendors.roark import VENDOR, Roark

SCHEMA = Draft202012Validator(
    json.loads((data_dir("schemas") / "vendors" / "roark" / "chat.json").read_text("utf-8"))
)
UUID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"


def at(seconds):
    return dt.datetime(2026, 1, 1, 10, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)


def iso(seconds):
    return at(seconds).isoformat().replace("+00:00", "Z")


def said(role, text="Hello", time=None, **fields):
    parts = fields.pop("parts", (TextPart(text=text),))
    started = None if time is None else at(time)
    return Message(role=role, parts=parts, started_at=started, **fields)


def conversation(*messages, **fields):
    return Conversation(**{"id": "c-1", "started_at": at(0), "messages": messages, **fields})


def rendered(item, **settings):
    wire = VENDOR.render(item, Roark(**settings))
    if wire.body is not None:
        assert list(SCHEMA.iter_errors(wire.body)) == []
    return wire


def body(*messages, settings=None, **fields):
    return rendered(conversation(*messages, **fields), **(settings or {})).body


def notes(*messages, **fields):
    wire = rendered(conversation(*messages, **fields))
    return {(note.path, note.action) for note in wire.notes}


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plain_chat():
    chat = body(
        said("user", "Hi", 0), said("assistant", "Hello!", 1, ended_at=at(2), language="en")
    )
    assert chat == {
        "startTimestamp": iso(0),
        "endTimestamp": iso(2),
        "messages": [
            {"role": "CUSTOMER", "text": "Hi", "startTimestamp": iso(0)},
            {
                "role": "AGENT",
                "text": "Hello!",
                "startTimestamp": iso(1),
                "languageCode": "en",
                "endTimestamp": iso(2),
            },
        ],
        "externalId": "c-1",
        "agent": {"name": "assistant"},
    }


@pytest.mark.parametrize(
    ("role", "expected"),
    [("user", "CUSTOMER"), ("assistant", "AGENT"), ("model", "AGENT"), ("critic", "CUSTOMER")],
)
def test_roles(role, expected):
    assert body(said(role))["messages"][0]["role"] == expected


def test_a_prompt_is_the_agents():
    chat = body(said("system", "Be kind."), said("developer", "Be brief."), said("user"))
    assert chat["agent"]["prompt"] == {"resolvedPrompt": "Be kind.\n\nBe brief."}
    assert [message["role"] for message in chat["messages"]] == ["CUSTOMER"]


def test_a_prompt_comes_back_as_the_first_message():
    [back] = VENDOR.parse(body(said("system", "Be kind."), said("user", "Hi")))
    assert [(message.role, message.text) for message in back.messages] == [
        ("system", "Be kind."),
        ("user", "Hi"),
    ]


def test_a_late_prompt_is_noted():
    assert ("messages[1]", "changed") in notes(said("user"), said("system", "Now be brief."))
    assert ("messages[0]", "changed") not in notes(said("system", "Be kind."), said("user"))


def test_what_is_not_text_leaves_a_word():
    parts = (
        ReasoningPart(text="hm"),
        TextPart(text="Look:"),
        MediaPart(media="image", url="https://example.com/a.png"),
        MediaPart(media="audio", data="AAAA", transcript="good morning"),
        MediaPart(media="video"),
        OtherPart(name="poll", data={}),
        RefusalPart(text="I will not say more."),
    )
    [message] = body(said("user", parts=parts))["messages"]
    assert message["text"] == (
        "Look:\n[image: https://example.com/a.png]\n[audio: good morning]\n[video]\n[poll]\n"
        "I will not say more."
    )
    assert {
        ("messages[0].parts[0]", "dropped"),
        ("messages[0].parts[2]", "changed"),
        ("messages[0].parts[5]", "changed"),
    } <= notes(said("user", parts=parts))


def test_a_message_without_text_is_left_out_and_noted():
    call = ToolCallPart(id="c", name="look_up")
    silent = said("assistant", parts=(call,), time=1)
    chat = body(said("user", "Hi", 0), silent, said("assistant", " \n", 2), said("user", "So?", 3))
    assert [message["text"] for message in chat["messages"]] == ["Hi", "So?"]
    assert [call["name"] for call in chat["toolInvocations"]] == ["look_up"]
    assert ("messages[1]", "changed") in notes(said("user", "Hi", 0), silent)
    assert ("messages[1]", "dropped") in notes(said("user", "Hi", 0), said("user", "", 1))


def test_a_chat_of_nothing_but_calls_names_them():
    call = ToolCallPart(id="c", name="look_up")
    chat = body(said("system", "Be kind."), said("assistant", parts=(call,)))
    assert [message["text"] for message in chat["messages"]] == ["[tool call: look_up]"]


@pytest.mark.parametrize("messages", [(), (said("system"),), (said("tool"),), (said("user", ""),)])
def test_a_chat_in_which_nobody_speaks_is_skipped(messages):
    wire = rendered(conversation(*messages))
    assert "neither the agent nor a customer" in wire.skip


def test_events_are_skipped():
    assert "assemble" in rendered(ModelCall(id="e")).skip


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────


def starts(chat):
    return [message["startTimestamp"] for message in chat["messages"]]


def test_missing_times_lie_between_their_neighbours():
    chat = body(
        said("user", time=10),
        said("assistant"),
        said("user"),
        said("assistant", time=40),
        started_at=None,
    )
    assert starts(chat) == [iso(10), iso(20), iso(30), iso(40)]


def test_missing_times_begin_after_the_end_of_the_one_before():
    chat = body(said("user", time=0, ended_at=at(10)), said("assistant"), said("user", time=20))
    assert starts(chat) == [iso(0), iso(15), iso(20)]


def test_missing_times_at_the_ends_reach_to_the_conversations_own():
    messages = (
        said("user"),
        said("assistant"),
        said("user", time=20),
        said("assistant"),
        said("user"),
    )
    assert starts(body(*messages, started_at=at(10), ended_at=at(40))) == [
        iso(seconds) for seconds in (10, 15, 20, 30, 40)
    ]
    assert starts(body(*messages, started_at=None)) == [iso(20)] * 5


def test_a_model_call_dates_its_message():
    made = {"started_at": at(5), "ended_at": at(7)}
    [message] = body(said("assistant", generation=made))["messages"]
    assert (message["startTimestamp"], message["endTimestamp"]) == (iso(5), iso(7))


def test_a_message_before_its_predecessor_is_moved():
    late = (said("user", time=10), said("assistant", time=3, ended_at=at(4)))
    chat = body(*late)
    assert starts(chat) == [iso(10), iso(10)]
    assert "endTimestamp" not in chat["messages"][1]
    assert {("messages[1].started_at", "changed"), ("messages[1].ended_at", "dropped")} <= notes(
        *late
    )


def test_start_and_end_are_widened_to_cover_everything():
    run = ToolRun(id="r", name="t", started_at=at(-5), ended_at=at(90))
    late = (said("user", time=30, ended_at=at(60)),)
    chat = body(*late, tool_runs=(run,), started_at=at(10), ended_at=at(20))
    assert (chat["startTimestamp"], chat["endTimestamp"]) == (iso(-5), iso(90))
    fields = {"started_at": at(40), "ended_at": at(50)}
    assert {("started_at", "changed"), ("ended_at", "changed")} <= notes(*late, **fields)


def test_derived_times_are_noted_and_given_ones_are_not():
    found = notes(said("user", time=0), said("assistant"), ended_at=at(0))
    assert ("messages[1].started_at", "changed") in found
    assert ("messages[0].started_at", "changed") not in found


def test_a_conversation_without_any_time_is_skipped_with_the_way_out():
    wire = rendered(conversation(said("user"), started_at=None))
    assert wire.body is None
    assert "give started_at" in wire.skip


@pytest.mark.parametrize(
    "fields",
    [
        {"ended_at": at(9)},
        {"updated_at": at(9)},
        {"tool_runs": (ToolRun(id="r", name="t", ended_at=at(9)),)},
    ],
)
def test_any_time_at_all_dates_a_conversation(fields):
    assert starts(body(said("user"), **{"started_at": None, **fields})) == [iso(9)]


@given(conversation=strategies.conversations())
def test_times_are_in_order_and_within_the_chat(conversation):
    chat = VENDOR.render(conversation, Roark()).body
    if chat is None:
        return

    def read(entry, key):
        return dt.datetime.fromisoformat(entry[key])

    begun = [read(message, "startTimestamp") for message in chat["messages"]]
    assert begun == sorted(begun)
    for entry in [*chat["messages"], *chat.get("toolInvocations", [])]:
        began = read(entry, "startTimestamp")
        ended = read(entry, "endTimestamp") if "endTimestamp" in entry else began
        assert read(chat, "startTimestamp") <= began <= ended <= read(chat, "endTimestamp")


# ── tools ───────────────────────────────────────────────────────────────────────────────────────────────────────


def call(call_id="c", name="look_up", **fields):
    return ToolCallPart(id=call_id, name=name, **fields)


def asked(*calls, time=1):
    return said("assistant", parts=calls, time=time)


def answered(result, call_id="c", time=None, **fields):
    part = ToolResultPart(call_id=call_id, result=result, **fields)
    return said("tool", parts=(part,), time=time)


def invoked(*messages, **fields):
    return body(said("user", time=0), *messages, **fields)["toolInvocations"]


def test_a_call_and_its_result_are_one():
    arguments = {"order": 7}
    found = invoked(asked(call(arguments=arguments)), answered({"status": "sent"}, time=3))
    assert found == [
        {
            "name": "look_up",
            "parameters": arguments,
            "result": {"status": "sent"},
            "startTimestamp": iso(1),
            "endTimestamp": iso(3),
        }
    ]


def test_the_recorded_run_of_a_call_is_the_same_invocation():
    run = ToolRun(
        id="r",
        name="look_up",
        call_id="c",
        description="Orders of a customer.",
        arguments={"order": 7},
        result="sent",
        started_at=at(1.5),
        ended_at=at(2.25),
    )
    [found] = invoked(asked(call(arguments={"order": 7})), answered("sent"), tool_runs=(run,))
    assert found["startTimestamp"] == "2026-01-01T10:00:01.500Z"
    assert found["endTimestamp"] == "2026-01-01T10:00:02.250Z"
    assert found["description"] == "Orders of a customer."


def test_calls_are_told_apart_by_id_and_stand_in_the_order_asked():
    found = invoked(
        asked(call("a", "first"), call("b", "second")),
        answered("of b", "b"),
        answered("of a", "a"),
        asked(call("a", "third"), time=5),
        answered("again", "a"),
    )
    assert [(entry["name"], entry["result"]) for entry in found] == [
        ("first", "of a"),
        ("second", "of b"),
        ("third", "again"),
    ]


def test_calls_without_ids_are_paired_by_name_in_order():
    found = invoked(
        asked(call(None, "a"), call(None, "b")),
        answered("of b", None, name="b"),
        answered("of a", None),
    )
    assert [(entry["name"], entry["result"]) for entry in found] == [("a", "of a"), ("b", "of b")]


def test_runs_and_results_that_nobody_asked_for_stand_alone():
    run = ToolRun(id="r", name="nightly", call_id="x", result="ok", ended_at=at(4), duration_ms=500)
    found = invoked(answered("out of the blue", "y"), tool_runs=(run,))
    assert [(entry["name"], entry["result"]) for entry in found] == [
        ("tool", "out of the blue"),
        ("nightly", "ok"),
    ]


def test_a_measured_duration_gives_the_end():
    run = ToolRun(id="r", name="t", result="ok", started_at=at(4), duration_ms=500)
    [found] = invoked(tool_runs=(run,))
    assert found["endTimestamp"] == "2026-01-01T10:00:04.500Z"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"arguments": {"a": 1}}, {"a": 1}),
        ({"arguments": [1, 2]}, {"arguments": [1, 2]}),
        ({"arguments_text": '{"cut": tr'}, {"arguments": '{"cut": tr'}),
        ({"arguments_text": ""}, {}),
        ({}, {}),
    ],
)
def test_parameters_are_an_object(arguments, expected):
    [found] = invoked(asked(call(**arguments)), answered("ok"))
    assert found["parameters"] == expected


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("text", "text"),
        ({"a": None}, {"a": None}),
        ([1, 2], {"result": [1, 2]}),
        (12, {"result": 12}),
        (False, {"result": False}),
        (None, ""),
    ],
)
def test_a_result_is_text_or_an_object(result, expected):
    [found] = invoked(asked(call()), answered(result))
    assert found["result"] == expected


def test_a_result_in_parts_is_text():
    parts = (TextPart(text="See"), MediaPart(media="image", filename="map.png"))
    [found] = invoked(asked(call()), answered(None, parts=parts))
    assert found["result"] == "See\n[image: map.png]"


def test_a_call_without_a_result_says_so_or_says_why():
    assert ("messages[1].parts[0].result", "changed") in notes(said("user", time=0), asked(call()))
    failed = ToolRun(id="r", name="t", call_id="c", error=ErrorInfo(message="timed out"))
    [found] = invoked(asked(call()), tool_runs=(failed,))
    assert found["result"] == "error: timed out"


def test_call_ids_come_back():
    [back] = VENDOR.parse(
        body(said("user"), asked(call("a,1"), call("b")), answered("x", "a,1"), answered("y", "b"))
    )
    assert [run.call_id for run in back.tool_runs] == ["a,1", "b"]


# ── participants ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (Agent(name="bot", description="Helps."), {"name": "bot", "description": "Helps."}),
        (Agent(name="bot", ids={"roark": UUID}), {"roarkId": UUID}),
        (Agent(name="bot", ids={"roark": "not a uuid"}), {"name": "bot"}),
        (Agent(ids={"roark.custom": "b-1"}), {"customId": "b-1"}),
        (
            Agent(name="bot", ids={"roark.custom": "b-1"}),
            {"name": "bot", "customId": "b-1"},
        ),
        (Agent(version="v2"), {"name": "front-desk"}),
    ],
)
def test_an_agent_is_known_by_id_or_name(agent, expected):
    chat = body(said("user"), agents=(agent,), settings={"agent": "front-desk"})
    assert chat["agent"] == expected
    assert "agents" not in chat


def test_nobody_named_means_the_agent_of_the_settings():
    assert body(said("user"), settings={"agent": "front-desk"})["agent"] == {"name": "front-desk"}
    assert ("agents", "changed") in notes(said("user"))
    assert ("agents", "changed") not in notes(said("user"), agents=(Agent(name="bot"),))


def test_several_agents_can_be_referred_to():
    first, second = Agent(name="triage"), Agent(name="billing", ids={"roark": UUID})
    chat = body(
        said("user"),
        said("assistant", "One moment.", agent=first),
        said("assistant", "Paid.", agent=second),
        tool_runs=(ToolRun(id="r", name="pay", agent=second, result="ok"),),
    )
    assert chat["agents"] == [{"name": "triage", "customId": "triage"}, {"roarkId": UUID}]
    assert [message.get("agent") for message in chat["messages"]] == [
        None,
        {"customId": "triage"},
        {"roarkId": UUID},
    ]
    assert chat["toolInvocations"][0]["agent"] == {"roarkId": UUID}


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (Person(id="user_1"), {"phoneNumberE164": None, "label": "user_1"}),
        (Person(id="+14155550123"), {"phoneNumberE164": "+14155550123", "label": None}),
        (
            Person(id="user_1", properties={"phoneNumberE164": "+14155550123"}),
            {"phoneNumberE164": "+14155550123", "label": "user_1"},
        ),
        (
            Person(properties={"name": "Dana", "phoneNumberE164": "0415"}),
            {"phoneNumberE164": None, "label": "Dana"},
        ),
    ],
)
def test_a_person_is_a_customer(person, expected):
    assert body(said("user"), people=(person,))["customer"] == expected


def test_several_people_can_be_told_apart():
    one, other = Person(id="sam"), Person(id="kim")
    chat = body(said("user", person=one), said("user", person=other))
    assert [customer["label"] for customer in chat["customers"]] == ["sam", "kim"]
    assert [message["customer"]["label"] for message in chat["messages"]] == ["sam", "kim"]


def test_nobody_known_means_no_customer():
    assert {"customer", "customers"}.isdisjoint(body(said("user"), people=(Person(),)))


# ── ids and properties ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "trace_id",
    ["4BF92F3577B34DA6A3CE929D0E0E4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"],
)
def test_a_trace_id_is_32_hex_digits(trace_id):
    chat = body(said("user"), trace_id=trace_id)
    assert chat["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert chat["properties"]["traceId"] == trace_id


def test_another_trace_id_is_a_property():
    chat = body(said("user"), trace_id="span-9")
    assert "traceId" not in chat
    assert chat["properties"]["traceId"] == "span-9"


def test_the_external_id_is_the_conversations():
    assert body(said("user"))["externalId"] == "c-1"


def test_an_id_that_is_too_long_is_replaced_by_a_derived_one():
    chat = body(said("user"), id="x" * 256)
    assert len(chat["externalId"]) == 36
    assert chat["externalId"] == body(said("user"), id="x" * 256)["externalId"]
    assert VENDOR.parse(chat)[0].id == "x" * 256


def test_without_external_ids_the_id_is_a_property():
    chat = body(said("user"), settings={"external_id": False})
    assert "externalId" not in chat
    assert chat["properties"]["externalId"] == "c-1"
    assert VENDOR.parse(chat)[0].id == "c-1"


def test_totals_are_flat_properties():
    def made(tokens, **fields):
        usage = {"input_tokens": tokens, "output_tokens": 1}
        cost = {"amount": "0.25", "currency": "USD"}
        return {"model": "gpt-4o", "provider": "openai", "usage": usage, "cost": cost, **fields}

    failed = {"model": "gpt-4o-mini", "error": {"message": "rate limited"}}
    properties = body(
        said("assistant", generation=made(10)),
        said("assistant", generation=made(20)),
        said("user", generation=failed),
        session="s-1",
        tags=("vip", "eu"),
        properties={"plan": {"tier": "pro"}},
        people=(Person(id="u", properties={"country": "DE"}),),
    )["properties"]
    listed = properties.pop("llmteeWords").split(",")
    assert set(listed) == set(properties) - {"plan"}
    assert properties == {
        "plan": {"tier": "pro"},
        "sessionId": "s-1",
        "tags": "vip,eu",
        "person.country": "DE",
        "modelCalls": 3,
        "model": "gpt-4o,gpt-4o-mini",
        "provider": "openai",
        "inputTokens": 30,
        "outputTokens": 2,
        "errors": 1,
        "error": "rate limited",
        "cost": 0.5,
        "currency": "USD",
    }


def test_properties_of_messages_can_be_filtered_by():
    made = (
        said("user", properties={"page": "/a", "lang": "de"}),
        said("user", properties={"page": "/b"}),
    )
    properties = body(*made)["properties"]
    assert {key: properties[key] for key in ("message.page", "message.lang")} == {
        "message.page": "/b",
        "message.lang": "de",
    }


def test_costs_in_two_currencies_are_not_added_up():
    properties = body(
        said("assistant", generation={"cost": {"amount": "1", "currency": "USD"}}),
        said("assistant", generation={"cost": {"amount": "1", "currency": "EUR"}}),
    )["properties"]
    assert {"cost", "currency"}.isdisjoint(properties)


def test_the_applications_own_names_stay_its_own():
    own = {"session_id": "theirs", "Source": 5, "model": "theirs"}
    item = conversation(said("user"), session="ours", source="web", properties=own)
    chat = rendered(item).body
    assert {key: chat["properties"][key] for key in own} == own
    assert chat["properties"]["llmtee.sessionId"] == "ours"
    [back] = VENDOR.parse(chat)
    assert (back.session, back.source, back.properties) == ("ours", "web", own)


def test_a_session_that_is_a_property_already_is_said_once():
    properties = body(said("user"), session="s", properties={"sessionId": "s"})["properties"]
    assert properties == {"sessionId": "s"}
