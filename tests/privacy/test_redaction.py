"""What a redaction takes out of events, conversations and raw records, and the laws that it keeps."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from llmtee import jsontext
from llmtee.assembly import assemble
from llmtee.model import (
    Agent,
    Choice,
    Conversation,
    ErrorInfo,
    Message,
    ModelCall,
    Person,
    TextPart,
    ToolRun,
    conversation_id,
)
from llmtee.privacy import DETECTORS, Redaction
from llmtee.testing import strategies

CARD, EMAIL, KEY = "4111 1111 1111 1111", "alice@example.com", "sk-proj-Ab12Cd34Ef56Gh78"
PSEUDONYMS: dict[str, Any] = {"action": "pseudonym", "key": "a key of the application"}
PATHS = (
    "properties.*",
    "**.secret",
    "input[].parts[].text",
    "messages[0].parts",
    "person.id",
    "error",
)

SENSITIVE = st.sampled_from(
    [CARD, EMAIL, KEY, "Bearer ab12cd34ef56", "+49 151 23456789", "10.0.0.1"]
)
JOINTS = st.sampled_from(
    ["", " ", ".", "@", "[", "]", '"', "\\", "\\u0040", "%40", "\n", "4", "1 ", "=", "password="]
)
TEXTS = st.lists(SENSITIVE | JOINTS | strategies.texts(8), max_size=8).map("".join)
JSON = st.recursive(
    TEXTS | st.integers() | st.none() | st.booleans() | st.just(int(CARD.replace(" ", ""))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
REDACTIONS = st.builds(
    lambda detect, paths, action: Redaction(
        detect=detect,
        paths=paths,
        **{**PSEUDONYMS, "action": action} if action == "pseudonym" else {"action": action},
    ),
    st.lists(st.sampled_from(list(DETECTORS)), unique=True),
    st.lists(st.sampled_from(PATHS), unique=True, max_size=2),
    st.sampled_from(["replace", "pseudonym", "drop"]),
)


@given(REDACTIONS, strategies.events() | strategies.conversations(), JSON)
def test_twice_is_once_and_the_input_is_untouched(
    redaction: Redaction, item: Any, value: Any
) -> None:
    item = item.model_copy(update={"properties": {"planted": value}, "extra": {"x": value}})
    before = copy.deepcopy(item.to_json())
    once, _ = redaction.item(item)
    twice, again = redaction.item(once)
    assert twice == once
    assert not again.counts
    assert item.to_json() == before
    assert redaction.item(item)[0] == once


@pytest.mark.parametrize("path", ["input[].parts[].text", "choices[].message"])
def test_what_was_dropped_is_not_dropped_again(path: str) -> None:
    message = Message(role="assistant", parts=(TextPart(text="a"),))
    call = ModelCall(input=(message,), choices=(Choice(message=message),))
    once, done = Redaction(paths=(path,), action="drop").item(call)
    assert sum(done.counts.values()) == 1
    twice, again = Redaction(paths=(path,), action="drop").item(once)
    assert twice == once
    assert not again.counts


APART = st.sampled_from([" ", "\n", "\\n", ", ", '"', '\\"', "(", "; "]) | strategies.texts(8).map(
    lambda t: f" {t} "
)


@given(st.lists(st.tuples(APART, SENSITIVE), min_size=1, max_size=4), APART)
def test_nothing_that_a_detector_knows_is_left(pieces: list[tuple[str, str]], end: str) -> None:
    text = "".join(part for piece in pieces for part in piece) + end
    left = Redaction(detect=("all",)).apply({"properties": {"x": text, text: 1}}).value
    for _, secret in pieces:
        assert secret.removeprefix("Bearer ") not in repr(left)


@given(st.sampled_from([CARD, EMAIL, KEY]), st.integers(0, 3))
def test_it_is_found_behind_any_number_of_escapes(secret: str, levels: int) -> None:
    text = "".join(f"\\u{ord(char):04x}" if char in "@ -" else char for char in secret)
    text = f'{{"a": "{text}"}}'
    for _ in range(levels):
        text = json.dumps({"b": text})
    clean = Redaction(detect=("all",)).apply({"result": text}).value["result"]
    parts = [part for part in secret.replace("@", " ").replace("-", " ").split() if len(part) > 4]
    # Beyond three levels nobody looks; what is found leaves JSON that is still JSON.
    if levels < 3:
        assert not any(part in clean for part in parts)
        json.loads(clean)


def everywhere(secret: str) -> dict[str, Any]:
    """An event with a secret wherever a user could put one, the names of things left out."""
    return {
        "kind": "model_call",
        "id": "e-1",
        "name": f"call {secret}",
        "agent": {"name": secret, "extra": {"x": secret}},
        "person": {"properties": {"note": [secret]}},
        "error": {"message": f"Traceback: x = '{secret}'", "details": {"body": secret}},
        "properties": {"plain": secret, secret: 1, "deep": [{"json": json.dumps({"x": secret})}]},
        "tags": [secret],
        "metrics": {"note": secret},
        "feedback": {"text": secret},
        "extra": {"record": {"x": secret}},
        "template": {"messages": secret, "variables": {"v": secret}},
        "input": [
            {"role": "user", "parts": [{"type": "text", "text": f"it is {secret}."}]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "text": secret, "summary": [secret]},
                    {
                        "type": "tool_call",
                        "name": "pay",
                        "arguments": {"v": secret},
                        "arguments_text": json.dumps({"v": secret}),
                    },
                ],
            },
            {
                "role": "tool",
                "parts": [
                    {"type": "tool_result", "result": {"v": secret}},
                    {"type": "tool_result", "parts": [{"type": "text", "text": secret}]},
                    {"type": "media", "media": "image", "url": f"https://x/{secret}", "transcript": secret},
                    {"type": "citation", "title": secret, "cited_text": secret},
                    {"type": "other", "name": "odd", "data": {"v": secret}},
                ],
            },
        ],
        "choices": [{"message": {"role": "assistant", "parts": [{"type": "refusal", "text": secret}]}}],
        "native": {
            "dialect": "openai-chat-completions",
            "request": {"messages": [{"role": "user", "content": secret}], "headers": {"x": secret}},
            "response": {"choices": [secret]},
        },
    }  # fmt: skip


@pytest.mark.parametrize("secret", [CARD, EMAIL, KEY])
@pytest.mark.parametrize("options", [{}, PSEUDONYMS, {"action": "drop"}])
def test_a_secret_is_taken_out_of_every_place(secret: str, options: dict[str, Any]) -> None:
    done = Redaction(detect=("all",), **options).record(everywhere(secret))
    assert secret not in jsontext.dumps(done.value).decode()
    call = ModelCall.model_validate(done.value)
    assert any(flag.startswith("redacted: ") for flag in call.flags)
    assert sum(done.counts.values()) >= 30


def test_a_value_found_by_a_path_goes_wherever_it_stands() -> None:
    value = everywhere("plain words of Zoe")
    done = Redaction(paths=("properties.plain",)).record(value)
    assert "words of Zoe" not in jsontext.dumps(done.value).decode()
    assert done.value["input"][0]["parts"][0]["text"] == "it is [plain]."


def test_secrets_are_known_by_the_name_of_their_key() -> None:
    body = {
        "request": {
            "mcp_servers": [{"url": "https://m", "authorization_token": "0paque-Token-77"}],
            "headers": {"Authorization": "Basic eDp5", "x-api-key": "k-1", "Accept": "text/plain"},
        },
        "error": "refused: 0paque-Token-77",
    }
    done = Redaction(detect=("secrets",)).apply(body).value
    assert done["request"]["mcp_servers"][0] == {
        "url": "https://m",
        "authorization_token": "[bearer]",
    }
    assert done["request"]["headers"] == {
        "Authorization": "[bearer]",
        "x-api-key": "[api_key]",
        "Accept": "text/plain",
    }
    assert done["error"] == "refused: [bearer]"


def test_paths() -> None:
    value = {
        "request": {"messages": [{"content": "a"}, {"content": "b"}], "Authorization": "c"},
        "properties": {"a.b": "d", "deep": {"authorization": "e"}, "n": 5},
        "person": "f",
    }

    def after(path: str, **options: Any) -> Any:
        return Redaction(paths=(path,), **options).apply(value).value

    assert after("request.messages[1].content")["request"]["messages"][1] == {
        "content": "[content]"
    }
    messages = after("request.messages[].content", action="drop")["request"]["messages"]
    assert messages == [{}, {}]
    done = after("**.authorization")
    assert done["request"]["Authorization"] == "[authorization]"
    assert done["properties"]["deep"] == {"authorization": "[authorization]"}
    assert after('properties."a.b"')["properties"]["a.b"] == "[a_b]"
    assert after("properties.n", action="drop")["properties"].keys() == {"a.b", "deep"}
    assert after("person.id")["person"] == "[person]"
    assert after("request.messages")["request"]["messages"] == [{"content": "[messages]"}] * 2


def test_a_path_leads_into_json_in_text() -> None:
    part = {
        "type": "tool_call",
        "name": "f",
        "arguments": {"pin": "4921"},
        "arguments_text": '{"pin": "4921"}',
    }
    value = {"kind": "model_call", "input": [{"role": "assistant", "parts": [part]}]}
    done = Redaction(paths=("input[].parts[].arguments.pin",)).apply(value).value
    assert "4921" not in json.dumps(done)


def test_ids_change_only_by_path_and_then_the_same_everywhere() -> None:
    event = {
        "kind": "model_call",
        "id": "a",
        "session": EMAIL,
        "parent": "b",
        "person": {"id": EMAIL},
    }
    assert Redaction(detect=("all",)).apply(event).value == event
    redaction = Redaction(paths=("session", "id", "parent", "person.id"), **PSEUDONYMS)
    one = redaction.apply(event).value
    other = redaction.apply({**event, "id": "b"}).value
    assert EMAIL not in json.dumps(one)
    assert one["session"] == other["session"] == redaction.session(EMAIL)
    assert one["parent"] == other["id"] != one["id"]


def test_a_conversation_under_another_session_has_another_id() -> None:
    talk = Conversation(id=conversation_id(EMAIL), session=EMAIL)
    done, _ = Redaction(paths=("session",), **PSEUDONYMS).item(talk)
    assert done.session
    assert done.id == conversation_id(done.session) != talk.id


def test_pseudonyms_are_stable_keyed_and_normal() -> None:
    def of(text: str, **options: Any) -> str:
        redaction = Redaction(detect=("all",), **{**PSEUDONYMS, **options})
        return str(redaction.apply({"properties": {"x": text}}).value["properties"]["x"])

    assert of("Alice@Example.com") == of("alice@example.com") != of("bob@example.com")
    assert of("4111111111111111") == of("4111-1111-1111-1111")
    assert of(EMAIL) != of(EMAIL, key="another key of the application")


def test_base64_is_left_alone() -> None:
    data = "AKIAIOSFODNN7EXAMPLE" + "4111111111111111" * 40
    value = {"request": {"a": data, "b": f"data:image/png;base64,{data}"}}
    assert Redaction(detect=("all",)).apply(value).value == value
    assert Redaction(paths=("**.a",)).apply(value).value["request"]["a"] == "[a]"


def test_own_functions() -> None:
    places = []

    def names(text: str, path: str) -> str | None:
        places.append(path)
        return None if path.endswith("note") else text.replace("Zoe", "[name]")

    value = {"properties": {"note": "x", "list": ["Zoe is here"]}, "session": "Zoe"}
    done = Redaction(functions=(names,)).record(value)
    assert done.value["properties"] == {"list": ["[name] is here"]}
    assert done.value["session"] == "Zoe"
    assert places == ["properties.note", "properties.list[0]"]


@pytest.mark.parametrize("result", [ValueError(f"what is {CARD}?"), 5])
def test_a_function_that_fails_does_not_let_the_text_through(result: Any) -> None:
    def broken(text: str, path: str) -> str | None:
        if isinstance(result, Exception):
            raise result
        return result  # type: ignore[no-any-return]

    done = Redaction(functions=(broken,)).record({"properties": {"x": f"my card {CARD}"}})
    assert done.value["properties"] == {"x": "[failed]"}
    assert "redaction failed" in done.value["flags"]
    assert len(done.failures) == 1
    assert CARD not in repr(done)


def test_what_cannot_be_looked_at_does_not_leave() -> None:
    deep: Any = CARD
    for _ in range(5000):
        deep = [deep]
    done = Redaction(detect=("all",)).record({"kind": "step", "properties": {"x": deep}})
    assert done.value["name"] == "[failed]"
    assert done.failures == ("redaction: RecursionError",)


def test_keys_that_become_the_same_are_both_kept() -> None:
    value = {"properties": {"a@example.com": 1, "b@example.com": 2}}
    done = Redaction(detect=("email",)).apply(value).value
    assert done == {"properties": {"[email]": 1, "[email] 2": 2}}


def test_known_texts_go_wherever_they_stand_and_are_not_printed() -> None:
    redaction = Redaction(texts=(SecretStr("0paque-key"),))
    done = redaction.apply({"properties": {"x": "the 0paque-key", "y": "0paque\\u002dkey"}})
    assert done.value["properties"] == {"x": "the [secret]", "y": "[secret]"}
    assert "0paque" not in repr(redaction) + str(redaction)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"detect": ("emial",)}, "no detector is named 'emial'"),
        ({"paths": ("a..b",)}, "no field path at character 3"),
        ({"paths": ("",)}, "is empty"),
        ({"paths": ("**.id",)}, "joins events"),
        ({"action": "pseudonym", "key": "0paque"}, "at least 16 characters"),
        ({"texts": ("ab",)}, "fewer than 6"),
        ("email,emial", "no detector is named 'emial'"),
    ],
)
def test_what_cannot_work_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        Redaction.model_validate(wrong)
    assert "0paque" not in str(caught.value)


def test_the_short_form() -> None:
    redaction = Redaction.model_validate("secrets, email, properties.notes, **.authorization")
    assert redaction.detect == ("api_key", "bearer", "email", "password")
    assert redaction.paths == ("properties.notes", "**.authorization")


def test_a_path_of_an_event_leads_there_in_a_conversation_too() -> None:
    failed = ErrorInfo(message="err of Zoe")
    asked = Message(role="user", parts=(TextPart(text="ask of Zoe"),))
    said = Message(role="assistant", parts=(TextPart(text="say of Zoe"),))
    events = [
        ModelCall(
            id="e-1",
            session="s",
            agent=Agent(name="agent of Zoe"),
            person=Person(id="id of Zoe", properties={"age": 77123}),
            properties={"notes": "note of Zoe", "n": 77123},
            metrics={"m": "metric of Zoe"},
            input=(asked,),
            choices=(Choice(message=said),),
        ),
        ToolRun(session="s", name="t", arguments={"a": "arg of Zoe"}, error=failed),
    ]
    [talk] = assemble(events)
    for path, word in {
        "input[].parts[].text": "ask of Zoe",
        "choices[].message.parts[].text": "say of Zoe",
        "input": "ask of Zoe",
        "properties.notes": "note of Zoe",
        "properties.n": '"n": 77123',
        "person.properties.age": '"age": 77123',
        "metrics.m": "metric of Zoe",
        "person.id": "id of Zoe",
        "agent.name": "agent of Zoe",
        "arguments.a": "arg of Zoe",
        "error.message": "err of Zoe",
    }.items():
        assert word in json.dumps(talk.to_json())
        for options in ({}, {"action": "drop"}, PSEUDONYMS):
            redaction = Redaction(paths=(path,), **options)
            done, _ = redaction.item(talk)
            assert word not in json.dumps(done.to_json()), path
            assert done == redaction.item(done)[0]
    ids = Redaction(paths=("id", "session"), **PSEUDONYMS)
    run, _ = ids.item(events[1])
    in_one = ids.item(talk)[0].tool_runs[0]
    assert (in_one.id, in_one.session) == (run.id, run.session)
