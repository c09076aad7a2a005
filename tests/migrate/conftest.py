from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from llmtee import Tee
from llmtee.testing.emulators import Emulator, emulator_class
from llmtee.testing.histories import history, load

VENDORS = ("honeyhive", "inkeep", "roark", "voker")
SESSIONS = {"source": 3, "large source": 2000}


@pytest.fixture(scope="session")
def running() -> Iterator[Callable[[str, str], Emulator]]:
    """Servers that are shared, by part and vendor; each is started when it is first asked for."""
    with ExitStack() as stack:
        known: dict[tuple[str, str], Emulator] = {}

        def start(part: str, vendor: str) -> Emulator:
            if (part, vendor) not in known:
                emulator = stack.enter_context(emulator_class(vendor)())
                known[part, vendor] = emulator
                if part in SESSIONS:
                    load(emulator, history(SESSIONS[part]))
            return known[part, vendor]

        yield start


@pytest.fixture
def target(running: Callable[[str, str], Emulator]) -> Callable[[str], Emulator]:
    """An empty server of a vendor."""

    def cleared(vendor: str) -> Emulator:
        emulator = running("target", vendor)
        emulator.clear()
        return emulator

    return cleared


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The event log of an application that delivered to Voker, which cannot be read."""
    return record(tmp_path_factory.mktemp("application") / "log", SESSIONS["source"])


@pytest.fixture(scope="session")
def recorded_much(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after two thousand sessions."""
    return record(tmp_path_factory.mktemp("large") / "log", SESSIONS["large source"])


def record(directory: Path, sessions: int) -> Path:
    with Tee([], dir=directory, deliver=False) as tee:
        for item in history(sessions):
            tee.record(item, live=False)
    return directory


Source = Callable[[str], Any]


@pytest.fixture
def source(running: Callable[[str, str], Emulator], recorded: Path) -> Source:
    """What a user names as the source, by the vendor whose history it is."""
    return lambda vendor: (
        f"log:{recorded}" if vendor == "voker" else running("source", vendor).exporter()
    )


@pytest.fixture
def large_source(running: Callable[[str, str], Emulator], recorded_much: Path) -> Source:
    """The same with two thousand sessions."""
    return lambda vendor: (
        f"log:{recorded_much}" if vendor == "voker" else running("large source", vendor).exporter()
    )
