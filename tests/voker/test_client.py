"""Direct calls of Voker's API, over real HTTP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from datetime import UTC

import pytest

from llmtee.delivery import Tuning
from llmtee.errors import ApiUnauthorised, ApiUnavailable, ApiUnreachable, ConfigError, UsageError
from llmtee.spec import RetryPolicy
from llmtee.testing.emulators import VokerEmulator, faults
from llmtee.vendors.voker import Voker
from llmtee.voker import (
    AgentNotFound,
    AsyncClient,
    Client,
    FingerprintNotFound,
    PersonNotFound,
    SessionIdEmpty,
)

FAST = Tuning(retry=RetryPolicy(initial=0.001, jitter=0.001, maximum=0.01))
EVENT = {"api": "openai-chat-completions", "inputs": {"messages": []}, "output": {"choices": []}}


@pytest.fixture(scope="module")
def running():
    with VokerEmulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(running):
    running.clear()
    return running


@pytest.fixture
def voker(emulator):
    with Client(api_key=emulator.key, base_url=emulator.url, tuning=FAST) as client:
        yield client


def test_agents_versions_and_people(voker, emulator) -> None:
    agent = voker.agents.create("support/eu", "answers mail")
    assert voker.agents.create("support/eu", "something else") == agent
    assert voker.agents.get("support/eu").description == "answers mail"
    assert agent.created_at.tzinfo is UTC
    version = voker.agent_versions.create("support/eu", "v1?")
    assert voker.agent_versions.get("support/eu", "v1?") == version
    voker.people.create("user#1", {"plan": "free"})
    voker.people.update("user#1", {"plan": "pro"})
    assert voker.people.get("user#1").properties == {"plan": "pro"}
    with pytest.raises(AgentNotFound, match="GET /api/v1/agents/nobody: 404: agent-not-found"):
        voker.agents.get("nobody")
    with pytest.raises(PersonNotFound):
        voker.people.update("nobody", {})


def test_the_same_with_await(emulator) -> None:
    async def calls() -> None:
        async with AsyncClient(api_key=emulator.key, base_url=emulator.url, tuning=FAST) as voker:
            agents = await asyncio.gather(*(voker.agents.create(f"a{n}") for n in range(8)))
            assert [agent.agent_name for agent in agents] == [f"a{n}" for n in range(8)]
            assert await voker.agents.get("a1") == agents[1]
            await voker.agent_versions.create("a1", "v")
            assert (await voker.agent_versions.get("a1", "v")).agent_version_number == 1
            await voker.people.create("p")
            await voker.people.update("p", {"x": 1})
            assert (await voker.people.get("p")).properties == {"x": 1}
            await asyncio.gather(
                *(voker.events.create("llm", EVENT, "s", agent="a") for _ in range(4))
            )
            emulator.expire_fingerprints()
            await voker.events.create("llm", EVENT, "s", agent="a")
            with pytest.raises(SessionIdEmpty):
                await voker.events.create("llm", EVENT, "", agent="a")
        with pytest.raises(UsageError, match="closed"):
            await voker.agents.get("a1")

    asyncio.run(calls())
    assert len(emulator.sessions["s"]) == 5
    assert len([one for one in emulator.requests if one.path.endswith("fingerprints")]) == 2


def test_an_event_needs_no_fingerprint_of_the_callers(voker, emulator) -> None:
    voker.events.create("llm", {**EVENT, "inputs": {"x": float("nan")}}, "s", agent="a", person="p")
    emulator.expire_fingerprints()
    voker.events.create("llm", EVENT, "s", agent="a", agent_version="v")
    assert len(emulator.sessions["s"]) == 2
    assert emulator.events[0]["properties"]["inputs"] == {"x": "<float: nan>"}
    with pytest.raises(FingerprintNotFound):
        voker.events.create("llm", EVENT, "s", fingerprint_id="unknown", agent="a")
    own = voker.fingerprints.create().fingerprint_id
    voker.events.create("llm", EVENT, "s", fingerprint_id=own, agent="a")
    assert len(emulator.events) == 3


def test_what_is_safe_is_tried_again_and_nothing_else(voker, emulator) -> None:
    emulator.script(faults.status(503), faults.status(500))
    assert voker.people.create("p").person_id == "p"
    emulator.script(faults.status(429, retry_after=0))
    voker.events.create("llm", EVENT, "s", agent="a")
    emulator.script(faults.reset("after"))
    voker.people.update("p", {})
    assert len(emulator.events) == 1
    emulator.script(faults.status(500))
    with pytest.raises(ApiUnavailable):
        voker.events.create("llm", EVENT, "s", agent="a")
    emulator.script(faults.reset("after"))
    with pytest.raises(ApiUnreachable):
        voker.events.create("llm", EVENT, "s", agent="a")
    assert len(emulator.events) == 2  # stored before the answer was lost, and not a second time


def test_a_long_retry_after_is_not_waited_for(voker, emulator) -> None:
    emulator.script(faults.status(429, retry_after=3600))
    with pytest.raises(ApiUnavailable) as caught:
        voker.people.create("p")
    assert caught.value.retry_after == 3600
    assert len(emulator.requests) == 1


def test_tries_end(voker, emulator) -> None:
    emulator.always(faults.status(503))
    with pytest.raises(ApiUnavailable):
        voker.people.create("p")
    assert len(emulator.requests) == 3


def test_a_server_that_hangs_is_given_up(emulator) -> None:
    emulator.always(faults.hang())
    with (
        Client(api_key=emulator.key, base_url=emulator.url, timeout=0.05, retries=0) as voker,
        pytest.raises(ApiUnreachable, match=r"no complete answer within 0.05 s"),
    ):
        voker.people.create("p")


def test_close_ends_a_call_under_way(emulator) -> None:
    emulator.always(faults.hang())
    voker = Client(api_key=emulator.key, base_url=emulator.url, timeout=60)
    ends: list[BaseException] = []

    def call() -> None:
        try:
            voker.people.create("p")
        except UsageError as error:
            ends.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert emulator.wait_for(lambda: bool(emulator.requests))
    voker.close()
    thread.join(30)
    assert "closed" in str(ends[0])
    with pytest.raises(UsageError, match="closed"):
        voker.people.get("p")


def test_a_wrong_key_and_no_key(emulator) -> None:
    with (
        Client(api_key="wrong-key-of-mine", base_url=emulator.url) as voker,
        pytest.raises(ApiUnauthorised) as caught,
    ):
        voker.agents.get("a")
    assert "wrong-key" not in str(caught.value)
    with pytest.raises(ConfigError, match="VOKER_API_KEY"):
        Client()


def test_settings_come_from_the_environment_and_from_an_exporter(emulator, monkeypatch) -> None:
    monkeypatch.setenv("VOKER_API_KEY", emulator.key)
    monkeypatch.setenv("VOKER_BASE_URL", emulator.url)
    with Client(settings=Voker(packages={"mine": "1.0"})) as voker:
        own = voker.fingerprints.create().fingerprint_id
    assert emulator.fingerprints[own]["all_packages"] == {"mine": "1.0"}


FORK = """
import os, sys
from llmtee.voker import Client
voker = Client()
voker.agents.create("parent")
child = os.fork()
if child == 0:
    ok = voker.agents.get("parent").agent_name == "parent"
    os._exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
assert voker.agents.get("parent")
voker.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.slow
def test_a_client_survives_a_fork(emulator, monkeypatch) -> None:
    monkeypatch.setenv("VOKER_API_KEY", emulator.key)
    monkeypatch.setenv("VOKER_BASE_URL", emulator.url)
    words = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
