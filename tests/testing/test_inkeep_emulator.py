from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from llmtee import jsontext
from llmtee._data_files import data_dir
from llmtee.model import Conversation
from llmtee.spec import Exchange, Request, WireItem
from llmtee.testing.emulators import InkeepEmulator, faults
from llmtee.vendors.inkeep import VENDOR

SEED = json.loads((data_dir("fixtures") / "vendors/inkeep/seed.json").read_text("utf-8"))
HI = {"id": "m1", "role": "user", "content": "Hi"}
HELLO = {"id": "m2", "role": "assistant", "content": "Hello"}


@pytest.fixture
def emulator() -> Iterator[InkeepEmulator]:
    with InkeepEmulator() as running:
        yield running


@pytest.fixture
def client(emulator: InkeepEmulator) -> Iterator[httpx.Client]:
    headers = dict(VENDOR.auth(emulator.exporter()))
    with httpx.Client(base_url=emulator.url, headers=headers) as http:
        yield http


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "openai", "messages": list(messages or [HI]), **fields}


def send(client: httpx.Client, request: Request) -> Exchange:
    answer = client.request(
        request.method, request.path, content=request.content, params=request.query
    )
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Exchange(request, status=answer.status_code, headers=headers, content=answer.content)


def deliver(client: httpx.Client, emulator: InkeepEmulator, wire: WireItem) -> Any:
    settings = emulator.exporter()
    [request] = VENDOR.pack([wire], settings, {})
    [verdict] = VENDOR.judge(send(client, request), settings)
    return verdict


def conversation(**fields: Any) -> Conversation:
    messages = [
        {"role": "developer", "parts": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "text": "कहाँ है मेरा ऑर्डर?"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "call_1", "name": "find", "arguments": {"n": 1}}],
            "generation": {"model": "gpt-4o", "usage": {"input_tokens": 9}},
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_result", "call_id": "call_1", "result": {"at": "Pune"}}],
        },
    ]
    return Conversation.model_validate(
        {"id": "c1", "session": "s1", "messages": messages, **fields}
    )


def test_a_conversation_is_delivered_and_reads_back_whole(
    emulator: InkeepEmulator, client: httpx.Client
) -> None:
    before = conversation()
    verdict = deliver(client, emulator, VENDOR.render(before, emulator.exporter()))
    assert verdict.vendor_id == "c1"
    for path in ("/conversations/c1", "/conversations/external/s1", "/conversations"):
        [after] = VENDOR.parse(client.get(path).json())
        assert [m.role for m in after.messages] == ["developer", "user", "assistant", "tool"]
        assert [m.parts for m in after.messages] == [m.parts for m in before.messages]
        assert after.messages[2].generation == before.messages[2].generation


def test_the_seed_is_taken_and_answered_with_all_fields(client: httpx.Client) -> None:
    answer = client.post("/conversations", json=SEED)
    assert answer.status_code == 200
    assert answer.json() == {
        **SEED,
        "messages": [{**SEED["messages"][0], "conversationId": "string"}],
        "messagesOpenAIFormat": [
            {key: SEED["messages"][0][key] for key in ("role", "name", "content", "tool_calls")}
        ],
    }


def test_what_was_not_sent_is_answered_as_null_or_made(client: httpx.Client) -> None:
    sent = body({"role": "user", "content": "Hi"})
    del sent["id"]
    answer = client.post("/conversations", json=sent).json()
    assert answer["externalId"] is answer["visibility"] is answer["projectId"] is None
    assert answer["id"]
    assert answer["createdAt"].endswith("Z")
    assert answer["messages"][0]["id"]
    assert answer["messages"][0]["conversationId"] == answer["id"]


def test_a_write_replaces_by_id_and_deletes_what_it_leaves_out(
    emulator: InkeepEmulator, client: httpx.Client
) -> None:
    client.post("/conversations", json=body(HI, HELLO))
    first = client.get("/conversations/c1").json()
    client.post("/conversations", json=body({**HELLO, "content": "Hello!"}))
    second = client.get("/conversations/c1").json()
    assert [message["content"] for message in second["messages"]] == ["Hello!"]
    assert second["createdAt"] == first["createdAt"]
    assert second["messages"][0]["createdAt"] == first["messages"][1]["createdAt"]
    assert [len(written["messages"]) for written in emulator.writes["c1"]] == [2, 1]


