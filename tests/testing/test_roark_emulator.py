"""The Roark emulator over real HTTP, alone and with what the vendor's own functions send."""

from __future__ import annotations

import copy
import json

import httpx
import pytest

from llmtee._data_files import data_dir
from llmtee.spec import Delivered, Exchange, Failure, Rejected, Retry, Unauthorised, Unknown
from llmtee.testing.emulators import RoarkEmulator, faults
from llmtee.vendors.roark import VENDOR

SEED = json.loads((data_dir("fixtures") / "vendors" / "roark" / "seed.json").read_text("utf-8"))
ONE_FORM = {key: value for key, value in SEED.items() if key != "agents"}
MESSAGE = {"role": "CUSTOMER", "text": "Hello", "startTimestamp": "2024-01-15T10:00:00Z"}


@pytest.fixture
def emulator():
    with RoarkEmulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator):
    headers = {"Authorization": f"Bearer {emulator.key}"}
    with httpx.Client(base_url=emulator.url, headers=headers, timeout=10) as client:
        yield client


class Sender:
    """Carries the vendor's requests, as the engine would, one at a time."""

    def __init__(self, emulator, **settings):
        self.settings = emulator.exporter(**settings)
        self.client = httpx.Client(
            base_url=self.settings.base_url, headers=VENDOR.auth(self.settings), timeout=10
        )

    def exchange(self, request):
        try:
            answer = self.client.request(
                request.method,
                request.path,
                content=request.content,
                params=request.query,
                headers={"content-type": "application/json"},
            )
        except httpx.TransportError as error:
            return Exchange(request, failure=Failure.UNANSWERED, failure_text=str(error))
        headers = {key.lower(): value for key, value in answer.headers.items()}
        return Exchange(request, status=answer.status_code, headers=headers, content=answer.content)

    def send(self, payload):
        [item] = VENDOR.parse(payload)
        [request] = VENDOR.pack([VENDOR.render(item, self.settings)], self.settings, {})
        [verdict] = VENDOR.judge(self.exchange(request), self.settings)
        return verdict


@pytest.fixture
def sender(emulator):
    sender = Sender(emulator)
    with sender.client:
        yield sender


def chat(**changes):
    body = {**copy.deepcopy(ONE_FORM), **changes}
    return {key: value for key, value in body.items() if value is not ...}


def error(answer, status):
    assert answer.status_code == status
    return answer.json()["error"]["message"]


# ── the way of a chat ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_chat_arrives(emulator, sender):
    verdict = sender.send(chat(externalId="order-17"))
    [stored] = emulator.chats
    assert verdict == Delivered(vendor_id=stored.record["id"])
    assert stored.body == chat(externalId="order-17")
    assert emulator.requests[0].status == 201


def test_the_answer_is_the_chat_without_its_messages(client):
    data = client.post("/v1/chat", json=chat(externalId="order-17")).json()["data"]
    assert data["durationMs"] == 1_800_000
    assert data["startTimestamp"] == "2024-01-15T10:00:00.000Z"
    assert (data["title"], data["summary"]) == (None, None)
    assert data["agents"] == [{"id": SEED["agent"]["roarkId"]}]
    assert data["customers"] == SEED["customers"]
    assert data["externalId"] == "order-17"
    assert "messages" not in data


def test_an_external_id_is_stored_once(emulator, sender):
    first = sender.send(chat(externalId="order-17"))
    again = sender.send(chat(externalId="order-17"))
    assert isinstance(first, Delivered)
    assert again == Delivered(note="already stored")
    assert len(emulator.chats) == 1


def test_without_external_ids_a_chat_is_stored_twice(emulator):
    sender = Sender(emulator, external_id=False)
    with sender.client:
        assert isinstance(sender.send(chat()), Delivered)
        assert isinstance(sender.send(chat()), Delivered)
    assert len(emulator.chats) == 2


