"""The event log by itself: each step, and what is left when the process dies between two of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from llmtee.errors import EventLogError
from llmtee.eventlog import (
    Bell,
    Counts,
    DeadLetter,
    Entry,
    Record,
    Settlement,
    SqliteLog,
    Subscription,
    Work,
    ring,
)

EVENTS = Subscription("events", "event")
UPSERTS = Subscription("upserts", "conversation", quiet=2.0, patience=30.0)
CHATS = Subscription("chats", "conversation", send_when="ended", quiet=600.0)

_numbers = count(1)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(tmp_path / "log")
    for subscription in (EVENTS, UPSERTS, CHATS):
        log.register(subscription)
    yield log
    log.close()


def _entry(session: str = "s", at: float = 100.0, kind: str = "event") -> Entry:
    number = next(_numbers)
    return Entry(
        f"e{number}", session, kind, "llmtee", b"{}", at, "bad" if kind == "undecodable" else None
    )  # type: ignore[arg-type]


def _claim(log: SqliteLog, subscription: Subscription, now: float, limit: int = 10) -> list[Work]:
    log.take(subscription, 100)
    return log.claim(subscription, now, limit)


def _places(log: SqliteLog, name: str) -> Counts:
    counts = log.counts(name)
    assert counts.total == log.recorded(name)
    return counts


def test_a_record_survives_reopening(tmp_path: Path) -> None:
    record = Record("e", "openai-chat", b'{"a":1}', 12.5, live=False)
    log = SqliteLog(tmp_path)
    log.append(record)
    log.close()
    again = SqliteLog(tmp_path)
    assert [found for _, found in again.journal(10)] == [record]
    again.close()


def test_absorbing_is_one_step_and_ignores_what_is_there(log: SqliteLog) -> None:
    log.append(Record("a", "llmtee", b"{}", 1.0))
    ((number, _),) = log.journal(10)
    entry = _entry()
    assert log.absorb([number], [entry]) == 0
    assert log.absorb([], [entry]) == 1
    assert log.journal(10) == []
    assert _places(log, "events") == Counts(pending=1)


def test_events_are_claimed_in_order_and_once(log: SqliteLog) -> None:
    entries = [_entry() for _ in range(5)]
    log.absorb([], entries)
    first = _claim(log, EVENTS, 0.0, limit=3)
    assert [log.entry(work).id for work in first] == [entry.id for entry in entries[:3]]
    second = _claim(log, EVENTS, 0.0)
    assert len(second) == 2
    assert _claim(log, EVENTS, 0.0) == []
    log.release("events", second)
    assert _claim(log, EVENTS, 0.0) == second


def test_in_order_no_event_overtakes_its_session_and_sessions_do_not_wait_for_each_other(
    log: SqliteLog,
) -> None:
    ordered = Subscription("ordered", "event", ordered=True)
    log.register(ordered)
    entries = [_entry("a"), _entry("a"), _entry("b"), _entry("a")]
    log.absorb([], entries)
    first_a, first_b = _claim(log, ordered, 0.0)
    assert [first_a.key, first_b.key] == [f"event:{entries[0].id}", f"event:{entries[2].id}"]
    assert _claim(log, ordered, 0.0) == []
    log.settle("ordered", [Settlement(first_a, "pending", "busy", 50.0, attempts=1)])
    assert _claim(log, ordered, 49.0) == []
    assert log.next_due("ordered", 49.0) == 50.0
    (again,) = _claim(log, ordered, 50.0)
    assert again.key == first_a.key
    log.settle("ordered", [Settlement(again, "dead", "no")])
    (second_a,) = _claim(log, ordered, 50.0)
    assert second_a.key == f"event:{entries[1].id}"
    assert _claim(log, EVENTS, 0.0, limit=3) != []


def test_a_retry_waits_and_keeps_its_history(log: SqliteLog) -> None:
    log.absorb([], [_entry()])
    (work,) = _claim(log, EVENTS, 0.0)
    log.settle("events", [Settlement(work, "pending", "busy", 50.0, attempts=1, first_at=10.0)])
    assert log.next_due("events", 0.0) == 50.0
    assert _claim(log, EVENTS, 49.9) == []
    (again,) = _claim(log, EVENTS, 50.0)
    assert (again.attempts, again.first_at) == (1, 10.0)


@pytest.mark.parametrize("outcome", ["delivered", "dead", "unknown", "skipped"])
def test_outcomes_are_counted_and_found(log: SqliteLog, outcome: str) -> None:
    entry = _entry()
    log.absorb([], [entry])
    (work,) = _claim(log, EVENTS, 0.0)
    log.settle("events", [Settlement(work, outcome, "because")])  # type: ignore[arg-type]
    assert getattr(_places(log, "events"), outcome) == 1
    assert log.outcome("events", entry.id) == outcome
    assert not log.unfinished("events")
    assert log.outcome("events", "nobody") is None


def test_dead_letters_are_kept_with_everything(log: SqliteLog) -> None:
    log.absorb([], [_entry()])
    (work,) = _claim(log, EVENTS, 0.0)
    letter = DeadLetter(
        "events", work.key[6:], 0, 5.0, "no", {"body": {"ü": 2**70}}, {"status": 422}
    )
    log.settle("events", [Settlement(work, "dead", "no", letter=letter)])
    assert log.dead_letters() == log.dead_letters("events") == [letter]
    assert log.dead_letters("chats") == []


def test_what_cannot_be_decoded_is_a_dead_letter_of_every_exporter(log: SqliteLog) -> None:
    log.absorb([], [_entry(kind="undecodable"), _entry()])
    for subscription in (EVENTS, UPSERTS, CHATS):
        log.take(subscription, 100)
        assert _places(log, subscription.exporter).dead == 1
    assert [letter.reason for letter in log.dead_letters()] == ["bad"] * 3


def test_after_a_crash_claimed_work_is_pending_and_sent_work_is_repeated_or_unknown(
    tmp_path: Path,
) -> None:
    for repeat, sent in ((True, "pending"), (False, "unknown")):
        directory = tmp_path / sent
        log = SqliteLog(directory)
        log.register(EVENTS)
        log.absorb([], [_entry(), _entry()])
        claimed, under_way = _claim(log, EVENTS, 0.0)
        log.sending("events", [under_way])
        log.close()
        again = SqliteLog(directory)
        assert again.recover("events", repeat=repeat) == 1
        counts = _places(again, "events")
        assert counts.pending == (2 if repeat else 1)
        assert counts.unknown == (0 if repeat else 1)
        assert claimed in again.claim(EVENTS, 0.0, 10)
        again.close()


def test_a_conversation_is_due_after_quiet_but_not_put_off_for_ever(log: SqliteLog) -> None:
    for at in range(100, 140):
        log.absorb([], [_entry(at=float(at))])
        log.take(UPSERTS, 100)
    assert log.next_due("upserts", 0.0) == 130.0
    (work,) = _claim(log, UPSERTS, 130.0)
    assert work.events == 40
    log.settle("upserts", [Settlement(work, "delivered")])
    assert _places(log, "upserts") == Counts(delivered=40)
    log.absorb([], [_entry(at=200.0)])
    log.take(UPSERTS, 100)
    assert log.next_due("upserts", 0.0) == 202.0


def test_a_conversation_that_grows_while_it_is_sent_stays_pending(log: SqliteLog) -> None:
    log.absorb([], [_entry()])
    (work,) = _claim(log, UPSERTS, 1000.0)
    log.absorb([], [_entry()])
    assert _claim(log, UPSERTS, 1000.0) == []
    log.settle("upserts", [Settlement(work, "delivered")])
    assert _places(log, "upserts") == Counts(delivered=1, pending=1)
    (rest,) = _claim(log, UPSERTS, 1000.0)
    assert len(log.story("s", rest.last_seq).entries) == 2


def test_hastening_does_not_break_a_retrys_wait(log: SqliteLog) -> None:
    log.absorb([], [_entry("a"), _entry("b")])
    first, _ = _claim(log, UPSERTS, 1000.0)
    log.settle("upserts", [Settlement(first, "pending", "busy", 5000.0, 1, 1000.0)])
    log.absorb([], [_entry("c", at=2000.0), _entry(first.session or "", at=2000.0)])
    log.take(UPSERTS, 100)
    log.hasten(UPSERTS)
    assert [work.session for work in log.claim(UPSERTS, 2000.0, 10)] == ["c"]


def test_a_session_ends_once_and_the_next_segment_begins_after_it(log: SqliteLog) -> None:
    end = _entry(kind="end")
    log.absorb([], [_entry(), _entry(), end, _entry(), _entry("other")])
    log.take(CHATS, 100)
    log.hasten(CHATS)
    assert _places(log, "chats") == Counts(pending=2, open=2)
    (work,) = log.claim(CHATS, 100.0, 10)
    assert (work.segment, work.events) == (0, 2)
    log.settle("chats", [Settlement(work, "delivered")])
    second, _ = log.claim(CHATS, 700.0, 10)
    assert (second.segment, second.after_seq, second.events) == (1, 2, 1)
    before = log.story("s", second.after_seq)
    assert len(before.entries) == 2
    after = log.story("s", second.last_seq, before.mark)
    assert after.goes_on
    assert len(after.entries) == 1


def test_an_exporter_sees_what_comes_after_it_was_registered(log: SqliteLog) -> None:
    log.absorb([], [_entry()])
    late = Subscription("late", "event")
    log.register(late)
    log.register(EVENTS)
    entry = _entry()
    log.absorb([], [entry])
    assert _places(log, "late") == Counts(pending=1)
    assert _places(log, "events") == Counts(pending=2)
    assert [log.entry(work).id for work in _claim(log, late, 0.0)] == [entry.id]


def test_a_full_memory_log_forgets_only_what_all_are_finished_with() -> None:
    log = SqliteLog(None, bound=3)
    log.register(EVENTS)
    log.register(UPSERTS)
    for session in ("a", "b", "c"):
        log.append(Record(session, "llmtee", b"{}", 1.0))
        log.absorb([number for number, _ in log.journal(9)], [_entry(session)])
    with pytest.raises(EventLogError, match="full, 3 events wait"):
        log.append(Record("d", "llmtee", b"{}", 1.0))
    works = _claim(log, EVENTS, 1000.0)
    log.settle("events", [Settlement(work, "delivered") for work in works])
    with pytest.raises(EventLogError):
        log.append(Record("d", "llmtee", b"{}", 1.0))
    first, *_ = _claim(log, UPSERTS, 1000.0)
    log.settle("upserts", [Settlement(first, "delivered")])
    log.append(Record("d", "llmtee", b"{}", 1.0))
    assert _places(log, "upserts") == Counts(delivered=1, pending=3)
    assert _places(log, "events") == Counts(delivered=3, pending=1)
    log.close()


def test_errors_name_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EventLogError, match="file"):
        SqliteLog(tmp_path / "file")
    log = SqliteLog(tmp_path / "log")
    log.close()
    log.close()
    with pytest.raises(EventLogError, match="closed"):
        log.append(Record("a", "llmtee", b"{}", 1.0))


def test_a_step_that_fails_changes_nothing(log: SqliteLog) -> None:
    log.append(Record("a", "llmtee", b"{}", 1.0))
    bad = Entry("x", "s", "no such kind", "llmtee", b"{}", 1.0)  # type: ignore[arg-type]
    ((number, _),) = log.journal(10)
    with pytest.raises(EventLogError):
        log.absorb([number], [bad])
    assert len(log.journal(10)) == 1


def test_two_processes_open_a_new_directory_at_once(tmp_path: Path) -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(4)

    def opens() -> None:
        barrier.wait()
        try:
            log = SqliteLog(tmp_path / "log")
            log.append(Record("a", "llmtee", b"{}", 1.0))
            log.close()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    threads = [threading.Thread(target=opens) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    log = SqliteLog(tmp_path / "log")
    assert len(log.journal(10)) == 4
    log.close()


def test_a_directory_with_files_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("")
    mode = tmp_path.stat().st_mode
    SqliteLog(tmp_path).close()
    assert not (tmp_path / ".gitignore").exists()
    assert tmp_path.stat().st_mode == mode


def test_records_ring_once_and_only_when_the_deliverer_sleeps(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    log.append(Record("a", "llmtee", b"{}", 1.0))
    bell = Bell(tmp_path)
    log.append(Record("b", "llmtee", b"{}", 1.0))
    assert bell.read() == b""
    bell.sleep(True)
    for name in "cdef":
        log.append(Record(name, "llmtee", b"{}", 1.0))
    assert bell.read() == b"."
    bell.sleep(True)
    bell.sleep(False)
    log.append(Record("g", "llmtee", b"{}", 1.0))
    assert bell.read() == b""
    bell.close()
    log.close()


def test_the_bell_rings_across_processes(tmp_path: Path) -> None:
    ring(tmp_path, b".")  # nobody listens
    bell = Bell(tmp_path)
    assert bell.read() == b""
    ring(tmp_path, b".")
    ring(tmp_path, b"!")
    assert bell.read() == b".!"
    bell.close()
    ring(tmp_path, b".")
    again = Bell(tmp_path)
    assert again.read() == b""
    again.close()