@pytest.mark.parametrize(
    ("payload", "status", "said"),
    [
        ([], 400, "JSON object"),
        (b"{not json", 400, "invalid JSON"),
        ({"type": "openai"}, 422, "messages"),
        (body() | {"messages": []}, 422, "messages"),
        (body() | {"type": "chat"}, 422, "type"),
        (body() | {"surprise": 1}, 422, "surprise"),
        (body(createdAt="2026-01-01T10:00:00"), 422, "createdAt"),
        (body(visibility="odd"), 422, "visibility"),
        (body(id=None), 422, "id"),
        (body({**HI, "role": "tool"}), 422, "role"),
        (body({**HI, "content": None}), 422, "content"),
        (body({"id": "m", "role": "user"}), 422, "content"),
        (body({**HI, "content": [{"type": "input_audio"}]}), 422, "content"),
        (body({**HI, "links": [{"title": "no url"}]}), 422, "links"),
        (body({**HI, "tool_calls": [{"id": "x", "type": "function"}]}), 422, "function"),
        (body({**HI, "type": "support_ticket"}), 422, "type"),
        (body({**HI, "surprise": 1}), 422, "surprise"),
        (body(HI, HI), 422, "same id"),
        (body({**HI, "content": "a\x00b"}), 422, "U+0000"),
        (body({**HI, "tool_calls": []}, type="support_ticket"), 422, "tool_calls"),
    ],
)
def test_what_inkeep_refuses_is_refused(
    emulator: InkeepEmulator, client: httpx.Client, payload: Any, status: int, said: str
) -> None:
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    answer = client.post("/conversations", content=content)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert said in problem["detail"]
    assert problem["code"] == problem["error"]["code"]
    assert problem["requestId"]
    assert not emulator.conversations


@pytest.mark.parametrize(
    "payload",
    [
        body(properties=None, tags=None, userProperties={"id": 5, "plan": {"any": "thing"}}),
        body({**HI, "content": "a literal \\u0000 is text"}),
        body({"role": "anything", "content": None}, type="support_copilot"),
        body({**HI, "content": [{"type": "image_url", "image_url": {"url": "x"}}], "links": None}),
    ],
)
def test_what_inkeep_takes_is_taken(client: httpx.Client, payload: Any) -> None:
    assert client.post("/conversations", json=payload).status_code == 200


def test_a_body_may_have_so_many_bytes_and_no_more() -> None:
    size = len(jsontext.dumps(body()))
    with InkeepEmulator(max_bytes=size) as emulator, httpx.Client(base_url=emulator.url) as http:
        http.headers["authorization"] = f"Bearer {emulator.key}"
        assert http.post("/conversations", content=jsontext.dumps(body())).status_code == 200
        answer = http.post("/conversations", content=jsontext.dumps(body(tags=["x"])))
        assert answer.status_code == 413
    assert InkeepEmulator().max_bytes == 2_000_000


def test_a_conversation_of_five_megabytes_arrives_after_shrinking(
    emulator: InkeepEmulator, client: httpx.Client
) -> None:
    long = {"role": "user", "parts": [{"type": "text", "text": "語り" * 1_000_000}]}
    wire = VENDOR.render(conversation(messages=[long, long]), emulator.exporter())
    assert type(deliver(client, emulator, wire)).__name__ == "TooLarge"
    small = VENDOR.shrink(wire, emulator.max_bytes, emulator.exporter())
    assert small is not None
    assert type(deliver(client, emulator, small)).__name__ == "Delivered"
    assert len(emulator.conversations["c1"]["messages"]) == 2


