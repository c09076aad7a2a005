"""Code written for Voker's own SDK, with only the import changed."""

from __future__ import annotations

import inspect
import logging
import threading
from datetime import datetime

import pytest

from llmtee import Tee
from llmtee.compat.voker import VokerClient
from llmtee.compat.voker.api import ApiClient
from llmtee.compat.voker.schema.base import (
    AgentNotFoundError,
    AgentVersionNotFoundError,
    FingerprintNotFoundError,
    PersonNotFoundError,
    SessionIdEmptyError,
)
from llmtee.testing.emulators import VokerEmulator, faults

EVENT = {"api": "openai-chat-completions", "inputs": {"messages": []}, "output": {"choices": []}}

METHODS = {
    (VokerClient, "agents", "create"): "agent_name description=",
    (VokerClient, "agent_versions", "create"): "agent_name agent_version_name description=",
    (VokerClient, "people", "create"): "person_id properties=",
    (VokerClient, "people", "update"): "person_id properties",
    (VokerClient, "events", "create"): (
        "event_name properties session agent= agent_version= person="
    ),
    (ApiClient, "agents", "create"): "agent_name description=",
    (ApiClient, "agents", "get"): "agent_name",
    (ApiClient, "agent_versions", "create"): "agent_name agent_version_name description=",
    (ApiClient, "agent_versions", "get"): "agent_name agent_version_name",
    (ApiClient, "people", "get"): "person_id",
    (ApiClient, "people", "create"): "person_id properties=",
    (ApiClient, "people", "update"): "person_id properties",
    (ApiClient, "fingerprints", "create"): "",
    (ApiClient, "events", "create"): (
        "event_name properties session fingerprint_id agent= agent_version= person="
    ),
}
"""What the SDK's page lists; ``=`` marks what may be left out."""


@pytest.fixture(scope="module")
def running():
    with VokerEmulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(running, monkeypatch):
    running.clear()
    monkeypatch.setenv("VOKER_API_KEY", running.key)
    monkeypatch.setenv("VOKER_BASE_URL", running.url)
    return running


@pytest.fixture
def api(emulator):
    client = ApiClient()
    yield client
    client.close()


@pytest.fixture
def voker(emulator):
    client = VokerClient()
    yield client
    client.close()


def test_every_method_of_the_page_is_there_with_its_arguments(api, voker) -> None:
    for (kind, group, name), words in METHODS.items():
        client = api if kind is ApiClient else voker
        parameters = inspect.signature(getattr(getattr(client, group), name)).parameters.values()
        assert all(one.kind is one.KEYWORD_ONLY for one in parameters)
        found = [one.name + ("=" if one.default is None else "") for one in parameters]
        assert found == words.split(), (group, name)


def test_api_client(api, emulator) -> None:
    agent = api.agents.create(agent_name="a", description="one")
    assert (agent.agent_name, agent.description, agent.deprecated_at) == ("a", "one", None)
    assert isinstance(agent.created_at, datetime)
    assert api.agents.get(agent_name="a") == agent
    version = api.agent_versions.create(agent_name="a", agent_version_name="v")
    assert api.agent_versions.get(agent_name="a", agent_version_name="v") == version
    assert version.agent_version_number == 1
    assert api.people.create(person_id="p", properties={"x": 1}).properties == {"x": 1}
    assert api.people.update(person_id="p", properties={"x": 2}).properties == {"x": 2}
    assert api.people.get(person_id="p").person_id == "p"
    own = api.fingerprints.create().fingerprint_id
    event = {"event_name": "llm", "properties": EVENT, "agent": "a"}
    assert api.events.create(session="s", fingerprint_id=own, **event) is None
    assert len(emulator.events) == 1
    with pytest.raises(AgentNotFoundError):
        api.agents.get(agent_name="no")
    with pytest.raises(AgentVersionNotFoundError):
        api.agent_versions.get(agent_name="a", agent_version_name="no")
    with pytest.raises(PersonNotFoundError):
        api.people.get(person_id="no")
    with pytest.raises(FingerprintNotFoundError):
        api.events.create(session="s", fingerprint_id="no", **event)
    with pytest.raises(SessionIdEmptyError):
        api.events.create(session="", fingerprint_id=own, **event)


