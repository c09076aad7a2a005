"""The database of the event log over time: versions, damage, what it forgets, what its questions cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from llmtee.errors import EventLogError
from llmtee.eventlog import (
    Counts,
    Entry,
    Place,
    Record,
    Retention,
    Settlement,
    SqliteLog,
    Subscription,
    _queries,
    _retention,
    _work,
    schema,
)
from llmtee.eventlog.journal import segment_files

EVENTS = Subscription("events", "event")
CHATS = Subscription("chats", "conversation", send_when="ended", quiet=600.0)
VERSION_1 = Path(__file__).with_name("version-1.sql")

_numbers = count(1)


@pytest.fixture
def make_log(tmp_path: Path) -> Iterator[Callable[..., SqliteLog]]:
    logs: list[SqliteLog] = []

    def make(*subscriptions: Subscription, **options: Any) -> SqliteLog:
        logs.append(SqliteLog(tmp_path / "log", **options))
        for subscription in subscriptions:
            logs[-1].register(subscription)
        return logs[-1]

    yield make
    for log in logs:
        log.close()


def _entry(session: str = "s", at: float = 100.0, payload: bytes = b"{}") -> Entry:
    return Entry(f"e{next(_numbers)}", session, "event", "llmtee", payload, at)


def _deliver(log: SqliteLog, subscription: Subscription = EVENTS, **settled: Any) -> None:
    while log.take(subscription, 100):
        pass
    works = log.claim(subscription, 1e9, 10_000)
    log.settle(subscription.exporter, [Settlement(work, "delivered", **settled) for work in works])


def _absorb(log: SqliteLog) -> list[str]:
    """Moves the journal into the database, as the deliverer does."""
    ids = []
    while records := log.journal(10):
        entries = [Entry(r.id, "s", "event", "llmtee", b"{}", 1.0) for _, r in records]
        log.absorb((place for place, _ in records), entries)
        ids += [record.id for _, record in records]
    return ids


def _fill(log: SqliteLog, payload_bytes: int) -> None:
    for _ in range(100):
        log.claim(EVENTS, 0.0, 10)
        log.absorb([], [_entry(str(next(_numbers)), payload=b"x" * payload_bytes)])


def _record(name: str) -> Record:
    return Record(name, "llmtee", b"{}", 1.0)


# ── the journal's part in it ────────────────────────────────────────────────────────────────────────────────────


def test_records_of_all_processes_are_absorbed_once(make_log: Callable[..., SqliteLog]) -> None:
    first, second = make_log(EVENTS), make_log(EVENTS)
    for number in range(30):
        (first, second)[number % 2].append(_record(str(number)))
    for log in (first, second):
        assert log.counts("events") == Counts(pending=30)
        assert log.recorded("events") == 30
        assert log.outcome("events", "7") == "pending"
    assert sorted(_absorb(first), key=int) == [str(number) for number in range(30)]
    assert _absorb(second) == []
    assert second.counts("events") == Counts(pending=30)


def test_a_crash_between_two_steps_repeats_nothing_and_loses_nothing(
    make_log: Callable[..., SqliteLog],
) -> None:
    log = make_log(EVENTS)
    for number in range(25):
        log.append(_record(str(number)))
    records = log.journal(10)
    log.absorb((place for place, _ in records), [_entry() for _ in records])
    log.close()
    again = make_log(EVENTS)
    assert again.counts("events") == Counts(pending=25)
    assert _absorb(again) == [str(number) for number in range(10, 25)]
    again.tidy(0.0)
    assert segment_files(again.directory or Path()) == []
    assert again.counts("events") == Counts(pending=25)


def test_an_event_that_is_recorded_twice_counts_once_in_the_journal_too(
    make_log: Callable[..., SqliteLog],
) -> None:
    log = make_log(EVENTS)
    log.append(_record("a"))
    log.append(_record("a"))
    assert log.counts("events") == Counts(pending=1)
    _absorb(log)
    log.append(_record("a"))
    assert log.counts("events") == Counts(pending=1)
    assert log.appended == 3


def test_damaged_records_are_counted(make_log: Callable[..., SqliteLog], caplog: Any) -> None:
    log = make_log(EVENTS)
    for name in "abc":
        log.append(_record(name))
    (path,) = segment_files(log.directory or Path())
    ends = [place.end for place, _ in log.journal(9) if isinstance(place, Place)]
    with path.open("r+b") as file:
        file.seek(ends[0] + 12)
        file.write(b"\xff")
        file.seek(ends[2] + 4)
        file.write(b"half a frame")
    assert _absorb(log) == ["a", "c"]
    assert log.lost() == {"torn": 1}
    log.close()
    # Its writer cut off what it had not written itself.
    again = make_log(EVENTS)
    again.tidy(0.0)
    assert again.lost() == {"torn": 1}
    assert segment_files(again.directory or Path()) == []


# ── versions ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_log_of_version_1_goes_on(tmp_path: Path, make_log: Callable[..., SqliteLog]) -> None:
    (tmp_path / "log").mkdir()
    with sqlite3.connect(tmp_path / "log" / "events.db") as db:
        db.executescript(VERSION_1.read_text("utf-8"))
    db.close()
    log = make_log(EVENTS, CHATS)
    assert log.counts("events") == Counts(delivered=1, pending=3, dead=2)
    assert log.counts("chats") == Counts(pending=2, open=3, dead=1)
    assert log.recorded("events") == log.recorded("chats") == 6
    assert len(log.dead_letters("events")) == 2
    oldest = {
        name: standing.pending_since
        for name, standing in log.standing(["events", "chats"]).exporters.items()
    }
    assert oldest == {"events": 100.0, "chats": 101.0}
    assert log.recover("events", repeat=True) == 1
    log.append(_record("e7"))
    # What the older version had in its journal comes first.
    assert _absorb(log) == ["e5", "e6", "e7"]
    _deliver(log, vendor_id="v")
    assert log.counts("events") == Counts(delivered=5, dead=2)
    log.vacuum()
    assert log.counts("events") == Counts(delivered=5, dead=2)
    assert log._db.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    assert log._db.execute("PRAGMA auto_vacuum").fetchone() == (2,)


# ── damage ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _damage(directory: Path) -> None:
    with (directory / "events.db").open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(0)
        file.write(b"\xff" * size)


def test_a_damaged_database_is_set_aside_and_the_journal_is_read_again(
    tmp_path: Path, make_log: Callable[..., SqliteLog], caplog: Any
) -> None:
    log = make_log(EVENTS)
    log.append(_record("a"))
    assert _absorb(log) == ["a"]
    log.append(_record("b"))
    log.close()
    _damage(tmp_path / "log")
    again = make_log(EVENTS)
    assert "is damaged" in caplog.text
    assert "events.db.corrupt-" in caplog.text
    assert _absorb(again) == ["a", "b"]
    assert again.counts("events") == Counts(pending=2)
    kept = [path for path in (tmp_path / "log").iterdir() if ".corrupt-" in path.name]
    assert kept
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_damage_that_is_found_in_use_costs_one_step(
    tmp_path: Path, make_log: Callable[..., SqliteLog], caplog: Any
) -> None:
    log, other = make_log(EVENTS), make_log(EVENTS)
    log.absorb([], [_entry(payload=b"x" * 5000) for _ in range(50)])
    log._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.append(_record("a"))
    (work,) = (log.take(EVENTS, 1), log.claim(EVENTS, 0.0, 1))[1]
    _damage(tmp_path / "log")
    log._db.execute("PRAGMA cache_size = 0")
    with pytest.raises(EventLogError):
        _fill(log, 50_000)
    # The next step finds a new database, in which the exporters are known; so do other processes.
    assert log.counts("events") == Counts(pending=1)
    assert other.counts("events") == Counts(pending=1)
    log.settle("events", [Settlement(work, "delivered")])
    assert _absorb(other) == ["a"]
    assert log.counts("events") == Counts(pending=1)
    assert caplog.text.count("is damaged") == 1


def test_a_database_that_was_deleted_is_made_anew_from_what_is_still_open(
    tmp_path: Path, make_log: Callable[..., SqliteLog], caplog: Any
) -> None:
    log, other = make_log(EVENTS), make_log(EVENTS)
    entry = _entry()
    log.absorb([], [entry])
    other.append(_record("a"))
    for path in (tmp_path / "log").glob("events.db*"):
        path.unlink()
    assert log.outcome("events", entry.id) == "pending"
    assert other.counts("events") == Counts(pending=2)
    assert _absorb(log) == ["a"]
    assert other.counts("events") == log.counts("events") == Counts(pending=2)
    assert caplog.text.count("was deleted while it was in use") == 1
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "log").glob("events.db*")} == {
        0o600
    }


# ── what it forgets ─────────────────────────────────────────────────────────────────────────────────────────────


def test_finished_sessions_go_when_they_are_old(make_log: Callable[..., SqliteLog]) -> None:
    log = make_log(EVENTS, CHATS, retention=Retention(keep_seconds=50.0))
    log.absorb([], [_entry("old", 100.0), _entry("mixed", 100.0), _entry("mixed", 200.0)])
    log.absorb([], [Entry("end", "old", "end", "llmtee", b"", 101.0)])
    log.take(CHATS, 100)
    log.tidy(1000.0)
    assert len(log._db.execute("SELECT 1 FROM events").fetchall()) == 4  # nothing is finished
    _deliver(log, vendor_id="v1")
    chat = log.claim(CHATS, 200.0, 1)
    log.settle("chats", [Settlement(chat[0], "delivered")])
    log.tidy(220.0)
    sessions = log._db.execute("SELECT DISTINCT session FROM events").fetchall()
    assert sessions == [("mixed",)]
    assert log.counts("events") == Counts(delivered=3)
    assert log.counts("chats") == Counts(delivered=1, open=2)
    assert log.recorded("events") == log.recorded("chats") == 3
    assert log.lost() == {}


def test_what_is_pending_is_never_forgotten_and_makes_the_log_full(
    make_log: Callable[..., SqliteLog],
) -> None:
    log = make_log(EVENTS, retention=Retention(keep_seconds=1e9, database_bytes=400_000))
    with pytest.raises(EventLogError, match="full, 400,000 bytes are pending"):
        _fill(log, 10_000)
    stored = log.counts("events").pending
    assert 20 < stored < 40
    log.tidy(1e9)
    assert log.counts("events").pending == stored
    _deliver(log)
    log.tidy(1e6)  # the room is needed, so it goes though it is young
    assert log.counts("events") == Counts(delivered=stored)
    log.absorb([], [_entry()])
    assert log.recorded("events") == stored + 1


def test_the_file_becomes_smaller(make_log: Callable[..., SqliteLog]) -> None:
    log = make_log(EVENTS, retention=Retention(keep_seconds=0.0))
    log.absorb([], [_entry(payload=b"x" * 100_000) for _ in range(20)])
    log._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = (log.directory or Path()) / "events.db"
    assert path.stat().st_size > 2_000_000
    _deliver(log)
    log.tidy(1e9)
    log._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < 200_000


def test_an_exporter_that_nobody_uses_any_more_holds_nothing_back_and_is_counted(
    make_log: Callable[..., SqliteLog],
) -> None:
    make_log(EVENTS, CHATS).close()
    log = make_log(EVENTS, retention=Retention(keep_seconds=0.0))
    log.absorb([], [_entry(), _entry()])
    _deliver(log)
    log.tidy(1e9)
    assert log.lost() == {"expired": 2}
    assert log._db.execute("SELECT count(*) FROM events").fetchone() == (0,)


# ── exporters that come later, and what vendors call things ─────────────────────────────────────────────────────


def test_a_new_exporter_begins_at_the_end_or_replays(make_log: Callable[..., SqliteLog]) -> None:
    log = make_log(EVENTS)
    log.absorb([], [_entry(), _entry()])
    log.register(Subscription("late", "event"))
    log.register(Subscription("replays", "event", replay=True))
    assert (log.counts("late").total, log.counts("replays").total) == (0, 2)
    log.register(Subscription("late", "event", replay=True))  # known by now
    assert log.counts("late").total == 0


def test_the_vendors_own_ids_are_found_by_event(make_log: Callable[..., SqliteLog]) -> None:
    log = make_log(EVENTS, CHATS)
    first, second = _entry("a"), _entry("a")
    log.absorb([], [first, second])
    _deliver(log, vendor_id="as event")
    assert log.vendor_id("events", first.id) == "as event"
    assert log.vendor_id("chats", first.id) is None
    _deliver(log, CHATS, vendor_id="as chat")
    assert log.vendor_id("chats", second.id) == "as chat"
    third = _entry("a")
    log.absorb([], [third])
    log.take(CHATS, 10)
    assert log.vendor_id("chats", third.id) is None
    assert log.vendor_id("events", "nobody") is None


# ── what questions cost ─────────────────────────────────────────────────────────────────────────────────────────

_DUE = {"exporter": "events", "now": 1.0, "limit": 10, "window": 1000}


@pytest.mark.parametrize(
    ("sql", "values", "indexes"),
    [
        (_work._DUE, _DUE, {"work_due"}),
        (_work._DUE_IN_ORDER, _DUE, {"work_due", "work_in_order"}),
        (_queries.UNFINISHED, ("events",), {"COVERING INDEX work_due"}),
        (_queries.SETTLED, ("events",), {"COVERING INDEX work_settled"}),
        (_queries.COUNT_AFTER, (5,), {"events_counted"}),
        (
            _retention.UNFINISHED,
            ("s",),
            {"events_of_session", "work USING PRIMARY KEY (exporter=? AND key=?)"},
        ),
        (_retention._NEWEST, ("s",), {"events_of_session"}),
    ],
)
def test_questions_use_an_index_and_sort_nothing(
    make_log: Callable[..., SqliteLog], sql: str, values: Any, indexes: set[str]
) -> None:
    log = make_log(EVENTS)
    plan = [row[3] for row in log._db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    for index in indexes:
        assert any(index in line for line in plan), plan
    tables = ("work", "events")
    assert not any(line.startswith(f"SCAN {table}") for line in plan for table in tables), plan