def test_wrong_keys_are_refused(emulator: InkeepEmulator) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}):
        answer = httpx.post(f"{emulator.url}/conversations", json=body(), headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthorized"


def test_a_web_key_writes_and_reads_single_conversations_only(emulator: InkeepEmulator) -> None:
    headers = dict(VENDOR.auth(emulator.exporter(api_key=emulator.web_key)))
    with httpx.Client(base_url=emulator.url, headers=headers) as http:
        assert http.post("/conversations", json=body()).status_code == 200
        assert http.get("/conversations/c1").status_code == 200
        feedback = {"type": "positive", "messageId": "m1", "id": "f1"}
        assert http.post("/feedback", json=feedback).status_code == 200
        for method, path in (
            ("GET", "/conversations"),
            ("GET", "/conversations/external/x"),
            ("GET", "/feedback"),
            ("GET", "/feedback/f1"),
            ("DELETE", "/feedback/f1"),
        ):
            answer = http.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_pages_of_conversations(client: httpx.Client) -> None:
    for number in range(25):
        client.post("/conversations", json=body(id=f"c{number}"))
    page = client.get("/conversations").json()
    assert (page["total"], page["pageSize"], page["count"]) == (25, 20, 20)
    rest = client.get("/conversations", params={"offset": 20, "limit": 10}).json()
    assert [one["id"] for one in rest["conversations"]] == [f"c{n}" for n in range(20, 25)]
    for wrong in ({"limit": 0}, {"limit": 101}, {"offset": -1}, {"limit": "many"}):
        assert client.get("/conversations", params=wrong).status_code == 400


def test_reading_and_deleting_by_ids_with_odd_characters(client: httpx.Client) -> None:
    client.post("/conversations", json=body(id="a/b c", externalId="x/y?z"))
    assert client.get("/conversations/a%2Fb%20c").json()["id"] == "a/b c"
    assert client.get("/conversations/external/x%2Fy%3Fz").json()["id"] == "a/b c"
    assert client.delete("/conversations/a%2Fb%20c").status_code == 200
    assert client.get("/conversations/a%2Fb%20c").status_code == 404
    assert client.delete("/conversations/a%2Fb%20c").json()["code"] == "not_found"


def test_feedback_is_kept_with_its_message(client: httpx.Client) -> None:
    client.post("/conversations", json=body(HI, HELLO))
    reasons = [{"label": "wrong", "details": "not my order"}]
    given = {"type": "negative", "messageId": "m2", "id": "f1", "reasons": reasons}
    assert client.post("/feedback", json=given).status_code == 200
    listed = client.get("/feedback").json()
    assert (listed["positiveFeedbackCount"], listed["negativeFeedbackCount"]) == (0, 1)
    [negative] = listed["negativeFeedback"]
    assert negative["message"]["content"] == "Hello"
    assert negative["conversation"]["id"] == "c1"
    assert client.get("/feedback/f1").json()["reasons"] == reasons
    assert client.delete("/feedback/f1").status_code == 200
    assert client.get("/feedback/f1").status_code == 404
    assert client.post("/feedback", json={**given, "messageId": "m9"}).status_code == 404
    assert client.post("/feedback", json={**given, "type": "meh"}).status_code == 422


def test_events_name_what_they_are_about(emulator: InkeepEmulator, client: httpx.Client) -> None:
    event = {"type": "chat_shared", "entityType": "conversation", "conversationId": "c1"}
    assert client.post("/events", json=event).status_code == 404
    assert client.post("/conversations", json=body()).status_code == 200
    assert client.post("/events", json=event).status_code == 200
    of_message = {"type": "copied", "entityType": "message", "messageId": "unknown"}
    assert client.post("/events", json=of_message).status_code == 404
    assert client.post("/events", json={**event, "entityType": "message"}).status_code == 422
    assert [one["type"] for one in emulator.events] == ["chat_shared"]


def test_scripted_answers_have_inkeeps_shape(
    emulator: InkeepEmulator, client: httpx.Client
) -> None:
    emulator.script(faults.status(429, retry_after=1), faults.status(500))
    wire = VENDOR.render(conversation(), emulator.exporter())
    first, second, third = (deliver(client, emulator, wire) for _ in range(3))
    assert (type(first).__name__, first.after) == ("Retry", 1.0)
    assert "code too_many_requests" in first.reason
    assert "code internal_server_error" in second.reason
    assert type(third).__name__ == "Delivered"
    assert [request.status for request in emulator.requests] == [429, 500, 200]


def test_clear_forgets(emulator: InkeepEmulator, client: httpx.Client) -> None:
    client.post("/conversations", json=body())
    emulator.clear()
    assert not emulator.conversations
    assert not emulator.writes
    assert not emulator.requests


def test_the_check_succeeds(emulator: InkeepEmulator, client: httpx.Client) -> None:
    assert VENDOR.check is not None
    assert send(client, VENDOR.check(emulator.exporter())).status == 200
