"""Tables through the command line: with a mapping, with a proposal, and end to end to vendors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
TABLES = Path(__file__).parents[2] / "fixtures" / "tables"
CSV, MAPPING = TABLES / "support-export.csv", TABLES / "support-export.toml"


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_spreadsheets_export_reaches_honeyhive(llmtee: Run, tmp_path: Path) -> None:
    done = llmtee("convert", CSV, "--map", MAPPING, "--to", "honeyhive", "-o", "out.jsonl")
    assert (done.code, done.complaints) == (0, "")
    events = [event for body in lines(tmp_path / "out.jsonl") for event in body["events"]]
    calls = [event for event in events if event["event_type"] == "model"]
    assert len(calls) == 5
    first = calls[0]
    assert first["start_time"] == 1793693642000
    assert first["end_time"] - first["start_time"] == 1250
    assert first["feedback"]["rating"] == "positive"
    assert "Wo ist mein Paket?\nBestellnummer: 4711" in json.dumps(
        first, ensure_ascii=False
    ).replace("\\n", "\n")
    assert calls[4]["outputs"]["content"] == "Да 👍"


def test_and_inkeep(llmtee: Run, tmp_path: Path) -> None:
    shutil.copy(CSV, tmp_path / "t.csv")
    shutil.copy(MAPPING, tmp_path / "t.toml")
    done = llmtee("convert", "t.csv", "--map", "t.toml", "--to", "inkeep", "-o", "out.jsonl")
    assert (done.code, done.complaints) == (0, "")
    bodies = lines(tmp_path / "out.jsonl")
    assert len(bodies) == 4
    first = next(body for body in bodies if len(body["messages"]) == 4)
    assert [message["role"] for message in first["messages"]] == ["user", "assistant"] * 2
    assert "Zwischen 10 und 12 Uhr." in json.dumps(first)


def test_from_a_pipe_and_with_options_over_the_file(llmtee: Run) -> None:
    done = llmtee(
        *("convert", "-", "--map", MAPPING, "--map", "rest=drop", "--map", 'name={value="row"}'),
        *("--to", "llmtee"),
        stdin=CSV.read_bytes(),
    )
    assert (done.code, done.complaints) == (0, "")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["name"] for event in events] == ["row"] * 5
    assert not any("properties" in event for event in events)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text("conversation_id;user;prompt;completion\n1;u;hi;yes\n1;u;more;no\n", "utf-8")
    return path


def test_without_a_mapping_one_is_proposed(llmtee: Run, table: Path, tmp_path: Path) -> None:
    done = llmtee("convert", table, "--to", "honeyhive", "-o", "out.jsonl")
    assert done.code == 2
    assert not (tmp_path / "out.jsonl").exists()
    said = (
        "--map session=conversation_id --map person=user --map input=prompt --map output=completion"
    )
    assert said in done.err
    [options] = [line for line in done.err.splitlines() if line.startswith("--map session")]
    by_hand = llmtee("convert", table, *options.split(), "--to", "llmtee")
    assert (by_hand.code, by_hand.complaints) == (0, "")
    (tmp_path / "mapping.toml").write_text(done.err.split("\n\n")[1], "utf-8")
    by_file = llmtee("convert", table, "--map", "mapping.toml", "--to", "llmtee")
    assert by_file.out == by_hand.out
    accepted = llmtee("convert", table, "--map", "auto", "--to", "llmtee")
    assert accepted.out == by_hand.out
    assert (
        "t.csv: read as table, because 'conversation_id' is session, 'user' is person"
        in accepted.err
    )


def test_other_commands_take_it_too(llmtee: Run, table: Path) -> None:
    explained = llmtee("explain", table, "--map", "auto", "--to", "honeyhive", "--json")
    assert (explained.code, explained.json["items"]) == (0, 2)
    sent = llmtee("send", table, "--map", "auto", "--to", "inkeep", "--dry-run", "--json")
    assert (sent.code, sent.json["items"]) == (0, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["session=Conversation_ID"], "did you mean 'conversation_id'"),
        (["input=prompt", "input=user"], "--map input is given twice"),
        (["input={column="], "--map input: is not TOML"),
    ],
)
def test_a_wrong_mapping_is_wrong_use(
    llmtee: Run, table: Path, words: list[str], said: str
) -> None:
    options = [part for word in words for part in ("--map", word)]
    done = llmtee("convert", table, *options, "--to", "llmtee")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


def test_what_is_passed_over_in_a_folder_is_said(llmtee: Run, table: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x", "utf-8")
    done = llmtee("convert", tmp_path, "--map", "auto", "--to", "llmtee")
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    assert f"{tmp_path}: passed over " in done.err
    assert "notes.txt" in done.err


def test_a_glob_that_no_shell_expanded(llmtee: Run, table: Path) -> None:
    done = llmtee("convert", "*.c?v", "--map", "auto", "--to", "llmtee")
    assert (done.code, len(done.out.splitlines())) == (0, 2)
