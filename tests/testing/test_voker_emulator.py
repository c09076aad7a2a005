"""The Voker emulator over real HTTP, alone and with what the vendor's own functions send."""

from __future__ import annotations

import copy
import json

import httpx
import pytest

from llmtee._data_files import data_dir
from llmtee.spec import Delivered, Exchange, Rejected, Retry, Unauthorised, Unknown
from llmtee.testing.emulators import Answer, VokerEmulator, faults
from llmtee.vendors.voker import VENDOR
from llmtee.vendors.voker.wire import agent_path, agent_version_path, person_path

SEED = json.loads((data_dir("fixtures") / "vendors" / "voker" / "seed.json").read_text("utf-8"))
ODD_NAMES = ["a/b?x#y", "50% ü 名", "..a", "a b+c"]


@pytest.fixture
def emulator():
    with VokerEmulator() as emulator:
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
        self.state = {}

    def exchange(self, request):
        answer = self.client.request(
            request.method,
            request.path,
            content=request.content,
            headers={"content-type": "application/json"},
        )
        headers = {key.lower(): value for key, value in answer.headers.items()}
        return Exchange(request, status=answer.status_code, headers=headers, content=answer.content)

    def prepare(self):
        exchange = self.exchange(VENDOR.prepare(self.settings, self.state))
        outcome = VENDOR.prepared(exchange, self.settings, self.state)
        if isinstance(outcome, dict):
            self.state = outcome
        return outcome

    def send(self, payload):
        [item] = VENDOR.parse(payload)
        wire = VENDOR.render(item, self.settings)
        [request] = VENDOR.pack([wire], self.settings, self.state)
        [verdict] = VENDOR.judge(self.exchange(request), self.settings)
        return verdict


@pytest.fixture
def sender(emulator):
    sender = Sender(emulator)
    with sender.client:
        yield sender


def fingerprint(client):
    facts = {"language": "python", "language_version": "3.11", "system": "Linux"}
    return client.put("/api/v1/fingerprints", json=facts).json()["fingerprint_id"]


def event(client, **changes):
    body = {**copy.deepcopy(SEED), "fingerprint_id": fingerprint(client), **changes}
    return {key: value for key, value in body.items() if value is not ...}


# ── the way of an event ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_arrives_and_makes_what_it_names(emulator, sender):
    sender.prepare()
    assert sender.send(SEED) == Delivered()
    [stored] = emulator.events
    assert stored == {**SEED, "fingerprint_id": sender.state["fingerprint_id"]}
    assert emulator.sessions == {"session_456": [stored]}
    assert set(emulator.agents) == {"customer-support-agent"}
    assert set(emulator.versions) == {("customer-support-agent", "v1")}
    assert set(emulator.people) == {"user_123"}


def test_a_repeated_event_is_stored_twice(emulator, sender):
    sender.prepare()
    assert [sender.send(SEED), sender.send(SEED)] == [Delivered(), Delivered()]
    assert len(emulator.events) == 2


@pytest.mark.parametrize("in_detail", [True, False])
def test_an_expired_fingerprint_is_renewed_and_the_event_sent_again(emulator, sender, in_detail):
    emulator.errors_in_detail = in_detail
    sender.prepare()
    first = sender.state["fingerprint_id"]
    emulator.expire_fingerprints()
    assert sender.send(SEED) == Retry("404: fingerprint-not-found", refresh=True)
    assert emulator.events == []
    sender.prepare()
    assert sender.state["fingerprint_id"] != first
    assert sender.send(SEED) == Delivered()


def test_the_fingerprint_holds_what_was_sent(emulator, sender):
    sender.prepare()
    [facts] = emulator.fingerprints.values()
    assert set(facts) == {"language", "language_version", "system", "voker_sdk_version"}


def test_a_failing_fingerprint_costs_no_event(emulator, sender):
    emulator.fingerprint_answer = Answer(500, {"detail": "down"})
    assert isinstance(sender.prepare(), Retry)
    emulator.fingerprint_answer = Answer(200, "<html>")
    assert isinstance(sender.prepare(), Unauthorised)


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (faults.status(429, retry_after=3), Retry),
        (faults.status(503), Retry),
        (faults.status(500), Unknown),
        (faults.status(422), Rejected),
        (faults.html(), Unknown),
        (faults.html(404), Unauthorised),
        (faults.wrong_token(), Unauthorised),
    ],
)
def test_scripted_answers_are_judged(emulator, sender, fault, verdict):
    emulator.script(fault)
    sender.prepare()
    assert isinstance(sender.send(SEED), verdict)
    assert sender.send(SEED) == Delivered()
    assert len(emulator.events) == 1


def test_an_empty_session_is_refused_by_name(emulator, client):
    for in_detail in (True, False):
        emulator.errors_in_detail = in_detail
        answer = client.post("/api/v1/events", json=event(client, session=""))
        error = {"type": "session-id-empty"}
        assert answer.status_code == 422
        assert answer.json() == ({"detail": error} if in_detail else error)
    assert emulator.events == []


