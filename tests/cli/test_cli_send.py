from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from llmtee.testing.emulators import Emulator, emulator_class, emulator_names, faults

Run = Callable[..., Any]


@pytest.fixture
def emulators() -> Iterator[dict[str, Emulator]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(emulator_class(name)()) for name in emulator_names()}


@pytest.fixture
def config(emulators: dict[str, Emulator], tmp_path: Path) -> str:
    path = tmp_path / "config.toml"
    tables = [
        f'[{name}]\nbase_url = "{emulator.url}"\napi_key = "{emulator.key}"\n'
        for name, emulator in emulators.items()
    ]
    path.write_text("\n".join(tables))
    return str(path)


ALL = "honeyhive,inkeep,roark,voker"


def test_everything_is_delivered(
    llmtee: Run, logs: Path, emulators: dict[str, Emulator], config: str
) -> None:
    done = llmtee("send", logs, "--to", ALL, "--json", LLMTEE_CONFIG=config)
    assert (done.code, done.complaints) == (0, "")
    counts = done.json["exporters"]
    assert {name: count["delivered"] for name, count in counts.items()} == dict.fromkeys(counts, 10)
    arrived = {name: repr([r.body for r in emulators[name].requests]) for name in ALL.split(",")}
    assert all("answer 10" in bodies for bodies in arrived.values())
    assert "session-2" in arrived["voker"]


def test_history_keeps_its_times(
    llmtee: Run, logs: Path, emulators: dict[str, Emulator], config: str
) -> None:
    assert llmtee("send", logs, "--to", "roark", LLMTEE_CONFIG=config).code == 0
    bodies = [request.body for request in emulators["roark"].requests]
    assert {body["startTimestamp"][:10] for body in bodies} == {"2026-11-20"}


def test_a_dry_run_needs_no_key_and_sends_nothing(
    llmtee: Run, logs: Path, emulators: dict[str, Emulator], tmp_path: Path
) -> None:
    done = llmtee("send", logs, "--to", ALL, "--dry-run", "--json")
    assert (done.code, done.complaints) == (0, "")
    plan = done.json["exporters"]["inkeep"]
    assert [(r["method"], r["path"]) for r in plan["requests"]] == [("POST", "/conversations")] * 2
    assert plan["bytes"] == sum(request["bytes"] for request in plan["requests"]) > 0
    assert plan["ledger"]["kept"] > 0
    assert not any(emulator.requests for emulator in emulators.values())
    shown = llmtee("send", logs, "--to", ALL, "--dry-run")
    assert "nothing sent" in shown.out
    assert "/conversations" in shown.out


def test_with_a_carry_nothing_would_be_lost(llmtee: Run, logs: Path) -> None:
    words = ("send", logs, "--to", "inkeep,roark", "--dry-run", "--json")
    plain, carried = llmtee(*words).json, llmtee(*words, "--carry").json
    assert plain["exporters"]["roark"]["ledger"]["lost"] > 0
    for name in ("inkeep", "roark"):
        assert carried["exporters"][name]["ledger"]["lost"] == 0


def test_the_dry_run_tells_what_is_then_sent(
    llmtee: Run, logs: Path, emulators: dict[str, Emulator], config: str
) -> None:
    plan = llmtee("send", logs, "--to", "inkeep,roark", "--dry-run", "--json").json["exporters"]
    assert llmtee("send", logs, "--to", "inkeep,roark", LLMTEE_CONFIG=config).code == 0
    for name in ("inkeep", "roark"):
        assert len(emulators[name].requests) == len(plan[name]["requests"]) == 2


def test_a_missing_key_names_its_variable(llmtee: Run, logs: Path) -> None:
    done = llmtee("send", logs, "--to", "roark")
    assert done.code == 2
    assert "ROARK_API_BEARER_TOKEN" in done.err
    assert "Traceback" not in done.err


def test_an_unknown_vendor(llmtee: Run, logs: Path) -> None:
    done = llmtee("send", logs, "--to", "inkeep,roarc", "--dry-run")
    assert done.code == 2
    assert "did you mean 'roark'?" in done.err
    assert llmtee("send", logs, "--to", ",", "--dry-run").code == 2


