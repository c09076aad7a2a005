"""A record with secrets in every place that an application could put them, and four emulated vendors."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llmtee.testing import emulators

CLASSES = (
    emulators.VokerEmulator,
    emulators.HoneyHiveEmulator,
    emulators.InkeepEmulator,
    emulators.RoarkEmulator,
)


@pytest.fixture
def vendors() -> Iterator[dict[str, emulators.Emulator]]:
    with ExitStack() as stack:
        yield {kind.vendor: stack.enter_context(kind()) for kind in CLASSES}


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """``planted.py`` beside this file, which the processes of the tests load too."""
    path = Path(__file__).with_name("planted.py")
    spec = importlib.util.spec_from_file_location("planted", path)
    assert spec
    assert spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["planted"] = module
    spec.loader.exec_module(module)
    return module  # type: ignore[no-any-return]