@pytest.mark.parametrize(
    ("changes", "place", "word"),
    [
        ({"agent": ...}, ["body"], "'agent'"),
        ({"session": ...}, ["body"], "'session'"),
        ({"agent": ""}, ["body", "agent"], "non-empty"),
        ({"event_name": "click"}, ["body", "event_name"], "'llm'"),
        ({"person": None}, ["body", "person"], "string"),
        ({"timestamp": 1}, ["body"], "'timestamp'"),
        (
            {"properties": {"api": "mine", "inputs": {}, "output": {}}},
            ["body", "properties", "api"],
            "'mine'",
        ),
        (
            {"properties": {"api": "openai-responses", "inputs": [], "output": {}}},
            ["body", "properties", "inputs"],
            "object",
        ),
    ],
)
def test_what_breaks_the_schema_is_refused_with_its_place(emulator, client, changes, place, word):
    answer = client.post("/api/v1/events", json=event(client, **changes))
    assert answer.status_code == 422
    [entry] = answer.json()["detail"]
    assert entry["loc"] == place
    assert word in entry["msg"]
    assert emulator.events == []


def test_a_fingerprint_needs_its_three_facts_and_takes_no_others(client):
    facts = {"language": "python", "language_version": "3.11", "system": "Linux"}
    for wrong in ({**facts, "user": "me"}, {"language": "python"}, [], None):
        assert client.put("/api/v1/fingerprints", json=wrong).status_code == 422


def test_nothing_works_without_the_key(emulator):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        with httpx.Client(base_url=emulator.url, headers=headers, timeout=10) as stranger:
            assert stranger.post("/api/v1/events", json=SEED).status_code == 401
            assert stranger.put("/api/v1/fingerprints", json={}).status_code == 401
            assert stranger.get("/api/v1/people/x").status_code == 401


def test_events_cannot_be_read_back(client):
    assert client.get("/api/v1/events").status_code == 405
    assert client.get("/api/v1/events/1").status_code == 404


def test_clear_forgets_everything(emulator, sender):
    sender.prepare()
    sender.send(SEED)
    emulator.clear()
    stored = (emulator.events, emulator.sessions, emulator.people, emulator.agents)
    assert not any((*stored, emulator.versions, emulator.fingerprints))


# ── people, agents, versions ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ODD_NAMES)
def test_people_are_kept_under_any_name(client, name):
    made = client.put("/api/v1/people", json={"person_id": name, "properties": None})
    assert made.json()["person_id"] == name
    again = client.put("/api/v1/people", json={"person_id": name, "properties": {"a": 1}})
    assert again.json() == made.json()
    updated = client.put(person_path(name), json={"properties": {"b": 2}}).json()
    assert updated["properties"] == {"b": 2}
    assert client.get(person_path(name)).json() == updated


@pytest.mark.parametrize("name", ODD_NAMES)
def test_agents_and_versions_are_kept_under_any_name(client, name):
    agent = client.put("/api/v1/agents", json={"agent_name": name, "description": "d"}).json()
    assert client.get(agent_path(name)).json() == agent
    assert (agent["agent_number"], agent["deprecated_at"]) == (1, None)
    path = f"{agent_path(name)}/agent-versions"
    version = client.put(path, json={"agent_version_name": name}).json()
    assert client.get(agent_version_path(name, name)).json() == version
    assert client.put(path, json={"agent_version_name": name}).json() == version


@pytest.mark.parametrize("in_detail", [True, False])
def test_what_is_not_there_says_what_it_is(emulator, client, in_detail):
    emulator.errors_in_detail = in_detail
    client.put("/api/v1/agents", json={"agent_name": "known"})
    version = {"agent_version_name": "1"}
    answers = {
        "person-not-found": [
            client.get("/api/v1/people/x"),
            client.put("/api/v1/people/x", json={"properties": {}}),
        ],
        "agent-not-found": [
            client.get("/api/v1/agents/x"),
            client.put("/api/v1/agents/x/agent-versions", json=version),
            client.get("/api/v1/agents/x/agent-versions/1"),
        ],
        "agent-version-not-found": [client.get("/api/v1/agents/known/agent-versions/x")],
    }
    for kind, found in answers.items():
        for answer in found:
            assert answer.status_code == 404
            error = {"type": kind}
            assert answer.json() == ({"detail": error} if in_detail else error)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/people", {"properties": {}}),
        ("/api/v1/people/x", {}),
        ("/api/v1/agents", {"agent_name": ""}),
        ("/api/v1/agents/x/agent-versions", {"name": "1"}),
    ],
)
def test_people_and_agents_are_checked_too(client, path, body):
    assert client.put(path, json=body).status_code == 422
