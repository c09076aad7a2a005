from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee.testing.providers import ProviderServer


def _load(name: str) -> Any:
    """A module beside this one; tests are no package that could be imported from."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_watched = _load("watched_tee")


@pytest.fixture
def tee(tmp_path: Path) -> Iterator[Any]:
    with _watched.WatchedTee([], dir=tmp_path / "log") as tee:
        yield tee


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server