def test_good_lines_are_sent_though_one_is_bad(
    llmtee: Run, broken_logs: Path, emulators: dict[str, Emulator], config: str
) -> None:
    done = llmtee("send", broken_logs, "--to", "voker", "--json", LLMTEE_CONFIG=config)
    assert done.code == 1
    assert f"{broken_logs}:3: " in done.err
    assert done.json["exporters"]["voker"]["delivered"] == 9
    assert [failure["line"] for failure in done.json["failed"]] == [3]


def test_a_vendor_that_refuses_the_key_holds_up_nobody_else(
    llmtee: Run, logs: Path, emulators: dict[str, Emulator], config: str
) -> None:
    emulators["inkeep"].always(faults.wrong_token())
    done = llmtee("send", logs, "--to", "inkeep,roark", "--dir", "log", LLMTEE_CONFIG=config)
    assert done.code == 1
    assert "inkeep: " in done.err
    assert "waits in log" in done.err
    assert {request.status for request in emulators["roark"].requests} <= {200, 201}
    emulators["inkeep"].always(None)
    again = llmtee("send", "-", "--to", "inkeep,roark", "--dir", "log", LLMTEE_CONFIG=config)
    assert (again.code, again.complaints) == (0, "")
    assert 200 in {request.status for request in emulators["inkeep"].requests}


def test_what_a_vendor_will_never_take_is_told(
    llmtee: Run, logs: Path, emulators: dict[str, Emulator], config: str
) -> None:
    emulators["voker"].script(faults.status(422))
    done = llmtee("send", logs, "--to", "voker", "--json", LLMTEE_CONFIG=config)
    assert done.code == 1
    counts = done.json["exporters"]["voker"]
    assert (counts["delivered"], counts["dead"]) == (9, 1)
    assert [letter["exporter"] for letter in done.json["dead"]] == ["voker"]
    assert "422" in done.json["dead"][0]["reason"]


def test_old_dead_letters_are_no_failure_of_a_new_run(
    llmtee: Run, logs: Path, emulators: dict[str, Emulator], config: str
) -> None:
    emulators["voker"].script(faults.status(422))
    first = llmtee("send", logs, "--to", "voker", "--dir", "log", LLMTEE_CONFIG=config)
    assert first.code == 1
    assert "voker will not take" in first.err
    again = llmtee("send", "-", "--to", "voker", "--dir", "log", LLMTEE_CONFIG=config)
    assert (again.code, again.complaints) == (0, "")


def test_times_that_are_missing_stay_missing(
    llmtee: Run, tmp_path: Path, emulators: dict[str, Emulator], config: str
) -> None:
    run = '{"kind": "tool_run", "id": "r1", "session": "s", "name": "lookup", "result": 3}'
    (tmp_path / "runs.jsonl").write_text(run, "utf-8")
    done = llmtee("send", "runs.jsonl", "--to", "honeyhive", LLMTEE_CONFIG=config)
    assert (done.code, done.complaints) == (0, "")
    (event,) = emulators["honeyhive"].requests[0].body["events"]
    assert event["event_name"] == "lookup"
    assert not {"start_time", "end_time"} & set(event)


def test_an_interruption_says_what_was_done_and_leaves(
    script: Path, logs: Path, emulators: dict[str, Emulator], config: str
) -> None:
    hanging = emulators["inkeep"]
    hanging.always(faults.hang())
    process = subprocess.Popen(
        [script, "send", logs, "--to", "inkeep,roark"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LLMTEE_CONFIG": config},
        text=True,
    )
    try:
        assert hanging.wait_for(lambda: bool(hanging.requests), timeout=20)
        assert emulators["roark"].wait_for(lambda: len(emulators["roark"].requests) == 2, 20)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "read 10 items; delivered 0 to inkeep" in err
    assert err.endswith("llmtee: interrupted\n")
    assert "Traceback" not in err
