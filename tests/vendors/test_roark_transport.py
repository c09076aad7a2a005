"""Roark's headers, requests, verdicts and limits."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from llmtee._data_files import data_dir
from llmtee.errors import ConfigError
from llmtee.model import Conversation, Message, TextPart, ToolRun
from llmtee.spec import (
    Delivered,
    Exchange,
    Failure,
    Rejected,
    Request,
    Retry,
    TooLarge,
    Unauthorised,
    Unknown,
)
from llmtee.vendors.roark import VENDOR, Roark

SCHEMA = Draft202012Validator(
    json.loads((data_dir("schemas") / "vendors" / "roark" / "chat.json").read_text("utf-8"))
)


def conversation(text="Hello", **fields):
    message = Message(role="user", parts=(TextPart(text=text),))
    return Conversation(
        id="c-1", session="s-1", started_at="2026-01-01T10:00:00Z", messages=(message,), **fields
    )


def packed(settings=None):
    settings = settings or Roark()
    [request] = VENDOR.pack([VENDOR.render(conversation(), settings)], settings, {})
    return request


def judged(settings=None, *, body=None, **answer):
    settings = settings or Roark()
    if body is not None:
        answer["content"] = json.dumps(body).encode()
    [verdict] = VENDOR.judge(Exchange(packed(settings), **answer), settings)
    return verdict


# ── headers and requests ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("project", [None, "", " "])
def test_an_empty_project_is_not_sent(project):
    headers = VENDOR.auth(Roark(api_key="t", project_id=project))
    assert headers == {"Authorization": "Bearer t"}


def test_a_users_token_names_the_project():
    headers = VENDOR.auth(Roark(api_key="t", project_id="p-1"))
    assert headers == {"Authorization": "Bearer t", "X-Roark-Project-Id": "p-1"}


@pytest.mark.parametrize("key", [None, "", " "])
def test_a_missing_token_names_the_variable(key):
    with pytest.raises(ConfigError, match="ROARK_API_BEARER_TOKEN"):
        VENDOR.auth(Roark(api_key=key))


def test_each_chat_is_a_request():
    settings = Roark()
    items = [VENDOR.render(conversation(text), settings) for text in ("one", "two")]
    first, second = VENDOR.pack(items, settings, {})
    assert (first.method, first.path, first.items) == ("POST", "/v1/chat", (items[0],))
    assert (first.body, second.body) == (items[0].body, items[1].body)
    assert items[0].session == "s-1"


def test_the_check_reads_one_chat():
    assert VENDOR.check(Roark()) == Request("GET", "/v1/chat", query={"limit": "1"})


@pytest.mark.parametrize(("external_id", "expected"), [(True, "externalId"), (False, None)])
def test_the_card_says_whether_a_repetition_is_recognised(external_id, expected):
    assert VENDOR.capabilities(Roark(external_id=external_id)).idempotent_by == expected


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────────

WITHOUT = Roark(external_id=False)
LOST = {"failure": Failure.UNANSWERED, "failure_text": "reset"}
NOT_SENT = {"failure": Failure.NOT_SENT, "failure_text": "refused"}


@pytest.mark.parametrize(
    ("settings", "answer", "expected"),
    [
        (None, {"status": 201, "body": {"data": {"id": "chat-1"}}}, Delivered("chat-1")),
        (None, {"status": 200, "body": {"data": {"id": 7}}}, Delivered()),
        (None, {"status": 202, "body": []}, Delivered()),
        (None, {"status": 204}, Delivered()),
        (None, {"status": 409, "body": {}}, Delivered(note="already stored")),
        (WITHOUT, {"status": 409, "body": {"message": "exists"}}, Rejected("409: exists")),
        (None, {"status": 400, "body": {"error": "no"}}, Rejected("400: no")),
        (None, {"status": 422, "body": {"error": {"message": "no"}}}, Rejected("422: no")),
        (None, {"status": 401, "body": {"message": "who?"}}, Unauthorised("401: who?")),
        (None, {"status": 429, "body": {}, "headers": {"retry-after": "7"}}, Retry("429: {}", 7.0)),
        (WITHOUT, {"status": 429, "headers": {"retry-after-ms": "250"}}, Retry("429", 0.25)),
        (None, {"status": 408}, Retry("408")),
        (None, {"status": 500, "body": {"message": "oops"}}, Retry("500: oops")),
        (WITHOUT, {"status": 500, "body": {"message": "oops"}}, Unknown("500: oops")),
        (None, {"status": 502}, Retry("502")),
        (WITHOUT, {"status": 502}, Unknown("502")),
        (WITHOUT, {"status": 503}, Retry("503")),
        (None, {"status": 413, "body": {"message": "big"}}, TooLarge("413: big")),
        (None, NOT_SENT, Retry("not sent: refused")),
        (WITHOUT, NOT_SENT, Retry("not sent: refused")),
        (None, LOST, Unknown("no answer: reset")),
        (WITHOUT, LOST, Unknown("no answer: reset")),
    ],
)
def test_verdicts(settings, answer, expected):
    assert judged(settings, **answer) == expected


@pytest.mark.parametrize(
    ("answer", "kind", "hint"),
    [
        ({"status": 402, "body": {"message": "pay"}}, Unauthorised, "credits"),
        ({"status": 403, "body": {"message": "no"}}, Unauthorised, "chat:create, and agent:create"),
        ({"status": 404, "content": b"nothing"}, Unauthorised, "base_url"),
        ({"status": 301}, Unauthorised, "base_url"),
        ({"status": 200, "content": b"<html>hi</html>"}, Unknown, "base_url"),
    ],
)
def test_verdicts_that_say_what_to_look_at(answer, kind, hint):
    verdict = judged(**answer)
    assert isinstance(verdict, kind)
    assert hint in verdict.reason


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"issues": [{"path": ["messages", 0, "role"], "message": "is wrong"}]}},
        {"errors": [{"field": "messages.0.role", "message": "is wrong"}]},
        {"detail": [{"loc": ["messages", 0, "role"], "msg": "is wrong"}]},
    ],
)
def test_a_refusal_names_the_field(body):
    assert judged(status=400, body=body) == Rejected("400: messages.0.role: is wrong")


def test_a_chat_that_was_read_without_an_id_is_not_sent_twice():
    settings = Roark()
    sent = {key: value for key, value in packed().body.items() if key != "externalId"}
    [item] = VENDOR.parse(sent)
    [request] = VENDOR.pack([VENDOR.render(item, settings)], settings, {})
    assert "externalId" not in request.body
    [verdict] = VENDOR.judge(Exchange(request, status=502), settings)
    assert isinstance(verdict, Unknown)


# ── size ────────────────────────────────────────────────────────────────────────────────────────────────────────


def large(text=1, result=1):
    run = ToolRun(
        id="r", name="search", arguments={"q": ["x" * result]}, result={"hits": ["y" * result]}
    )
    return VENDOR.render(conversation("z" * text, tool_runs=(run,)), Roark())


def test_a_chat_that_fits_is_left_alone():
    item = large()
    assert VENDOR.shrink(item, item.size, Roark()) is item


def test_tools_are_cut_before_what_was_said():
    item = large(text=20_000, result=400_000)
    before = json.dumps(item.body)
    cut = VENDOR.shrink(item, 100_000, Roark())
    assert cut.size <= 100_000
    assert list(SCHEMA.iter_errors(cut.body)) == []
    assert cut.body["messages"] == item.body["messages"]
    [hit] = cut.body["toolInvocations"][0]["result"]["hits"]
    assert "[… 370,038 characters cut by llmtee …]" in hit
    assert len(hit) == 30_000
    assert hit.startswith("y" * 14_981)
    assert hit.endswith("y" * 14_981)
    assert [(note.path, note.action) for note in cut.notes[len(item.notes) :]] == [
        ("tool_runs[]", "trimmed")
    ]
    assert json.dumps(item.body) == before


def test_messages_and_prompts_are_cut_where_tools_are_not_enough():
    prompt = Message(role="system", parts=(TextPart(text="p" * 50_000),))
    chat = conversation("z" * 50_000)
    item = VENDOR.render(chat.model_copy(update={"messages": (prompt, *chat.messages)}), Roark())
    cut = VENDOR.shrink(item, 10_000, Roark())
    assert cut.size <= 10_000
    assert "characters cut" in cut.body["messages"][0]["text"]
    assert "characters cut" in cut.body["agent"]["prompt"]["resolvedPrompt"]
    assert {note.path for note in cut.notes if note.action == "trimmed"} == {
        "tool_runs[]",
        "messages[]",
    }


def test_a_chat_that_cannot_be_cut_to_size_is_given_up():
    assert VENDOR.shrink(large(text=5000), 200, Roark()) is None
