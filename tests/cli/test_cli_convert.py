from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("target", "count"),
    [
        ("llmtee", 10),
        ("openai-chat", 10),
        ("voker", 10),
        ("honeyhive", 2),
        ("inkeep", 2),
        ("roark", 2),
    ],
)
def test_records_become_any_target(
    llmtee: Run, logs: Path, tmp_path: Path, target: str, count: int
) -> None:
    done = llmtee("convert", logs, "--from", "openai-chat", "--to", target, "-o", "out.jsonl")
    assert (done.code, done.complaints) == (0, "")
    out = _lines(tmp_path / "out.jsonl")
    assert len(out) == count  # bodies as they are posted: HoneyHive takes a session in one
    assert "answer 10" in json.dumps(out)
    back = llmtee("convert", "out.jsonl", "--from", target, "--to", "llmtee", "-o", "-")
    assert (back.code, back.complaints) == (0, "")
    assert "answer 10" in back.out


def test_with_a_carry_what_comes_back_is_what_was_there(
    llmtee: Run, logs: Path, tmp_path: Path
) -> None:
    assert llmtee("convert", logs, "--to", "llmtee", "-o", "events.jsonl").code == 0
    done = llmtee("convert", logs, "--to", "honeyhive", "--carry", "-o", "out.jsonl")
    assert (done.code, done.complaints) == (0, "")
    back = llmtee("convert", "out.jsonl", "--from", "honeyhive", "--to", "llmtee", "-o", "-")
    calls = [json.loads(line) for line in back.out.splitlines()]
    calls = [call for call in calls if call["kind"] == "model_call"]
    assert calls == _lines(tmp_path / "events.jsonl")


def test_a_carry_is_for_vendors(llmtee: Run, logs: Path) -> None:
    done = llmtee("convert", logs, "--to", "openai-chat", "--carry", "-o", "out.jsonl")
    assert done.code == 2
    assert "a carry is for vendors" in done.err


def test_stdin_to_stdout(llmtee: Run, logs: Path) -> None:
    done = llmtee("convert", "-", "--to", "llmtee", "-o", "-", stdin=logs.read_bytes())
    assert (done.code, done.complaints) == (0, "")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["kind"] for event in events] == ["model_call"] * 10


def test_several_files_become_one(llmtee: Run, logs: Path, tmp_path: Path, record: Any) -> None:
    (tmp_path / "more.jsonl").write_text(json.dumps(record(11)) + "\n", "utf-8")
    done = llmtee("convert", logs, "more.jsonl", "--to", "llmtee", "-o", "out.jsonl", "--json")
    assert done.code == 0
    assert len(_lines(tmp_path / "out.jsonl")) == 11
    assert (done.json["read"], done.json["failed"]) == (11, [])


