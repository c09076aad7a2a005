from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_what_each_vendor_keeps_and_loses(llmtee: Run, logs: Path) -> None:
    done = llmtee("explain", logs, "--to", "voker,inkeep", "--json")
    assert (done.code, done.complaints) == (0, "")
    assert (done.json["items"], done.json["failed"]) == (10, [])
    vendors = done.json["vendors"]
    assert {name: report["taken"] for name, report in vendors.items()} == {"voker": 10, "inkeep": 2}
    for report in vendors.values():
        ledger = report["ledger"]
        statuses = {entry["status"] for entry in ledger["entries"]}
        assert statuses <= {"kept", "parked", "changed", "trimmed", "lost"}
        for status in ("kept", "parked", "changed", "trimmed"):
            values = [entry["count"] for entry in ledger["entries"] if entry["status"] == status]
            assert sum(values) == ledger[status]
        everything = sum(entry["count"] for entry in ledger["entries"])
        assert everything == ledger["kept"] + ledger["parked"] + ledger["lost"]
    assert vendors["voker"]["ledger"]["kept"] > 0


def test_with_a_carry_nothing_is_lost_where_a_vendor_has_a_place_for_it(
    llmtee: Run, logs: Path
) -> None:
    to = ("--to", "honeyhive,inkeep,roark,voker", "--carry")
    vendors = llmtee("explain", logs, *to, "--json").json["vendors"]
    lost = {name: report["ledger"]["lost"] for name, report in vendors.items()}
    assert [name for name in lost if lost[name]] == ["voker"]
    assert "no free-form field" in llmtee("explain", logs, "--to", "voker", "--carry").out


def test_the_table_names_the_reasons(llmtee: Run, logs: Path) -> None:
    done = llmtee("explain", logs, "--to", "roark", COLUMNS="100")
    assert done.code == 0
    assert "Roark" in done.out
    assert "2 conversations" in done.out
    assert "kept" in done.out
    assert all(len(line) <= 100 for line in done.out.splitlines())


def test_what_a_vendor_has_no_place_for_is_skipped_with_a_reason(
    llmtee: Run, tmp_path: Path
) -> None:
    run = '{"kind": "tool_run", "id": "r1", "session": "s", "name": "lookup", "result": 3}'
    (tmp_path / "runs.jsonl").write_text(run + "\n", "utf-8")
    report = llmtee("explain", "runs.jsonl", "--to", "voker", "--json").json["vendors"]["voker"]
    assert report["taken"] == 0
    assert sum(report["skipped"].values()) == 1


def test_bad_lines_are_named_and_the_rest_explained(llmtee: Run, broken_logs: Path) -> None:
    done = llmtee("explain", broken_logs, "--to", "voker", "--json")
    assert done.code == 1
    assert f"{broken_logs}:3: " in done.err
    assert done.json["items"] == 9


def test_wrong_use(llmtee: Run, logs: Path) -> None:
    assert llmtee("explain", "missing.jsonl", "--to", "voker").code == 2
    unknown = llmtee("explain", logs, "--to", "vocker")
    assert unknown.code == 2
    assert "did you mean 'voker'?" in unknown.err


def test_a_format_is_explained_beside_a_vendor(llmtee: Run, logs: Path) -> None:
    done = llmtee("explain", logs, "--to", "inkeep,anthropic-messages", "--json")
    assert (done.code, done.complaints) == (0, "")
    assert list(done.json["vendors"]) == ["inkeep"]
    ledger = done.json["formats"]["anthropic-messages"]
    assert ledger["kept"] > ledger["lost"]
    assert all(entry["reason"] for entry in ledger["entries"] if entry["status"] == "lost")


def test_a_format_that_is_only_read_cannot_be_explained(llmtee: Run, logs: Path) -> None:
    done = llmtee("explain", logs, "--to", "langsmith")
    assert done.code == 2
    assert "can only be read" in done.err
