"""Calls of Voker's API through a Tee: stored first, delivered in order, never lost in silence."""

from __future__ import annotations

import pytest

from llmtee import HoneyHive, Inkeep, Roark
from llmtee.delivery import Tuning
from llmtee.errors import UsageError
from llmtee.spec import RetryPolicy
from llmtee.tee import Tee
from llmtee.testing.emulators import Answer, HoneyHiveEmulator, VokerEmulator, faults
from llmtee.voker import Background

FAST = Tuning(retry=RetryPolicy(initial=0.002, jitter=0.002, maximum=0.02), probe_initial=0.01)
EVENT = {
    "api": "openai-chat-completions",
    "inputs": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]},
    "output": {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]},
}


@pytest.fixture(scope="module")
def running():
    with VokerEmulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(running):
    running.clear()
    return running


@pytest.fixture
def make_tee(emulator, tmp_path):
    opened = []

    def make(*exporters, **options):
        tee = Tee([emulator.exporter(), *exporters], dir=tmp_path / "log", tuning=FAST, **options)
        opened.append(tee)
        return tee

    yield make
    for tee in opened:
        tee.close(0.4)


def test_calls_about_one_thing_arrive_in_order_through_failures(make_tee, emulator) -> None:
    tee = make_tee()
    emulator.script(*[faults.status(503), faults.reset("after"), faults.ok()] * 4)
    voker = Background(tee)
    voker.agents.create("a/b", "one")
    voker.agent_versions.create("a/b", "v1")
    voker.agent_versions.create("a/b", "v2")
    voker.people.create("user_1", {"plan": "free"})
    for number in range(5):
        voker.people.update("user_1", {"number": number})
    report = tee.flush(30)
    assert report["voker"].delivered == 9, tee.dead_letters()
    assert emulator.people["user_1"]["properties"] == {"number": 4}
    assert list(emulator.versions) == [("a/b", "v1"), ("a/b", "v2")]


def test_nothing_is_lost_when_the_fingerprint_fails(make_tee, emulator) -> None:
    tee = make_tee()
    emulator.fingerprint_answer = Answer(500, {"detail": "no"})
    voker = Background(tee)
    voker.events.create("llm", EVENT, "s-1", agent="a")
    voker.people.create("p")
    assert emulator.wait_for(lambda: len(emulator.requests) >= 2)
    assert not emulator.events
    emulator.fingerprint_answer = None
    assert tee.flush(30)["voker"].delivered == 2
    assert len(emulator.events) == 1


def test_what_voker_refuses_is_a_dead_letter_with_its_reason(make_tee, emulator) -> None:
    tee = make_tee()
    voker = Background(tee)
    ids = [
        voker.people.update("nobody", {}),
        voker.agent_versions.create("nobody", "v"),
        voker.events.create("llm", {"mine": 1}, "s"),
        voker.events.create("llm", EVENT, ""),
    ]
    tee.flush(30)
    letters = {letter.id: letter for letter in tee.dead_letters("voker")}
    assert letters.keys() == set(ids)
    assert letters[ids[0]].reason == "404: person-not-found"
    assert letters[ids[0]].request["path"] == "/api/v1/people/nobody"
    assert letters[ids[1]].reason == "404: agent-not-found"
    assert letters[ids[3]].reason == "422: session: is empty (session-id-empty)"
    assert tee.stats()["voker"].paused is False


def test_a_call_survives_the_process(make_tee, emulator) -> None:
    emulator.always(faults.status(503))
    tee = make_tee(deliver=False)
    Background(tee).people.create("p", {"secret": "x"})
    tee.close(0.1)
    assert not emulator.people
    emulator.always(None)
    assert make_tee().flush(30)["voker"].delivered == 1
    assert "p" in emulator.people


def test_a_call_without_an_answer_is_sent_again_and_an_event_is_not(make_tee, emulator) -> None:
    emulator.always(faults.hang())
    tee = make_tee()
    Background(tee).people.create("p")
    Background(tee).events.create("llm", EVENT, "s", agent="a")
    hung = ("/api/v1/people", "/api/v1/events")
    assert emulator.wait_for(lambda: {one.path for one in emulator.requests} >= {*hung}, 30)
    tee.close(0.1)
    emulator.always(None)
    report = make_tee().flush(30)
    assert (report["voker"].delivered, report["voker"].unknown) == (1, 1)
    assert "p" in emulator.people


def test_events_reach_every_vendor_and_requests_only_theirs(make_tee, emulator) -> None:
    with HoneyHiveEmulator() as hive:
        others = (
            hive.exporter(project="p"),
            Inkeep(api_key="k", base_url="http://127.0.0.1:9"),
            Roark(api_key="k", base_url="http://127.0.0.1:9"),
        )
        tee = make_tee(*others)
        voker = Background(tee)
        voker.agents.create("a")
        voker.people.update("nobody", {})
        report = tee.flush(30)
        assert [report[name].skipped for name in ("honeyhive", "inkeep", "roark")] == [2, 2, 2]
        voker.events.create("llm", EVENT, "s", agent="a", person="p")
        assert hive.wait_for(lambda: bool(hive.requests))
        assert hive.requests[0].body["events"][0]["event_type"] == "model"
        assert emulator.wait_for(lambda: bool(emulator.events))
        assert emulator.events[0]["properties"] == EVENT


def test_names_that_cannot_be_sent_are_refused_at_once(make_tee) -> None:
    tee = make_tee()
    with pytest.raises(UsageError, match="person_id must not be empty"):
        Background(tee).people.create("")
    assert tee.stats().recorded == 0


def test_redaction_reaches_them(make_tee, emulator, tmp_path) -> None:
    tee = make_tee(redact="email")
    Background(tee).people.create("p", {"mail": "jane@example.com"})
    assert tee.flush(30)["voker"].delivered == 1
    assert emulator.people["p"]["properties"] == {"mail": "[email]"}
    tee.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "log").rglob("*") if path.is_file())
    assert b"jane@example.com" not in stored


def test_redaction_of_one_exporter_reaches_them(emulator, tmp_path) -> None:
    with Tee([emulator.exporter(redact="email")], dir=tmp_path / "own", tuning=FAST) as tee:
        Background(tee).people.create("p", {"mail": "jane@example.com"})
        assert tee.flush(30)["voker"].delivered == 1
    assert emulator.people["p"]["properties"] == {"mail": "[email]"}


def test_a_tee_without_voker_skips_them(tmp_path) -> None:
    hive = HoneyHive(api_key="k", project="p", base_url="http://127.0.0.1:9")
    with Tee([hive], dir=tmp_path / "own", tuning=FAST) as tee:
        Background(tee).people.create("p")
        assert tee.flush(30)["honeyhive"].skipped == 1
