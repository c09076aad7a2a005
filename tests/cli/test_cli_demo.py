from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmtee.cli._fixtures import recorded_conversations
from llmtee.cli._outcome import outcome_of
from llmtee.cli._play import Played, play

Run = Callable[..., Any]

VENDORS = {"honeyhive", "inkeep", "roark", "voker"}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(recorded_conversations(), tmp_path_factory.mktemp("log"))


def test_the_fixtures_are_what_their_page_says() -> None:
    conversations = {one.name: one for one in recorded_conversations()}
    assert len(conversations) >= 6
    page = (Path(__file__).parents[2] / "fixtures" / "README.md").read_text("utf-8")
    for name, one in conversations.items():
        assert f"`{name}.jsonl`" in page
        assert {line["session"] for line in one.lines} == {one.session}
        assert all(line["kind"] == "tool_run" for line in one.tool_runs)
        starts = [line["started_at"] for line in one.calls]
        assert starts == sorted(starts)


def test_everything_arrives_once_in_spite_of_two_mishaps(played: Played) -> None:
    outcome = outcome_of(played)
    assert outcome.problem is None
    assert outcome.ok
    assert {arrival.vendor for arrival in outcome.arrivals} == VENDORS
    assert len(outcome.mishaps) == 2
    assert sum(arrival.retries for arrival in outcome.arrivals) >= 2
    voker = next(arrival for arrival in outcome.arrivals if arrival.vendor == "voker")
    assert sum(voker.skip_reasons.values()) == voker.counts.skipped > 0
    statuses = [request.status for request in played.requests["roark"]]
    assert statuses.count(None) == statuses.count(409) == 1


def test_what_does_not_arrive_is_noticed(played: Played) -> None:
    one_less = {**played.stored, "inkeep": played.stored["inkeep"] - 1}
    outcome = outcome_of(replace(played, stored=one_less))
    assert not outcome.ok
    assert outcome.problem is not None
    assert outcome.problem.startswith("Inkeep holds")
    fewer = outcome_of(replace(played, conversations=played.conversations[1:] * 2))
    assert not fewer.ok


def test_the_command_tells_all_of_it(llmtee: Run, tmp_path: Path) -> None:
    done = llmtee("demo", "-o", "payloads", COLUMNS="100")
    assert (done.code, done.err) == (0, "")
    assert "Everything arrived" in done.out
    for text in ("Voker", "HoneyHive", "Inkeep", "Roark", "Retry-After", "reset", "payloads"):
        assert text in done.out
    assert all(len(line) <= 100 for line in done.out.splitlines())
    assert {folder.name for folder in (tmp_path / "payloads").iterdir()} == VENDORS
    for file in (tmp_path / "payloads").glob("*/*.json"):
        assert json.loads(file.read_text("utf-8"))["method"] in {"POST", "PUT"}


def test_the_requests_of_one_vendor(llmtee: Run) -> None:
    done = llmtee("demo", "--show", "inkeep", "--json")
    assert done.code == 0
    assert {request["path"] for request in done.json} == {"/conversations"}
    assert "नमस्ते" in done.out
    assert llmtee("demo", "--show", "inkip").code == 2


def test_all_of_it_in_json(llmtee: Run) -> None:
    done = llmtee("demo", "--json", "-o", "payloads")
    assert (done.code, done.err) == (0, "")
    assert done.json["ok"] is True
    assert set(done.json["vendors"]) == set(done.json["ledgers"]) == VENDORS
