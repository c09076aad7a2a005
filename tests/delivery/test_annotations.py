"""Feedback, metrics and later outputs: stored first, delivered after what they are about, to whoever has a place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from llmtee.model import Annotation, Choice, Message, ModelCall, Reason, Step, TextPart, ToolRun
from llmtee.privacy import Redaction, Where
from llmtee.spec import RetryPolicy
from llmtee.tee import Tee, Tuning
from llmtee.testing.emulators import (
    Emulator,
    HoneyHiveEmulator,
    InkeepEmulator,
    RoarkEmulator,
    VokerEmulator,
    faults,
)
from llmtee.voker import Background

FAST = Tuning(
    retry=RetryPolicy(initial=0.002, jitter=0.002, maximum=0.02),
    quiet=0.0,
    breaker_failures=1000,
)
GIVING_UP = replace(FAST, retry=RetryPolicy(initial=0.002, jitter=0.002, attempts=4))


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, Emulator]]:
    with (
        VokerEmulator() as voker,
        HoneyHiveEmulator() as honeyhive,
        InkeepEmulator() as inkeep,
        RoarkEmulator() as roark,
    ):
        yield {"voker": voker, "honeyhive": honeyhive, "inkeep": inkeep, "roark": roark}


@pytest.fixture
def emulators(running: dict[str, Emulator]) -> dict[str, Any]:
    for emulator in running.values():
        emulator.clear()
    return running


@pytest.fixture
def make(emulators: dict[str, Any], tmp_path: Any) -> Iterator[Any]:
    opened = []

    def make(*names: str, tuning: Tuning = FAST, tee: Any = None, **settings: Any) -> Tee:
        exporters = [emulators[name].exporter(**settings) for name in names]
        opened.append(Tee(exporters, dir=tmp_path / "log", tuning=tuning, **(tee or {})))
        return opened[-1]

    yield make
    for tee in opened:
        tee.close(0.4)


def answered(text: str = "Hi", **fields: Any) -> ModelCall:
    question = Message(role="user", parts=(TextPart(text="Hello"),))
    answer = Message(role="assistant", parts=(TextPart(text=text),))
    said = {"session": "s-1", "model": "gpt-4o", **fields}
    return ModelCall(**said, input=(question,), choices=(Choice(message=answer),))


def test_each_vendor_gets_what_it_has_a_place_for(make: Any, emulators: dict[str, Any]) -> None:
    tee = make("voker", "honeyhive", "inkeep", "roark")
    call = tee.record(answered())
    with tee.session("s-1", person="user_1"):
        rated = tee.feedback(
            call,
            True,
            comment="Just right",
            reasons=["fast", Reason(label="kind", details="very")],
            ground_truth="Hello!",
        )
    tee.metric(call, "faithfulness", 0.9)
    copied = tee.usage(call, "answer_copied", properties={"device": "phone"})
    tee.feedback("s-1", "negative", of="session")
    opened = tee.usage("s-1", "opened", of="session")
    tee.record(Annotation(target=call, outputs={"role": "assistant", "content": "Hi, better"}))
    report = tee.flush(30)

    event = emulators["honeyhive"].events[call]
    assert event["feedback"] == {
        "ground_truth": "Hello!",
        "rating": "positive",
        "comment": "Just right",
        "reasons": [{"label": "fast"}, {"label": "kind", "details": "very"}],
        "person": "user_1",
        "action": "answer_copied",
    }
    assert event["metrics"] == {"faithfulness": 0.9}
    assert event["outputs"] == {"role": "assistant", "content": "Hi, better"}
    [session] = emulators["honeyhive"].sessions.values()
    assert session["feedback"] == {"rating": "negative", "action": "opened"}

    inkeep = emulators["inkeep"]
    [(conversation_id, conversation)] = inkeep.conversations.items()
    message = conversation["messages"][-1]["id"]
    given = inkeep.feedback[rated]
    assert (given["type"], given["messageId"], given["details"]) == (
        "positive",
        message,
        "Just right",
    )
    assert given["reasons"] == [
        {"label": "fast", "details": ""},
        {"label": "kind", "details": "very"},
    ]
    assert given["userProperties"]["userId"] == "user_1"
    assert {one["type"] for one in inkeep.feedback.values()} == {"positive", "negative"}
    usage = {one["id"]: one for one in inkeep.events}
    assert usage[copied]["messageId"] == message
    assert usage[copied]["properties"]["device"] == "phone"
    assert usage[opened]["conversationId"] == conversation_id

    where = {
        name: (counts.delivered, counts.skipped, counts.total)
        for name, counts in report.exporters.items()
    }
    assert where["voker"] == (1, 6, 7)
    assert where["honeyhive"] == (7, 0, 7)
    assert where["inkeep"] == (5, 2, 7)
    assert where["roark"] == (1, 6, 7)


@pytest.mark.parametrize("api", ["legacy", "v1"])
def test_an_update_never_overtakes_its_event(make: Any, emulators: Any, api: str) -> None:
    honeyhive = emulators["honeyhive"]
    honeyhive.script(*[faults.status(503), faults.reset("before"), faults.partial()] * 2)
    tee = make("honeyhive", api=api)
    for number in range(4):
        call = tee.record(answered(session=f"s-{number}"))
        tee.metric(call, "score", number)
        tee.feedback(f"s-{number}", False, of="session")
    report = tee.flush(30)
    assert report["honeyhive"].delivered == 12, tee.dead_letters()
    assert not [one for one in honeyhive.requests if one.status == 404]
    assert sorted(event["metrics"]["score"] for event in honeyhive.events.values()) == [*range(4)]
    assert all(one["feedback"] == {"rating": "negative"} for one in honeyhive.sessions.values())


def test_of_several_ratings_the_last_one_stays(make: Any, emulators: Any) -> None:
    tee = make("honeyhive", "inkeep")
    for name in ("honeyhive", "inkeep"):
        emulators[name].script(*[faults.status(503), faults.ok(), faults.reset("after")] * 4)
    call = tee.record(answered())
    for number in range(4):
        tee.feedback(call, number % 2 == 0, comment=str(number))
    report = tee.flush(30)
    assert report["honeyhive"].delivered == report["inkeep"].delivered == 5, tee.dead_letters()
    assert emulators["honeyhive"].events[call]["feedback"]["comment"] == "3"
    assert [one["details"] for one in emulators["inkeep"].feedback.values()] == list("0123")


def test_feedback_survives_the_process(make: Any, emulators: Any) -> None:
    tee = make("honeyhive", "inkeep", tee={"deliver": False})
    call = tee.record(answered())
    tee.feedback(call, True)
    tee.close(0.1)
    report = make("honeyhive", "inkeep").flush(30)
    assert report["honeyhive"].delivered == report["inkeep"].delivered == 2
    assert len(emulators["inkeep"].feedback) == 1


class MovedClock:
    """The real time, and what a test adds."""

    def __init__(self) -> None:
        self.added = 0.0

    def __call__(self) -> float:
        return time.time() + self.added


def test_an_unknown_target_is_waited_for_and_then_a_dead_letter(make: Any, emulators: Any) -> None:
    clock = MovedClock()
    tee = make("honeyhive", "inkeep", tuning=replace(GIVING_UP, clock=clock))
    given = tee.feedback("0198f000-0000-7000-8000-000000000000", True)
    assert tee.flush(0.2)["honeyhive"].pending == 1
    assert not emulators["honeyhive"].requests
    clock.added = 61.0
    assert tee.flush(30).ok
    letters = {letter.exporter: letter for letter in tee.dead_letters()}
    assert letters["honeyhive"].id == letters["inkeep"].id == given
    assert "404: HoneyHive does not have the event" in letters["honeyhive"].reason
    assert "given up after 4 tries" in letters["honeyhive"].reason
    assert "is not in the event log" in letters["inkeep"].reason
    assert not tee.stats()["honeyhive"].paused


def test_a_target_that_comes_late_is_still_found(make: Any, emulators: Any) -> None:
    tee = make("honeyhive", "inkeep")
    call = answered()
    tee.feedback(call.id, True)
    tee.usage("s-1", "opened", of="session")
    assert tee.flush(0.2)["inkeep"].pending == 2
    assert not emulators["honeyhive"].requests
    tee.record(call)
    report = tee.flush(30)
    assert report["honeyhive"].delivered == report["inkeep"].delivered == 3


def test_what_became_of_the_target_becomes_of_the_feedback(make: Any, emulators: Any) -> None:
    tee = make("honeyhive", where=Where(sessions=("mine",)))
    theirs = tee.record(answered(session="theirs"))
    tee.feedback(theirs, True)
    assert tee.flush(30)["honeyhive"].skipped == 2
    emulators["honeyhive"].script(faults.status(400))
    mine = tee.record(answered(session="mine"))
    given = tee.feedback(mine, True)
    assert tee.flush(30)["honeyhive"].dead == 2
    reasons = {letter.id: letter.reason for letter in tee.dead_letters()}
    assert reasons[given] == f"the event {mine!r} is a dead letter"


def test_an_event_without_an_answer_has_no_message_to_rate(make: Any, emulators: Any) -> None:
    tee = make("honeyhive", "inkeep")
    tee.record(answered())
    run = tee.record(ToolRun(session="s-1", name="find", result=1))
    about = tee.record(Step(session="s-1", step_type="session", name="Chat"))
    tee.feedback(run, True)
    tee.metric(about, "length", 3)
    report = tee.flush(30)
    assert (report["inkeep"].delivered, report["inkeep"].skipped) == (3, 2)
    assert report["honeyhive"].delivered == 5
    [session] = emulators["honeyhive"].sessions.values()
    assert session["metrics"] == {"length": 3}


def test_a_message_is_rated_by_its_own_id(make: Any, emulators: Any) -> None:
    tee = make("inkeep", "honeyhive")
    tee.record(answered())
    tee.flush(30)
    [conversation] = emulators["inkeep"].conversations.values()
    tee.feedback(conversation["messages"][-1]["id"], False, of="message")
    report = tee.flush(30)
    assert report["honeyhive"].skipped == 1
    [given] = emulators["inkeep"].feedback.values()
    assert given["type"] == "negative"


def test_nothing_that_is_passed_raises(make: Any, caplog: Any) -> None:
    tee = make("honeyhive")
    tee.feedback(None, True)  # type: ignore[arg-type]
    tee.feedback("", True)
    tee.feedback("e", "so-so")  # type: ignore[arg-type]
    tee.metric("e", "score", 1, of="nothing")  # type: ignore[arg-type]
    assert len(caplog.records) == 4
    assert tee.stats().recorded == 0
    odd = tee.metric("e", "score", float("nan"), properties={"x": object()})
    assert tee.stats().recorded == 1
    assert odd


def test_redaction_reaches_feedback(make: Any, emulators: Any, tmp_path: Any) -> None:
    tee = make("honeyhive", "inkeep", tee={"redact": "email"})
    call = tee.record(answered())
    tee.feedback(call, True, comment="Write to jane@example.com")
    assert tee.flush(30)["inkeep"].delivered == 2
    tee.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "log").rglob("*") if path.is_file())
    sent = repr([emulators[name].requests for name in ("honeyhive", "inkeep")])
    assert b"jane@example.com" not in stored
    assert "jane@example.com" not in sent
    assert "Write to [email]" in sent


@pytest.mark.parametrize("whose", ["the tee", "the exporter"])
def test_what_is_redacted_in_an_event_is_found_by_its_new_name(
    make: Any, emulators: Any, whose: str
) -> None:
    key = "0123456789abcdef0123456789abcdef"
    own = Redaction(paths=("session", "id"), action="pseudonym", key=key)
    of_tee = {"tee": {"redact": own}} if whose == "the tee" else {"redact": own}
    tee = make("honeyhive", "inkeep", **of_tee)
    session = "jane@example.com"
    call = tee.record(answered(session=session))
    tee.metric(call, "score", 1)
    tee.feedback(session, True, of="session")
    report = tee.flush(30)
    if whose == "the tee":  # the caller knows the event by the id that it had
        assert not [one for one in emulators["honeyhive"].requests if one.status == 404]
    assert report["honeyhive"].delivered == 3, tee.dead_letters()
    [event] = emulators["honeyhive"].events.values()
    [about] = emulators["honeyhive"].sessions.values()
    assert event["metrics"] == {"score": 1}
    assert about["feedback"] == {"rating": "positive"}
    assert len(emulators["inkeep"].feedback) == 1
    assert session not in repr([one.body for one in emulators["honeyhive"].requests])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_whatever_fails_each_record_is_in_one_place_and_none_overtakes(
    make: Any, emulators: Any, seed: int
) -> None:
    random = Random(seed)
    bad = (faults.status(503), faults.status(429), faults.reset("before"), faults.reset("after"))
    for name in ("voker", "honeyhive", "inkeep"):
        emulators[name].script(*random.choices((*bad, faults.ok()), k=30))
    tee = make("voker", "honeyhive", "inkeep")
    voker, calls, recorded = Background(tee), [], 0
    last: dict[str, str] = {}
    for number in range(60):
        recorded += 1
        kind = random.choice(("call", "rating", "rating", "metric", "usage", "session", "person"))
        if kind == "person":
            voker.people.create(f"p-{number}", {"number": number})
        elif kind == "call" or not calls:
            calls.append(tee.record(answered(f"answer {number}", session=f"s-{number % 5}")))
        elif kind == "rating":
            target = random.choice(calls)
            tee.feedback(target, random.random() < 0.5, comment=str(number))
            last[target] = str(number)
        elif kind == "metric":
            tee.metric(random.choice(calls), f"score-{number}", number)
        elif kind == "usage":
            tee.usage(random.choice(calls), f"action-{number}")
        else:
            tee.usage(f"s-{number % 5}", "opened", of="session")  # may well be its first record
    for number in range(5):
        recorded += 1
        calls.append(tee.record(answered("the last", session=f"s-{number}")))
    report = tee.flush(60)
    assert report.ok, report
    for counts in report.exporters.values():
        assert counts.total == recorded
    for target, comment in last.items():
        if target in emulators["honeyhive"].events:
            assert emulators["honeyhive"].events[target]["feedback"]["comment"] == comment
    known = emulators["honeyhive"].sessions.keys()
    missed = [one.body["event_id"] for one in emulators["honeyhive"].requests if one.status == 404]
    assert not {*missed} & {*known, *calls}
