from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee.capture import _call
from llmtee.testing.emulators import HoneyHiveEmulator
from llmtee.testing.providers import ProviderServer


def _load(name: str) -> Any:
    """A module beside this one; tests are no package that could be imported from."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_clients = _load("capture_clients")


_THEIRS = [
    "ignore:Inheritance class AiohttpClientSession:DeprecationWarning",  # Google's SDK beside aiohttp
]
if _clients.OPENAI_VERSION < (2, 0):  # the oldest versions beside the newest pydantic
    _THEIRS += [
        "ignore:Pydantic serializer warnings:UserWarning",
        "ignore::pydantic.PydanticDeprecatedSince20",
        "ignore:unclosed:ResourceWarning",
        "ignore::pytest.PytestUnraisableExceptionWarning",
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for rule in _THEIRS:
                item.add_marker(pytest.mark.filterwarnings(rule))


@pytest.fixture
def notebook() -> Any:
    return _clients.Notebook()


@pytest.fixture(scope="session")
def _stage() -> Iterator[Any]:
    stage = _clients.Stage()
    yield stage
    stage.close()


@pytest.fixture(autouse=True)
def _closed(_stage: Any) -> Iterator[None]:
    yield
    _stage.end_of_test()


@pytest.fixture
def stage(_stage: Any) -> Any:
    _stage.clear()
    return _stage


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture
def honeyhive() -> type[HoneyHiveEmulator]:
    return HoneyHiveEmulator


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_call, "_said", set())
    # Its own spans would go nowhere; a developer's exporter is none of our business.
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY", "false")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "test-key")
