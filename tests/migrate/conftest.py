from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from llmtee import Tee
from llmtee.model import Event, Supplement
from llmtee.testing.emulators import Emulator, emulator_class
from llmtee.testing.histories import history, load

VENDORS = ("honeyhive", "inkeep", "roark", "voker")
SESSIONS = 6


@pytest.fixture(scope="session")
def running() -> Iterator[Callable[[str, str], Emulator]]:
    """Servers that are shared, by part and vendor; each is started when it is first asked for."""
    with ExitStack() as stack:
        known: dict[tuple[str, str], Emulator] = {}

        def start(part: str, vendor: str) -> Emulator:
            if (part, vendor) not in known:
                emulator = stack.enter_context(emulator_class(vendor)())
                known[part, vendor] = emulator
                if part == "source":
                    load(emulator, history(SESSIONS))
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
    return record(tmp_path_factory.mktemp("application") / "log", list(history(SESSIONS)))


def record(directory: Path, items: list[Event | Supplement]) -> Path:
    with Tee([], dir=directory, deliver=False) as tee:
        for item in items:
            tee.record(item, live=False)
    return directory


@pytest.fixture
def source(running: Callable[[str, str], Emulator], recorded: Path) -> Callable[[str], Any]:
    """What a user names as the source that is a vendor with a history."""

    def named(vendor: str) -> Any:
        if vendor == "voker":
            return f"log:{recorded}"
        return running("source", vendor).exporter()

    return named
