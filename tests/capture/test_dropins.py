"""Traced clients under the SDKs' own names, and the Tee that they record to."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import anthropic
import openai
import pytest
from capture_clients import MESSAGES, make_anthropic, make_gemini, make_openai
from google import genai

import llmtee
from llmtee.errors import ConfigError
from llmtee.tee import _default
from llmtee.testing.emulators import VokerEmulator
from llmtee.testing.providers import ProviderServer

NAMES = [
    ("openai", "OpenAI", openai),
    ("openai", "AsyncOpenAI", openai),
    ("openai", "AzureOpenAI", openai),
    ("openai", "AsyncAzureOpenAI", openai),
    ("anthropic", "Anthropic", anthropic),
    ("anthropic", "AsyncAnthropic", anthropic),
    ("gemini", "Client", genai),
]


@pytest.fixture(autouse=True)
def _default_tee_of_its_own() -> Iterator[None]:
    llmtee.configure()
    yield
    llmtee.configure()


def class_of(module: str, name: str) -> Any:
    return getattr(import_module(f"llmtee.capture.{module}"), name)


@pytest.mark.parametrize(
    ("module", "name", "sdk"), NAMES, ids=lambda it: it if isinstance(it, str) else ""
)
def test_they_are_of_the_same_classes(module: str, name: str, sdk: Any) -> None:
    found = class_of(module, name)
    assert issubclass(found, getattr(sdk, name))
    assert found.__name__ == name
    assert found.__doc__ == getattr(sdk, name).__doc__
    assert inspect.signature(found) == inspect.signature(getattr(sdk, name))
    assert class_of(module, name) is found


def test_nothing_is_made_before_the_first_call(provider: ProviderServer) -> None:
    client = make_openai(provider, class_of("openai", "OpenAI"))
    assert isinstance(client, openai.OpenAI)
    assert _default._tee is None
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        class_of("openai", "Nobody")


def test_vokers_quick_start_with_another_import(
    provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with VokerEmulator() as voker:
        monkeypatch.setenv("VOKER_API_KEY", voker.key)
        monkeypatch.setenv("LLMTEE_VOKER_BASE_URL", voker.url)
        monkeypatch.setenv("OPENAI_BASE_URL", provider.openai_url)
        client = class_of("openai", "OpenAI")()
        client.chat.completions.create(
            voker_agent="customer-support-agent",
            voker_session="user-session-1",
            model="gpt-4.1-mini",
            messages=[{"role": "user", "content": "Hello, world!"}],
        )
        tee = llmtee.get_tee()
        assert tee.flush(30)
        assert tee.stats().exporters.keys() == {"voker"}
        bodies = [request.body for request in voker.requests if request.path.endswith("/events")]
        [event] = [event for body in bodies for event in llmtee.parse(body, "voker")]
        assert event.session == "user-session-1"
        assert event.agent is not None
        assert event.agent.name == "customer-support-agent"
        tee.close()


def test_all_of_them_record_to_what_is_configured(provider: ProviderServer) -> None:
    with VokerEmulator() as voker:
        llmtee.configure([voker.exporter()])
        make_openai(provider, class_of("openai", "OpenAI")).with_options(
            timeout=9
        ).chat.completions.create(model="m", messages=MESSAGES)
        make_anthropic(provider, class_of("anthropic", "Anthropic")).messages.create(
            model="m", max_tokens=9, messages=MESSAGES
        )
        google = make_gemini(provider, class_of("gemini", "Client"))
        google.models.generate_content(model="m", contents="hi")
        tee = llmtee.get_tee()
        assert llmtee.get_tee() is tee
        assert tee.stats().recorded == 3
        llmtee.configure([])
        assert llmtee.get_tee() is not tee
        assert tee.record_json("openai-chat", {}) != ""  # closed: counted, and never raised
        assert tee.stats().refused == 1


def test_without_any_key_it_says_what_to_set(
    provider: ProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_openai(provider, class_of("openai", "OpenAI"))
    with caplog.at_level(logging.WARNING, logger="llmtee"):
        for _ in range(2):
            client.chat.completions.create(model="m", messages=MESSAGES)
    [said] = [record.message for record in caplog.records if "no vendor" in record.message]
    assert "VOKER_API_KEY" in said
    assert "llmtee.configure" in said


def test_wrong_settings_are_no_exception_of_the_call(
    provider: ProviderServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VOKER_API_KEY", "käse")
    client = make_openai(provider, class_of("openai", "OpenAI"))
    with pytest.raises(ConfigError, match="VOKER_API_KEY"):
        client.chat.completions.create(model="m", messages=MESSAGES)  # under pytest only
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.setattr(_default.DEFAULT, "_lines", _default.Limited())
    caplog.clear()
    with caplog.at_level(logging.ERROR, logger="llmtee"):
        for _ in range(3):
            assert client.chat.completions.create(model="m", messages=MESSAGES).choices
    assert len([record for record in caplog.records if "VOKER_API_KEY" in record.message]) == 1


@pytest.mark.parametrize(
    ("module", "name", "package", "extra"),
    [
        ("openai", "OpenAI", "openai", "openai"),
        ("anthropic", "Anthropic", "anthropic", "anthropic"),
        ("gemini", "Client", "google.genai", "gemini"),
    ],
)
def test_without_the_sdk_the_error_names_the_extra(
    module: str, name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = import_module(f"llmtee.capture.{module}")
    monkeypatch.delitem(vars(found), name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"pip install 'llmtee\[{extra}\]'"):
        getattr(found, name)


WITHOUT = """
import sys
SDKS = ("openai", "anthropic", "google.genai")
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name in SDKS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Gone())
import llmtee, llmtee.capture, llmtee.capture.openai, llmtee.capture.anthropic, llmtee.capture.gemini
from llmtee import registry
from llmtee.errors import UsageError
for name in ("openai", "anthropic", "google.genai"):
    assert registry._capture(name).package == name
try:
    llmtee.Tee([], dir=sys.argv[1]).wrap(object())
except UsageError as error:
    assert "google.genai" in str(error)
assert not set(SDKS) & set(sys.modules)
print("fine")
"""


def test_nothing_but_a_client_needs_an_sdk(tmp_path: Any) -> None:
    words = [sys.executable, "-c", WITHOUT, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "fine", done.stderr
