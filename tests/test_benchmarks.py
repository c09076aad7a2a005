"""The benchmarks run. What they measure is no matter of tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = ("basics", "capture_cost", "clients", "events", "measure", "profiled", "run", "sink")


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    assert {path.stem for path in BENCHMARKS.glob("*.py")} == set(NAMES)
    for name in NAMES:
        import_module(name)
    module = sys.modules["measure"]
    monkeypatch.setattr(module, "WARM_UP", 2)
    yield module
    for name in NAMES:
        del sys.modules[name]


def test_every_measurement_gives_figures(measure: ModuleType) -> None:
    assert set(measure.caller("record", "2 KB", busy=True, calls=3)) == {"median", "p99", "worst"}
    assert measure.caller("record_call, no delivery", "20 KB", busy=False, calls=3)["median"] > 0
    assert measure.arrival("all four", "httpx", count=3)["events/s"] > 0
    assert measure.waiting(5)["on disk"] > 0


def test_events_have_the_size_that_they_are_named_after(measure: ModuleType) -> None:
    from llmtee import jsontext  # noqa: PLC0415

    events = sys.modules["events"]
    for size, low, high in (("2 KB", 1_800, 2_300), ("20 KB", 17_000, 23_000)):
        assert low < len(jsontext.dumps(events.records(1, size)[0])) < high


def test_no_peer_finds_a_key_or_an_address(
    measure: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANGSMITH_API_KEY", "HH_API_KEY", "HTTPS_PROXY", "VOKER_API_KEY"):
        monkeypatch.setenv(name, "a-real-one")
    environment = sys.modules["clients"].closed_environment("home")
    assert "a-real-one" not in environment.values()
    assert environment["HOME"] == "home"