def test_the_fixtures_convert_whole(llmtee: Run, tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "fixtures" / "conversations"
    files = sorted(folder.glob("*.jsonl"))
    done = llmtee("convert", *files, "--to", "llmtee", "-o", "out.jsonl")
    assert (done.code, done.complaints) == (0, "")
    lines = sum(len(path.read_bytes().splitlines()) for path in files)
    assert len(_lines(tmp_path / "out.jsonl")) == lines


def test_a_line_cut_in_the_middle_is_named_and_the_others_are_done(
    llmtee: Run, broken_logs: Path, tmp_path: Path
) -> None:
    done = llmtee(
        "convert", broken_logs, "--from", "openai-chat", "--to", "llmtee", "-o", "o.jsonl"
    )
    assert done.code == 1
    assert f"{broken_logs}:3: " in done.err
    assert "Traceback" not in done.err
    assert len(done.complaints.splitlines()) == 1
    assert len(_lines(tmp_path / "o.jsonl")) == 9


def test_a_wrong_field_is_named_by_its_path(
    llmtee: Run, tmp_path: Path, record: Callable[..., dict[str, Any]]
) -> None:
    bad = record(2)
    bad["request"]["messages"] = [{"role": "user", "content": "x"}, "not a message"]
    text = "\n".join(json.dumps(line) for line in (record(1), bad, record(3)))
    (tmp_path / "in.jsonl").write_text(text, "utf-8")
    done = llmtee(
        "convert", "in.jsonl", "--from", "openai-chat", "--to", "llmtee", "-o", "out.jsonl"
    )
    assert done.code == 1
    assert "in.jsonl:2: request.messages[1]: " in done.err
    assert len(_lines(tmp_path / "out.jsonl")) == 2


def test_failures_in_json(llmtee: Run, broken_logs: Path) -> None:
    done = llmtee("convert", broken_logs, "--to", "llmtee", "-o", "out.jsonl", "--json")
    assert done.code == 1
    (failure,) = done.json["failed"]
    assert (failure["source"], failure["line"]) == (str(broken_logs), 3)


def test_the_wrong_format_is_an_error_on_each_line(llmtee: Run, logs: Path) -> None:
    done = llmtee("convert", logs, "--from", "llmtee", "--to", "inkeep", "-o", "out.jsonl")
    assert done.code == 1
    assert f"{logs}:1: " in done.err
    assert "Traceback" not in done.err


def test_a_binary_file(llmtee: Run, tmp_path: Path) -> None:
    (tmp_path / "photo.jsonl").write_bytes(
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe\x00\x9c" * 50
    )
    done = llmtee("convert", "photo.jsonl", "--to", "llmtee", "-o", "out.jsonl")
    assert done.code == 1
    assert "photo.jsonl" in done.err
    assert "Traceback" not in done.err
    assert "\x00" not in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jsonl", "--to", "llmtee", "-o", "out.jsonl"], "missing.jsonl: no such file"),
        (["empty", "--to", "llmtee", "-o", "out.jsonl"], "empty: holds no file of records"),
        (["*.csv", "--to", "llmtee", "-o", "out.jsonl"], "*.csv: no file matches"),
        (["logs.jsonl", "--to", "inkip", "-o", "out.jsonl"], "did you mean 'inkeep'?"),
        (["logs.jsonl", "--from", "opnai-chat", "--to", "llmtee", "-o", "o"], "'openai-chat'?"),
        (["logs.jsonl", "--to", "llmtee", "-o", "no/such/folder/out.jsonl"], "no/such/folder"),
        (["logs.jsonl", "--to", "llmtee", "-o", "logs.jsonl"], "would overwrite"),
    ],
)
def test_wrong_use(llmtee: Run, logs: Path, arguments: list[str], said: str) -> None:
    before = logs.read_bytes()
    (logs.parent / "empty").mkdir()
    done = llmtee("convert", *arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert logs.read_bytes() == before


def test_a_reader_that_goes_away_is_no_error(script: Path, logs: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [script, "convert", logs, "--to", "llmtee", "-o", "-"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert b": read as openai-chat" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 141


def test_on_a_terminal_a_bar_shows_how_far_it_is(script: Path, logs: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    arguments = ["convert", logs, "--to", "inkeep", "-o", tmp_path / "out.jsonl"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [script, *arguments], stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    out, _ = process.communicate(timeout=30)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # how Linux ends a terminal that nobody writes to any more
            break
        shown += chunk
    os.close(ours)
    assert process.returncode == 0
    assert b"100%" in shown
    assert out.decode().startswith("10 items read, 2 records written to ")
    assert len(_lines(tmp_path / "out.jsonl")) == 2


def test_what_auto_chose_is_said_with_the_reason(llmtee: Run, logs: Path, tmp_path: Path) -> None:
    done = llmtee("convert", logs, "--to", "llmtee", "-o", tmp_path / "out.jsonl", "--json")
    assert f"llmtee: {logs}: read as openai-chat, because the response's object is" in done.err
    [told] = done.json["detected"]
    assert (told["format"], told["source"], told["line"]) == ("openai-chat", str(logs), 1)
    named = llmtee("convert", logs, "--from", "openai-chat", "--to", "llmtee")
    assert (named.code, named.err) == (0, "")
    for command in (("explain",), ("send", "--dry-run")):
        shown = llmtee(command[0], logs, *command[1:], "--to", "inkeep", "--json")
        assert [one["format"] for one in shown.json["detected"]] == ["openai-chat"]


def test_between_two_formats_nothing_is_guessed(llmtee: Run, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "Hi"}]}\n', "utf-8"
    )
    done = llmtee("convert", "in.jsonl", "--to", "llmtee")
    assert done.code == 1
    assert "in.jsonl:1: is surely of no format; looked for " in done.err
    assert "--from" in done.err


class TestErrors:
    def test_they_are_kept_beside_the_output(
        self, llmtee: Run, broken_logs: Path, tmp_path: Path
    ) -> None:
        cut = broken_logs.read_text("utf-8").splitlines()[2]
        done = llmtee("convert", broken_logs, "--to", "llmtee", "-o", "o.jsonl")
        assert done.code == 1
        assert "1 error, each in o.jsonl.errors.jsonl" in done.out
        assert "  1: is not JSON: it ends too early at column …" in done.out
        [told] = _lines(tmp_path / "o.jsonl.errors.jsonl")
        assert (told["line"], told["original"]) == (3, cut)

    def test_they_are_told_in_json(self, llmtee: Run, broken_logs: Path, tmp_path: Path) -> None:
        side = tmp_path / "bad.jsonl"
        words = ("--to", "llmtee", "-o", "o.jsonl", "--errors", side, "--json")
        done = llmtee("convert", broken_logs, *words)
        assert done.json["reasons"] == {"is not JSON: it ends too early at column …": 1}
        assert (done.json["errors_file"], done.json["stopped"]) == (str(side), None)
        assert len(_lines(side)) == 1

    def test_too_many_stop_it(self, llmtee: Run, broken_logs: Path, tmp_path: Path) -> None:
        words = ("--to", "llmtee", "-o", "o.jsonl", "--max-errors", "1")
        done = llmtee("convert", broken_logs, *words)
        assert done.code == 1
        assert "stopped at 1 error; o.jsonl was not written" in done.err
        assert not (tmp_path / "o.jsonl").exists()
        assert llmtee("convert", broken_logs, *words, "--json").json["stopped"]


def test_the_output_may_be_packed(llmtee: Run, logs: Path, tmp_path: Path) -> None:
    for name in ("o.jsonl.zst", "o.jsonl.gz"):
        assert llmtee("convert", logs, "--to", "llmtee", "--assemble", "-o", name).code == 0
        back = llmtee("convert", name, "--to", "llmtee", "-o", "-")
        kinds = [json.loads(line)["kind"] for line in back.out.splitlines()]
        assert kinds == ["conversation"] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-", "--resume", "-o", "o.jsonl"], "into a file can be resumed"),
        (["logs.jsonl", "--workers", "0", "-o", "o.jsonl"], "--workers"),
        (["logs.jsonl", "--max-errors", "0", "-o", "o.jsonl"], "--max-errors"),
    ],
)
def test_wrong_use_of_long_runs(llmtee: Run, logs: Path, words: list[str], said: str) -> None:
    done = llmtee("convert", *words, "--to", "llmtee")
    assert done.code == 2
    assert said in done.err
