"""When a conversation is sent, and what: newest state only, or once when it ended, segment after segment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from llmtee.model import ModelCall, Step, ToolRun, conversation_id
from llmtee.tee import Tuning

Call = Callable[..., ModelCall]
Make = Callable[..., Any]


def test_a_changed_conversation_waits_for_quiet_and_is_sent_once(
    acme: Any, upserts: Make, make_tee: Make, call: Call, clock: Any
) -> None:
    tee = make_tee(upserts(), clock=clock)
    tee.record(call("a", "s", "hi", "hello"))
    tee.record(call("b", "s", "hi", "hello", "more?", "sure"))
    assert tee._engine._looked.wait(5)
    assert acme.requests == []
    report = tee.flush()
    assert report["acme-upserts"].delivered == 2
    assert [item["texts"] for item in acme.stored] == [["hi", "hello", "more?", "sure"]]
    assert acme.stored[0]["id"] == conversation_id("s")


def test_quiet_time_passes_without_a_flush(
    acme: Any, upserts: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(upserts(), tuning=Tuning(quiet=0.05))
    tee.record(call("a", "s"))
    acme.wait_for(lambda: len(acme.stored) == 1)


def test_each_change_sends_the_whole_conversation_under_one_id(
    acme: Any, upserts: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(upserts())
    tee.record(call("a", "s", "hi", "hello"))
    tee.flush()
    tee.record(call("b", "s", "hi", "hello", "more?", "sure"))
    report = tee.flush()
    assert report["acme-upserts"].delivered == 2
    assert [len(item["texts"]) for item in acme.stored] == [2, 4]
    assert len({item["id"] for item in acme.stored}) == 1


def test_only_the_newest_state_is_sent_after_a_failure_and_never_two_at_once(
    acme: Any, upserts: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    gate = threading.Event()
    acme.script.append(answer(status=503, wait_for=gate))
    tee = make_tee(upserts(concurrency=4))
    tee.record(call("a", "s", "hi", "hello"))
    first = threading.Thread(target=tee.flush)
    first.start()
    acme.wait_for(lambda: len(acme.requests) == 1)
    tee.record(call("b", "s", "hi", "hello", "more?", "sure"))
    tee.record(call("c", "s", "hi", "hello", "more?", "sure", "bye", "bye!"))
    while tee._log.journal(1):
        pass
    gate.set()
    first.join()
    assert tee.flush()["acme-upserts"].delivered == 3
    assert [len(request["body"]["items"][0]["texts"]) for request in acme.requests] == [2, 6]


def test_a_rejected_conversation_gets_another_chance_when_it_changes(
    acme: Any, upserts: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.append(answer(422))
    tee = make_tee(upserts())
    tee.record(call("a", "s", "hi", "hello"))
    assert tee.flush()["acme-upserts"].dead == 1
    assert [letter.id for letter in tee.dead_letters()] == ["s"]
    tee.record(call("b", "s", "hi", "hello", "more?", "sure"))
    report = tee.flush()
    assert (report["acme-upserts"].delivered, report["acme-upserts"].dead) == (2, 0)
    assert tee.dead_letters() == []


def test_a_chat_is_sent_once_when_its_session_ends(
    acme: Any, chats: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(chats())
    tee.record(call("a", "s", "hi", "hello"))
    report = tee.flush()
    assert report.ok
    assert (report["acme-chats"].open, report["acme-chats"].delivered) == (1, 0)
    assert acme.requests == []
    tee.end_session("s")
    report = tee.flush()
    assert (report["acme-chats"].open, report["acme-chats"].delivered) == (0, 1)
    tee.end_session("s")
    tee.end_session("never seen")
    assert tee.flush()["acme-chats"].delivered == 1
    assert len(acme.requests) == 1


def test_an_idle_session_ends_by_itself(
    acme: Any, chats: Make, make_tee: Make, call: Call, clock: Any
) -> None:
    tee = make_tee(chats(), clock=clock)
    tee.record(call("a", "s"))
    clock.now += 599
    assert tee.flush()["acme-chats"].open == 1
    clock.now += 2
    assert tee.flush()["acme-chats"].delivered == 1


def test_later_events_are_the_next_segment_with_its_own_id(
    acme: Any, chats: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(chats())
    tee.record(call("a", "s", "hi", "hello"))
    tee.end_session("s")
    tee.record(call("b", "s", "hi", "hello", "back again", "welcome"))
    tee.end_session("s")
    tee.record(call("c", "s", "hi", "hello", "back again", "welcome", "bye", "bye!"))
    report = tee.flush()
    assert (report["acme-chats"].delivered, report["acme-chats"].open) == (2, 1)
    tee.end_session("s")
    tee.flush()
    assert {item["id"]: item["texts"] for item in acme.stored} == {
        conversation_id("s"): ["hi", "hello"],
        conversation_id("s", 1): ["back again", "welcome"],
        conversation_id("s", 2): ["bye", "bye!"],
    }


def test_the_end_of_a_session_survives_a_restart(
    acme: Any, chats: Make, make_tee: Make, call: Call, clock: Any
) -> None:
    acme.key = "another"
    first = make_tee(chats(), clock=clock)
    first.record(call("a", "s"))
    first.end_session("s")
    first.record(call("b", "other"))
    first.close(0.5)
    acme.key = "acme-secret-key"
    second = make_tee(chats(), clock=clock)
    report = second.flush()
    assert (report["acme-chats"].delivered, report["acme-chats"].open) == (1, 1)
    clock.now += 601
    assert second.flush()["acme-chats"].delivered == 2


def test_events_without_a_session_are_conversations_of_their_own(
    acme: Any, upserts: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(upserts())
    ids = [tee.record(call("a", None, "hi", "hello")), tee.record(call("b", None, "ho", "hello"))]
    assert tee.flush()["acme-upserts"].delivered == 2
    assert {item["id"] for item in acme.stored} == {conversation_id(one) for one in ids}


def test_a_session_without_anything_to_send_is_skipped(
    acme: Any, upserts: Make, make_tee: Make
) -> None:
    tee = make_tee(upserts())
    tee.record(Step(session="s", name="plan"))
    assert tee.flush()["acme-upserts"].skipped == 1
    tee.record(ToolRun(session="s", name="lookup", result="42"))
    assert tee.flush()["acme-upserts"].delivered == 2


def test_grains_side_by_side(
    acme: Any, exporter: Make, upserts: Make, chats: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(exporter(), upserts(), chats())
    for turn in range(3):
        tee.record(call(f"call {turn}", "s", *["hi", "hello"] * (turn + 1)))
    tee.end_session("s")
    report = tee.flush()
    assert {name: counts.delivered for name, counts in report.exporters.items()} == {
        "acme": 3,
        "acme-upserts": 3,
        "acme-chats": 3,
    }
