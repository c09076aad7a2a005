"""The quick start of Voker's SDK page, with only the import changed, against the providers' real SDKs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from llmtee.compat.voker import VokerClient
from llmtee.compat.voker.ai import provider_anthropic, provider_gemini, provider_openai
from llmtee.testing.emulators import VokerEmulator

PROGRAM = """
from llmtee.compat.voker.ai.provider_openai import OpenAI

client = OpenAI()

client.chat.completions.create(
    voker_agent="customer-support-agent",  # required
    voker_session="user-session-1",  # required
    model="gpt-4.1-mini",
    messages=[{"role": "user", "content": "Hello, world!"}],
)
"""


@pytest.fixture
def emulator(monkeypatch: Any) -> Any:
    providers = pytest.importorskip("llmtee.testing.providers")
    with VokerEmulator() as running, providers.ProviderServer() as provider:
        for name, value in {
            "VOKER_API_KEY": running.key,
            "VOKER_BASE_URL": running.url,
            "OPENAI_API_KEY": "test-key",
            "OPENAI_BASE_URL": provider.openai_url,
            "ANTHROPIC_API_KEY": "test-key",
            "ANTHROPIC_BASE_URL": provider.url,
            "ANTHROPIC_OPEN_TELEMETRY": "false",
            "GEMINI_API_KEY": "test-key",
        }.items():
            monkeypatch.setenv(name, value)
        running.provider = provider
        yield running


@pytest.mark.slow
def test_the_quick_start_runs(emulator: Any, tmp_path: Path) -> None:
    """A process of its own, which ends right after the call: nothing is flushed by hand."""
    pytest.importorskip("openai")
    words = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [event] = emulator.events
    assert event["agent"] == "customer-support-agent"
    assert event["session"] == "user-session-1"
    assert event["event_name"] == "llm"
    assert event["properties"]["api"] == "openai-chat-completions"
    assert event["properties"]["inputs"] == {
        "model": "gpt-4.1-mini",
        "messages": [{"role": "user", "content": "Hello, world!"}],
    }
    assert event["properties"]["output"]["choices"][0]["message"]["role"] == "assistant"
    [request] = emulator.provider.requests
    assert "voker" not in request.body.decode()


def test_openai_streams_and_asynchronous_calls(emulator: Any) -> None:
    openai = pytest.importorskip("openai")

    voker = VokerClient()
    client = provider_openai.OpenAI(voker)
    assert isinstance(client, openai.OpenAI)
    about = {"voker_agent": "a", "voker_agent_version": "v", "voker_person": "p"}
    said = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
    chunks = client.chat.completions.create(voker_session="s-1", stream=True, **about, **said)
    assert list(chunks)
    client.responses.create(voker_session="s-2", model="gpt-4o", input="Hi", **about)

    async def call() -> None:
        async with provider_openai.AsyncOpenAI(voker_client=voker) as own:
            await own.chat.completions.create(voker_session="s-3", **about, **said)

    asyncio.run(call())
    base = openai.OpenAI(default_headers={"x-mine": "yes"})
    through = provider_openai.OpenAI(voker_client=voker, base_openai_client=base)
    through.chat.completions.create(voker_session="s-4", **about, **said)
    voker.close(timeout=30)
    assert emulator.sessions.keys() == {"s-1", "s-2", "s-3", "s-4"}
    assert {len(events) for events in emulator.sessions.values()} == {1}
    assert emulator.versions.keys() == {("a", "v")}
    assert emulator.people.keys() == {"p"}
    assert emulator.sessions["s-1"][0]["properties"]["inputs"]["stream"] is True
    assert emulator.sessions["s-2"][0]["properties"]["api"] == "openai-responses"
    assert emulator.provider.requests[-1].headers["x-mine"] == "yes"


def test_anthropic_and_gemini(emulator: Any) -> None:
    pytest.importorskip("anthropic")
    types = pytest.importorskip("google.genai.types")

    voker = VokerClient()
    provider_anthropic.Anthropic(voker_client=voker).messages.create(
        voker_agent="a",
        voker_session="s-1",
        model="claude-test",
        max_tokens=10,
        messages=[{"role": "user", "content": "Hi"}],
    )
    options = types.HttpOptions(base_url=emulator.provider.url)
    client = provider_gemini.Client(voker_client=voker, http_options=options)
    client.models.generate_content(
        voker_agent="a", voker_session="s-2", model="gemini-2.5-flash", contents="Hi"
    )
    voker.close(timeout=30)
    apis = {name: events[0]["properties"]["api"] for name, events in emulator.sessions.items()}
    assert apis == {"s-1": "anthropic-messages", "s-2": "gemini-models"}


@pytest.mark.parametrize(
    ("provider", "name", "extra"),
    [
        ("openai", "OpenAI", "openai"),
        ("anthropic", "Anthropic", "anthropic"),
        ("gemini", "Client", "gemini"),
    ],
)
def test_without_a_provider_sdk_only_its_own_module_fails(
    provider: str, name: str, extra: str, monkeypatch: Any
) -> None:
    for package in ("openai", "anthropic", "google", "google.genai"):
        monkeypatch.setitem(sys.modules, package, None)
    module = import_module(f"llmtee.compat.voker.ai.provider_{provider}")
    monkeypatch.delitem(vars(module), name, raising=False)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'llmtee\[{extra}\]'"):
        getattr(module, name)
    with pytest.raises(AttributeError, match="no attribute"):
        module.Nothing  # noqa: B018
