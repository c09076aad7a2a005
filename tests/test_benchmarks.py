"""The benchmarks run. What they measure is no matter of tests."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import llmtee

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = (
    *("basics", "capture_cost", "clients", "convert", "events", "make_records", "measure"),
    *("profiled", "run", "sink"),
)


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


def test_lines_that_are_broken_in_every_way_are_told_and_all_others_done(
    measure: ModuleType, tmp_path: Path
) -> None:
    make_records = sys.modules["make_records"]
    source, side = tmp_path / "records.jsonl", tmp_path / "errors.jsonl"
    manifest = make_records.write(source, 600_000, broken=len(make_records.BROKEN))
    assert {one["kind"] for one in manifest["broken"]} == set(make_records.BROKEN)
    again = tmp_path / "again.jsonl"
    assert (
        make_records.write(again, 600_000, broken=len(make_records.BROKEN)) | {"path": str(source)}
        == manifest
    )
    assert again.read_bytes() == source.read_bytes()
    report = llmtee.convert(
        source,
        tmp_path / "out",
        source="openai-chat",
        target="honeyhive",
        errors=side,
        on_error=str,
    )
    told = [json.loads(line) for line in side.read_text("utf-8").splitlines()]
    assert [one["line"] for one in told] == [one["line"] for one in manifest["broken"]]
    assert report.read == report.written == manifest["records"]
    lines = source.read_bytes().split(b"\n")
    for one in told:
        original = one.get("original", "").encode() or base64.b64decode(one["original_base64"])
        assert original == lines[one["line"] - 1]


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_file_that_is_larger_than_the_memory_it_may_take(
    measure: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--size", "320MB", "--to", "honeyhive,inkeep", "--json", "--dir", str(tmp_path)]
    sys.modules["convert"].main(words)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == 5
    assert all(row["peak MB"] < 300 for row in rows), rows