def test_projects_are_apart(emulator):
    for project in ("p-1", "p-2"):
        sender = Sender(emulator, project_id=project)
        with sender.client:
            assert isinstance(sender.send(chat(externalId="order-17")), Delivered)
            page = sender.exchange(VENDOR.check(sender.settings)).json
        assert page["pagination"]["total"] == 1
        assert page["data"][0]["projectId"] == project


def test_agents_are_found_by_custom_id_else_by_name_else_made(emulator, client):
    for agent in (
        {"name": "Front desk", "customId": "front"},
        {"customId": "front"},
        {"name": "Front desk"},
        {"name": "Billing"},
    ):
        answer = client.post(
            "/v1/chat", json=chat(agent=agent, toolInvocations=..., messages=[MESSAGE])
        )
        assert answer.status_code == 201
    found = [stored.record["agents"][0]["id"] for stored in emulator.chats]
    assert found[0] == found[1] == found[2] != found[3]
    assert [agent["name"] for agent in emulator.agents] == ["Front desk", "Billing"]


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"startTimestamp": ...}, "'startTimestamp' is a required property"),
        ({"segments": []}, "'segments' was unexpected"),
        ({"messages": []}, "messages: "),
        ({"messages": [{**MESSAGE, "role": "system"}]}, "messages[0].role: "),
        ({"messages": [{**MESSAGE, "text": " "}]}, "messages[0].text: "),
        ({"messages": [{**MESSAGE, "endTimestamp": "yesterday"}]}, "messages[0].endTimestamp: "),
        ({"startTimestamp": "2024-13-15T10:00:00Z"}, "startTimestamp: is not a date"),
        ({"endTimestamp": "2024-01-15T09:59:00Z"}, "endTimestamp: must not be before"),
        (
            {"messages": [{**MESSAGE, "startTimestamp": "2024-01-15T09:59:59Z"}]},
            "messages[0].startTimestamp: must not be before the chat's",
        ),
        (
            {"messages": [{**MESSAGE, "endTimestamp": "2024-01-15T11:00:00Z"}]},
            "messages[0].endTimestamp: must not be after the chat's",
        ),
        (
            {"messages": [{**MESSAGE, "startTimestamp": "2024-01-15T10:05:00Z"}, MESSAGE]},
            "messages[1].startTimestamp: ",
        ),
        (
            {"messages": [{**MESSAGE, "agent": {"customId": "stranger"}}]},
            "messages[0].agent: is none of the chat's agents",
        ),
        ({"agent": ...}, "'agent' is a required property"),
        ({"agent": {"name": "a", "roarkId": SEED["agent"]["roarkId"]}}, "agent: "),
        ({"agents": SEED["agents"]}, "agent: use either agent or agents"),
        (
            {"customer": {"phoneNumberE164": None, "label": "Sam"}},
            "customer: use either customer or customers",
        ),
        ({"customers": [{"label": "Sam"}]}, "customers[0]: 'phoneNumberE164' is a required"),
        ({"customers": [{"phoneNumberE164": "0415"}]}, "customers[0].phoneNumberE164: "),
        ({"traceId": "4BF9"}, "traceId: "),
        ({"externalId": "x" * 256}, "externalId: "),
        ({"toolInvocations": [{"name": "t"}]}, "toolInvocations[0]: "),
    ],
)
def test_a_wrong_body_is_refused_and_the_field_is_named(emulator, client, changes, place):
    assert place in error(client.post("/v1/chat", json=chat(**changes)), 400)
    assert emulator.chats == []


def test_a_refusal_reaches_the_verdict(sender):
    verdict = sender.send(SEED)
    assert verdict == Rejected("400: agent: use either agent or agents, not both")


def test_an_empty_project_is_refused(client):
    for method, path in (("POST", "/v1/chat"), ("GET", "/v1/chat"), ("GET", "/v1/chat/x")):
        answer = client.request(method, path, json=chat(), headers={"X-Roark-Project-Id": ""})
        assert "x-roark-project-id" in error(answer, 400)