def test_voker_client(emulator) -> None:
    voker = VokerClient()
    assert voker.agents.create(agent_name="a") is None
    voker.agent_versions.create(agent_name="a", agent_version_name="v")
    voker.people.create(person_id="p")
    voker.people.update(person_id="p", properties={"x": 1})
    properties = {**EVENT, "inputs": {"temperature": float("nan"), "messages": []}}
    voker.events.create(event_name="llm", properties=properties, session="s", agent="a")
    properties["inputs"]["messages"].append("changed after the call")
    voker.close(timeout=30)
    voker.close()
    assert emulator.versions.keys() == {("a", "v")}
    assert emulator.people["p"]["properties"] == {"x": 1}
    [event] = emulator.sessions["s"]
    assert event["properties"]["inputs"] == {"temperature": "<float: nan>", "messages": []}


def test_no_thread_and_no_request_before_the_first_call(emulator) -> None:
    before = threading.active_count()
    voker = VokerClient()
    assert threading.active_count() == before
    voker.close()
    assert not emulator.requests


def test_what_cannot_be_sent_is_said_and_never_raised(voker, caplog) -> None:
    with caplog.at_level(logging.ERROR, logger="llmtee"):
        voker.people.create(person_id="")
        voker.agents.create(agent_name=None)
    assert [record.getMessage() for record in caplog.records] == [
        "not sent to Voker: person_id must not be empty",
        "not sent to Voker: agent_name must be text, not NoneType",
    ]


def test_close_ends_though_voker_hangs_and_the_next_start_delivers(emulator) -> None:
    emulator.always(faults.status(503))
    voker = VokerClient()
    voker.people.create(person_id="p")
    voker.close(timeout=0.2)
    assert not emulator.people
    emulator.always(None)
    again = VokerClient()
    again.tee.start()
    assert emulator.wait_for(lambda: "p" in emulator.people, 30)
    again.close()


def test_clients_of_one_account_share_what_delivers(emulator) -> None:
    first, second = VokerClient(), VokerClient()
    assert first.tee is second.tee
    first.close(timeout=30)
    second.people.create(person_id="p")
    second.close(timeout=30)
    assert "p" in emulator.people


def test_what_waits_for_one_account_is_never_sent_to_another(emulator) -> None:
    with VokerEmulator(key="of-another-account") as other:
        emulator.always(faults.status(503))
        mine = VokerClient(api_key=emulator.key, base_url=emulator.url)
        theirs = VokerClient(api_key=other.key, base_url=other.url)
        mine.people.create(person_id="mine")
        theirs.people.create(person_id="theirs")
        mine.close(timeout=0.1)
        theirs.close(timeout=30)
        assert other.people.keys() == {"theirs"}
        again = VokerClient(api_key=other.key, base_url=other.url)
        again.people.create(person_id="more")
        again.close(timeout=30)
        assert other.people.keys() == {"theirs", "more"}


def test_without_a_key_it_is_a_value_error_that_says_what_to_do() -> None:
    for client in (VokerClient, ApiClient):
        with pytest.raises(ValueError, match="VOKER_API_KEY"):
            client()


def test_the_address_is_that_of_the_sdk_unless_told() -> None:
    client = VokerClient(api_key="k")
    [exporter] = client.tee._exporters
    assert exporter.settings.base_url == "https://evals.voker.ai"
    client.close()


def test_a_tee_can_be_shared(emulator, tmp_path) -> None:
    with Tee([emulator.exporter()], dir=tmp_path / "log") as tee:
        voker = VokerClient(tee=tee)
        voker.people.create(person_id="p")
        voker.close(timeout=30)
        assert tee.stats()["voker"].counts.delivered == 1
