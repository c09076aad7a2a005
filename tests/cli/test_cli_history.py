"""``llmtee history``: a vendor's history, or an event log, in a file; also after an interruption."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import llmtee
from llmtee import Tee, ToolRun
from llmtee.cli._app import app
from llmtee.testing.emulators import HoneyHiveEmulator, faults

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[HoneyHiveEmulator]:
    with HoneyHiveEmulator() as emulator:
        for number in range(30):
            event = {
                "event_id": f"00000000-0000-0000-0000-{number:012d}",
                "session_id": "00000000-0000-0000-0000-00000000feed",
                "event_type": "tool",
                "inputs": {},
                "start_time": NOON.timestamp() * 1000 + number * 60_000,
            }
            emulator.ask("POST", "/v1/events", event)
        monkeypatch.setenv("HH_API_KEY", emulator.key)
        monkeypatch.setenv("HH_API_URL", emulator.url)
        yield emulator


def test_a_vendors_history_becomes_a_file(emulator: HoneyHiveEmulator, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    done = run("history", "honeyhive", "-o", output)
    assert (done.exit_code, done.stdout) == (0, f"31 items written to {output}\n")
    assert [item.id for item in llmtee.read(output)] == [item["id"] for item in lines(output)]
    assert list(tmp_path.iterdir()) == [output]
    window = ("--since", "2026-01-01T12:10Z", "--until", "2026-01-01T12:20Z")
    done = run("history", "honeyhive", "-o", output, *window, "--json")
    told = json.loads(done.stdout)
    assert told["written"] == len(lines(output)) == 10
    assert "1 events or sessions have no time at all" in told["notes"][0]
    assert told["notes"][0] in done.stderr


def test_what_was_interrupted_goes_on(
    emulator: HoneyHiveEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("[honeyhive]\nmax_items = 5\nconcurrency = 1\n", "utf-8")
    monkeypatch.setenv("LLMTEE_CONFIG", str(config))
    whole, output = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    window = ("--since", "2026-01-01T12:00Z", "--until", "2026-01-01T13:00Z")
    assert run("history", "honeyhive", "-o", whole, *window).exit_code == 0
    emulator.script(*[faults.ok()] * 12, faults.status(401), reads=True)
    command = ("history", "honeyhive", "-o", output, *window)
    done = run(*command)
    assert done.exit_code == 1
    assert "--resume goes on" in done.stderr
    assert emulator.key not in done.stderr
    assert not output.exists()
    partial = output.with_name("out.jsonl.partial")
    assert 0 < len(lines(partial)) < 30
    again = run(*command)
    assert again.exit_code == 2
    assert "go on with --resume, or delete it" in again.stderr
    with partial.open("ab") as file:  # killed in the middle of a step
        file.write(b'{"kind": "tool_')
    assert run(*command, "--resume").exit_code == 0
    assert output.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {
        *("settings.toml", "whole.jsonl", "out.jsonl")
    }


def test_an_interrupted_run_of_another_source_is_left_alone(
    emulator: HoneyHiveEmulator, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    emulator.script(*[faults.ok()] * 2, faults.status(401), reads=True)
    assert run("history", "honeyhive", "-o", output).exit_code == 1
    with Tee([], dir=tmp_path / "log") as tee:
        tee.record(ToolRun(name="lookup"))
    done = run("history", f"log:{tmp_path / 'log'}", "-o", output, "--resume")
    assert done.exit_code == 2
    assert "is of another source" in done.stderr


def test_an_event_log_becomes_a_file_and_is_read_by_other_commands(tmp_path: Path) -> None:
    source, output = f"log:{tmp_path / 'log'}", tmp_path / "out.jsonl"
    with Tee([], dir=tmp_path / "log") as tee:
        event = tee.record(ToolRun(name="lookup", session="s"))
        tee.feedback(event, rating="positive")
    done = run("history", source, "-o", output)
    assert done.exit_code == 0
    assert "1 of the kind annotation are no events" in done.stderr
    assert [item["id"] for item in lines(output)] == [event]
    explained = run("explain", source, "--to", "honeyhive", "--json")
    assert explained.exit_code == 0
    assert json.loads(explained.stdout)["items"] == 1
    assert "1 annotations and the like are no events" in explained.stderr
    planned = run("send", source, "--to", "inkeep", "--dry-run", "--json")
    assert planned.exit_code == 0
    converted = run("convert", source, "--to", "inkeep")
    assert converted.exit_code == 2
    assert f"write it to a file first: llmtee history {source} -o FILE" in converted.stderr


def test_what_cannot_be_read_back_says_what_to_do(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    done = CliRunner().invoke(
        app, ["history", "voker", "-o", str(output)], env={"VOKER_API_KEY": "k"}
    )
    assert done.exit_code == 1
    assert "Voker has no history to read" in done.stderr
    assert "log:DIR" in done.stderr
    assert run("history", "log:" + str(tmp_path / "nowhere"), "-o", output).exit_code == 2
    assert run("history", "honeyhives", "-o", output).exit_code == 2
    assert list(tmp_path.iterdir()) == []