def test_a_wrong_key_pauses(emulator):
    sender = Sender(emulator, api_key="wrong")
    with sender.client:
        assert isinstance(sender.send(chat()), Unauthorised)
    assert emulator.chats == []


@pytest.mark.parametrize(
    ("permissions", "missing"), [(set(), "chat:create"), ({"chat:create"}, "agent:create")]
)
def test_a_missing_permission_is_named(emulator, sender, permissions, missing):
    emulator.permissions = permissions
    verdict = sender.send(chat())
    assert isinstance(verdict, Unauthorised)
    assert f"missing permission {missing}" in verdict.reason


def test_faults_become_verdicts(emulator, sender):
    body = chat(externalId="order-17")
    emulator.script(
        faults.status(429, retry_after=2),
        faults.status(500),
        faults.status(402),
        faults.html(),
        faults.reset("before"),
        faults.reset("after"),
    )
    kinds = [Retry, Retry, Unauthorised, Unknown, Unknown, Unknown]
    assert [type(sender.send(body)) for _ in kinds] == kinds
    assert len(emulator.chats) == 1
    assert sender.send(body) == Delivered(note="already stored")


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_chat_is_read_back(client):
    created = client.post("/v1/chat", json=chat(externalId="order-17")).json()["data"]
    path = f"/v1/chat/{created['id']}"
    answer = client.get(path).json()
    assert answer["data"] == created
    transcript = client.get(f"{path}/transcript").json()
    assert transcript["data"]["entries"] == [
        {
            "participantId": "participant-1",
            "role": "AGENT",
            "text": SEED["messages"][0]["text"],
            "startOffsetMs": 12_250,
            "endOffsetMs": 18_000,
        }
    ]
    assert client.get(f"{path}/metrics").json() == {"data": []}
    [back] = VENDOR.parse({"chat": answer, "transcript": transcript})
    [sent] = VENDOR.parse(chat(externalId="order-17"))
    assert back.id == sent.id
    assert (back.started_at, back.ended_at) == (sent.started_at, sent.ended_at)
    for field in ("role", "text", "started_at", "ended_at"):
        assert getattr(back.messages[0], field) == getattr(sent.messages[0], field)


def test_an_unknown_chat_is_404(client):
    for path in ("/v1/chat/x", "/v1/chat/x/transcript", "/v1/chat/x/metrics"):
        assert "no chat 'x'" in error(client.get(path), 404)


def test_a_chat_cannot_be_changed(client):
    created = client.post("/v1/chat", json=chat()).json()["data"]
    for method in ("PUT", "PATCH", "DELETE"):
        assert client.request(method, f"/v1/chat/{created['id']}").status_code == 405


def test_pages_of_the_list_hold_every_chat_once(client):
    ids = [client.post("/v1/chat", json=chat()).json()["data"]["id"] for _ in range(5)]
    seen, query = [], {"limit": "2", "sortBy": "startTimestamp", "sortDirection": "asc"}
    while True:
        page = client.get("/v1/chat", params=query).json()
        seen += [record["id"] for record in page["data"]]
        if not page["pagination"]["hasMore"]:
            break
        query["after"] = page["pagination"]["nextCursor"]
    assert seen == ids
    assert page["pagination"] == {"total": 5, "hasMore": False, "nextCursor": None}
    newest = client.get("/v1/chat", params={"limit": "1"}).json()
    assert newest["data"][0]["id"] == ids[-1]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "many"},
        {"sortBy": "size"},
        {"sortDirection": "up"},
        {"after": "nowhere"},
    ],
)
def test_a_wrong_query_is_refused(client, query):
    [field] = query
    assert error(client.get("/v1/chat", params=query), 400).startswith(f"{field}: ")


def test_clear_forgets_chats_and_agents(emulator, client):
    client.post("/v1/chat", json=chat(externalId="order-17"))
    emulator.clear()
    assert (emulator.chats, emulator.agents) == ([], [])
    assert client.post("/v1/chat", json=chat(externalId="order-17")).status_code == 201
