"""What an application sees of Tee: recording, sessions, errors, reports, and the fallback to memory."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import errno
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee import jsontext
from llmtee.errors import ConfigError, UsageError
from llmtee.eventlog import Entry, Work, _segment
from llmtee.model import (
    Agent,
    Conversation,
    Message,
    ModelCall,
    Person,
    TextPart,
    ToolRun,
    conversation_id,
    load_event,
)
from llmtee.tee import Tee

Call = Callable[..., ModelCall]
Make = Callable[..., Any]


def _stored(tee: Tee, event_id: str) -> Any:
    """The event as the log keeps it, after it was decoded."""
    tee.flush()
    db = tee._log._db
    row = db.execute(
        "SELECT format, payload, error FROM events WHERE id = ?", (event_id,)
    ).fetchone()
    assert row is not None
    assert row[2] is None, row[2]
    return load_event(jsontext.loads(row[1]))


# ── construction ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_key_is_found_at_construction(exporter: Make, make_tee: Make) -> None:
    with pytest.raises(ConfigError, match=r"Acme\(api_key=…\) or set ACME_API_KEY"):
        make_tee(exporter(api_key=None))


def test_the_key_comes_from_the_environment(
    acme: Any, exporter: Make, make_tee: Make, call: Call, monkeypatch: Any
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "acme-secret-key")
    tee = make_tee(exporter(api_key=None))
    tee.record(call())
    assert tee.flush()["acme"].delivered == 1
    assert "acme-secret-key" not in repr(tee.stats()) + repr(tee._exporters)


def test_two_exporters_of_one_name_are_refused(exporter: Make, make_tee: Make) -> None:
    with pytest.raises(UsageError, match="name="):
        make_tee(exporter(), exporter())


def test_something_else_than_an_exporter_is_refused(make_tee: Make) -> None:
    with pytest.raises(UsageError, match="not str"):
        make_tee("honeyhive")


# ── recording ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_record_gives_the_id_and_keeps_the_event(exporter: Make, make_tee: Make) -> None:
    tee = make_tee(exporter())
    event = ToolRun(
        name="lookup", arguments={"q": "π"}, result=2**70, ended_at="2026-01-01T00:00:00Z"
    )
    assert tee.record(event) == event.id
    assert _stored(tee, event.id) == event


def test_a_live_event_without_a_time_ended_now_and_history_keeps_its_gap(
    exporter: Make, make_tee: Make, clock: Any
) -> None:
    tee = make_tee(exporter(), clock=clock)
    live, history = tee.record(ToolRun(name="a")), tee.record(ToolRun(name="b"), live=False)
    assert _stored(tee, live).ended_at == dt.datetime.fromtimestamp(clock.now, dt.UTC)
    assert _stored(tee, history).ended_at is None


def test_a_call_is_recorded_in_the_providers_shape_and_copied_at_once(
    exporter: Make, make_tee: Make
) -> None:
    tee = make_tee(exporter())
    request: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    response = {"choices": [{"message": {"role": "assistant", "content": "hello"}}]}
    event_id = tee.record_call(
        "openai-chat", request=request, response=response, session="s", agent="support", tags=["a"]
    )
    request["messages"][0]["content"] = "changed afterwards"
    event = _stored(tee, event_id)
    assert event.id == event_id
    assert event.input[0].text == "hi"
    assert event.output.text == "hello"
    assert (event.session, event.agent, event.tags) == ("s", Agent(name="support"), ("a",))


def test_a_failed_call_is_recorded_with_the_exception(exporter: Make, make_tee: Make) -> None:
    tee = make_tee(exporter())
    error = TimeoutError("too slow")
    for request in ({"model": "gpt-4o", "messages": []}, None):
        event = _stored(tee, tee.record_call("openai-chat", request=request, error=error))
        assert event.error.message == "too slow"
        assert event.error.type == "TimeoutError"


def test_anything_can_be_handed_in(exporter: Make, make_tee: Make) -> None:
    @dataclasses.dataclass
    class Odd:
        value: object

    class Hostile:
        @property
        def model_dump(self) -> Any:
            raise RuntimeError("no")

    cycle: list[Any] = []
    cycle.append(cycle)
    tee = make_tee(exporter())
    odd = [Odd(float("nan")), {1, 2}, b"\xff", "\ud800", cycle, Hostile(), object, threading.Lock()]
    tee.record_call("openai-chat", request={"messages": [], "odd": odd}, anything=odd)
    tee.record(ToolRun(name="t").model_copy(update={"properties": {"odd": odd}}))
    report = tee.flush()
    assert report["acme"].total == 2
    assert report["acme"].delivered == 2


def test_what_is_not_an_event_is_kept_and_reported(
    exporter: Make, make_tee: Make, caplog: Any
) -> None:
    tee = make_tee(exporter())
    event_id = tee.record({"not": "an event"})
    assert tee.flush()["acme"].dead == 1
    assert [letter.id for letter in tee.dead_letters()] == [event_id]
    assert "not dict" in caplog.text


def test_an_unknown_format_is_told_once_and_its_records_are_kept(
    exporter: Make, make_tee: Make, caplog: Any
) -> None:
    tee = make_tee(exporter(), exporter(name="second"))
    ids = [tee.record_call("opneai-chat", request={"number": n}) for n in range(3)]
    report = tee.flush()
    assert (report["acme"].dead, report["second"].dead) == (3, 3)
    assert [letter.id for letter in tee.dead_letters("second")] == ids
    assert "did you mean 'openai-chat'" in tee.dead_letters()[0].reason
    assert sum("opneai-chat" in text for text in caplog.messages) == 2
    assert caplog.messages[0].startswith("no format is named 'opneai-chat'")
    assert caplog.messages[1].startswith("a record cannot be read")


def test_a_conversation_is_recorded_as_its_events(acme: Any, upserts: Make, make_tee: Make) -> None:
    tee = make_tee(upserts())
    messages = [
        Message(role=role, parts=(TextPart(text=text),))
        for role, text in (("user", "hi"), ("assistant", "hello"))
    ]
    tee.record(Conversation(id="c", session="s", messages=tuple(messages), title="T"), live=False)
    assert tee.flush().ok
    assert [item["texts"] for item in acme.stored] == [["hi", "hello"]]


def test_an_event_recorded_twice_counts_once(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(exporter())
    event = call()
    tee.record(event)
    tee.record(event)
    assert tee.flush()["acme"].total == 1
    assert tee.stats().duplicates == 1
    assert acme.stored_ids() == [event.id]


def test_recording_after_close_is_refused_aloud(
    exporter: Make, make_tee: Make, call: Call, caplog: Any
) -> None:
    tee = make_tee(exporter())
    tee.record(call())
    assert tee.close()["acme"].delivered == 1
    event = call()
    assert tee.record(event) == event.id
    assert tee.stats().refused == 1
    assert "closed" in caplog.text
    assert tee.close()["acme"].delivered == 1


def test_our_own_bug_never_reaches_the_application(
    exporter: Make, make_tee: Make, call: Call, monkeypatch: Any
) -> None:
    tee = make_tee(exporter(), strict=False)
    monkeypatch.setattr(tee._inbox, "put", lambda record: 1 / 0)
    event = call()
    assert tee.record(event) == event.id
    assert isinstance(tee.record_call("openai-chat", request={}), str)
    tee.end_session("s")
    assert tee.stats().bugs == 3
    strict = make_tee(exporter())
    monkeypatch.setattr(strict._inbox, "put", lambda record: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        strict.record(event)


def test_many_threads_record(acme: Any, exporter: Make, make_tee: Make, call: Call) -> None:
    tee = make_tee(exporter(max_items=100, max_bytes=100_000))
    ids: list[str] = []

    def work() -> None:
        ids.extend(tee.record(call()) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tee.flush()["acme"].delivered == 200
    assert sorted(acme.stored_ids()) == sorted(ids)


def test_a_signal_handler_may_record_while_the_application_records(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(exporter(), deliver=False)
    handled: list[str] = []
    before = signal.signal(signal.SIGALRM, lambda *_: handled.append(tee.record(call())))
    try:
        ids = []
        while len(handled) < 30:
            signal.setitimer(signal.ITIMER_REAL, 0.00002)
            ids.append(tee.record(call()))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    tee.close()
    delivering = make_tee(exporter())
    delivering.start()
    assert delivering.flush(60)["acme"].delivered == len(ids) + len(handled)
    assert sorted(acme.stored_ids()) == sorted(ids + handled)


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_session_fills_what_events_do_not_say(exporter: Make, make_tee: Make) -> None:
    tee = make_tee(exporter())
    with tee.session(
        "s", agent="support", agent_version="v1", person="u", properties={"a": 1}, tags=["x"]
    ):
        plain = tee.record(ToolRun(name="t"))
        own = tee.record(
            ToolRun(
                name="t",
                session="mine",
                agent=Agent(name="other"),
                person=Person(id="p"),
                properties={"a": 2},
                tags=("y",),
            )
        )
        raw = tee.record_call("openai-chat", request={"messages": []}, properties={"b": 3})
    outside = tee.record(ToolRun(name="t"))
    event = _stored(tee, plain)
    assert (event.session, event.agent) == ("s", Agent(name="support", version="v1"))
    assert (event.person, event.properties, event.tags) == (Person(id="u"), {"a": 1}, ("x",))
    event = _stored(tee, own)
    assert (event.session, event.agent, event.person) == (
        "mine",
        Agent(name="other"),
        Person(id="p"),
    )
    assert (event.properties, event.tags) == ({"a": 2}, ("x", "y"))
    event = _stored(tee, raw)
    assert (event.session, event.agent) == ("s", Agent(name="support", version="v1"))
    assert (event.person, event.properties, event.tags) == (
        Person(id="u"),
        {"a": 1, "b": 3},
        ("x",),
    )
    assert _stored(tee, outside).session is None


def test_sessions_nest(exporter: Make, make_tee: Make) -> None:
    tee = make_tee(exporter())
    with tee.session("outer", agent="a", person="u"), tee.session(agent="b"):
        inner = tee.record(ToolRun(name="t"))
        with tee.session("deep"):
            deep = tee.record(ToolRun(name="t"))
    event = _stored(tee, inner)
    assert (event.session, event.agent.name, event.person.id) == ("outer", "b", "u")
    assert _stored(tee, deep).session == "deep"


def test_sessions_of_two_tees_do_not_mix(exporter: Make, make_tee: Make, tmp_path: Path) -> None:
    one, other = make_tee(exporter()), make_tee(exporter(), dir=tmp_path / "other")
    with one.session("one"):
        event = other.record(ToolRun(name="t"))
    assert _stored(other, event).session is None


def test_sessions_are_safe_among_tasks(exporter: Make, make_tee: Make) -> None:
    tee = make_tee(exporter())

    async def turn(name: str, barrier: asyncio.Barrier) -> tuple[str, str]:
        with tee.session(name):
            await barrier.wait()
            return name, tee.record(ToolRun(name="t"))

    async def main() -> list[tuple[str, str]]:
        barrier = asyncio.Barrier(5)
        async with tee:
            done = await asyncio.gather(*(turn(f"s{n}", barrier) for n in range(5)))
            assert await tee.aflush()
            assert [_stored(tee, event).session for _, event in done] == [name for name, _ in done]
            return list(done)

    assert len(asyncio.run(main())) == 5
    assert tee.stats()["acme"].counts.delivered == 5


# ── reports ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_report_and_stats_are_json(acme: Any, exporter: Make, make_tee: Make, call: Call) -> None:
    acme.key = "another"
    tee = make_tee(exporter())
    tee.record(call())
    report = tee.flush().to_json()
    assert report["ok"] is False
    assert report["exporters"]["acme"]["pending"] == 1
    assert "401" in report["problems"]["acme"]
    stats = jsontext.loads(jsontext.dumps(tee.stats().to_json()))
    assert stats["recorded"] == 1
    assert stats["exporters"]["acme"]["paused"] is True


# ── a log that cannot be written ────────────────────────────────────────────────────────────────────────────────


def test_without_a_directory_events_are_kept_in_bounded_memory_loudly(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path, caplog: Any
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a directory")
    acme.key = "another"
    tee = make_tee(exporter(), dir=in_the_way, memory_events=10)
    assert str(in_the_way) in caplog.text
    assert tee.stats().directory is None
    for _ in range(15):
        tee.record(call())
    stats = tee.stats()
    assert (stats.refused, stats["acme"].counts.pending) == (5, 10)
    assert "full" in caplog.text
    acme.key = "acme-secret-key"
    assert tee.flush()["acme"].delivered == 10
    # What is finished makes room for more.
    for _ in range(15):
        tee.record(call())
        tee.flush()
    assert tee.flush()["acme"].delivered == 25
    assert tee.stats().refused == 5


def test_records_are_held_while_the_log_fails_and_stored_when_it_works(
    acme: Any, exporter: Make, make_tee: Make, call: Call, monkeypatch: Any, caplog: Any
) -> None:
    tee = make_tee(exporter())
    real = _segment.allocate

    def fails(file: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_segment, "allocate", fails)
    ids = [tee.record(call()) for _ in range(3)]
    stats = tee.stats()
    assert (stats.held, stats.recorded, stats["acme"].counts.pending) == (3, 3, 3)
    assert not tee.flush(timeout=0.1)
    assert sum("No space left" in line for line in caplog.messages) == 1
    monkeypatch.setattr(_segment, "allocate", real)
    ids.append(tee.record(call()))
    assert tee.flush()["acme"].delivered == 4
    assert tee.stats().held == 0
    assert sorted(acme.stored_ids()) == sorted(ids)


def test_what_is_held_is_stored_without_another_record_when_the_log_works(
    acme: Any, exporter: Make, make_tee: Make, call: Call, monkeypatch: Any
) -> None:
    tee = make_tee(exporter())
    real = _segment.allocate

    def fails(file: int, size: int) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(_segment, "allocate", fails)
    event = tee.record(call())
    assert tee.stats().held == 1
    monkeypatch.setattr(_segment, "allocate", real)
    acme.wait_for(lambda: acme.stored_ids() == [event])


def test_memory_for_a_log_that_fails_is_bounded(
    exporter: Make, make_tee: Make, call: Call, monkeypatch: Any, caplog: Any
) -> None:
    def fails(file: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_segment, "allocate", fails)
    tee = make_tee(exporter(), memory_events=3)
    for _ in range(5):
        tee.record(call())
    stats = tee.stats()
    assert (stats.recorded, stats.held, stats.refused) == (5, 3, 2)
    assert "2 records lost so far" in caplog.text
    # What the disk does not take until the end is lost, and said to be.
    tee.close(0.1)
    stats = tee.stats()
    assert (stats.held, stats.refused, stats["acme"].counts.total) == (0, 5, 0)
    assert "3 records were held in memory only, and are lost" in caplog.text


def test_a_lost_bell_delays_delivery_and_no_more(
    acme: Any, exporter: Make, make_tee: Make, call: Call, monkeypatch: Any
) -> None:
    tee = make_tee(exporter())
    tee.record(call())
    acme.wait_for(lambda: len(acme.stored) == 1)
    monkeypatch.setattr(tee._log._ringer, "news", lambda: None)
    tee.record(call())
    acme.wait_for(lambda: len(acme.stored) == 2)


def test_conversations_forgotten_in_memory_are_never_replaced_by_their_end(
    acme: Any, upserts: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    tee = make_tee(upserts(), dir=tmp_path / "file", memory_events=3)
    tee.record(call("a", "s", "hi", "hello"))
    tee.flush()
    for number in range(5):
        tee.record(call("b", f"other {number}"))
        tee.flush()
    tee.record(call("c", "s", "back", "welcome"))
    report = tee.flush()
    assert report["acme-upserts"].delivered == 7
    assert [item["id"] for item in (acme.stored[0], acme.stored[-1])] == [
        conversation_id("s"),
        conversation_id("s", 1),
    ]


def test_work_and_entries_are_plain_values() -> None:
    work = Work("session:a:b", 0, 0, 1, 1, 0, None)
    assert work.session == "a:b"
    assert Work("event:x", 0, 0, 1, 1, 0, None).session is None
    assert Entry("a", "s", "event", "llmtee", b"{}", 0.0) == Entry(
        "a", "s", "event", "llmtee", b"{}", 0.0
    )
