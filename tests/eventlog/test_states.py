"""What the log keeps of sessions that were assembled, and what it takes for the same session still."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from llmtee.eventlog import (
    Counts,
    Entry,
    Mark,
    Retention,
    Settlement,
    SqliteLog,
    State,
    Subscription,
    Work,
    _retention,
    _states,
    _work,
    schema,
)

EVENTS = Subscription("events", "event")
UPSERTS = Subscription("upserts", "conversation", quiet=2.0, patience=30.0)
CHATS = Subscription("chats", "conversation", send_when="ended", quiet=600.0)
VERSION_2 = Path(__file__).with_name("version-2.sql")

_numbers = count(1)


@pytest.fixture(params=["on disk", "in memory"])
def directory(request: Any, tmp_path: Path) -> Path | None:
    return tmp_path / "log" if request.param == "on disk" else None


@pytest.fixture
def make_log() -> Iterator[Callable[..., SqliteLog]]:
    logs: list[SqliteLog] = []

    def make(directory: Path | None, **options: Any) -> SqliteLog:
        logs.append(SqliteLog(directory, **options))
        for subscription in (EVENTS, UPSERTS, CHATS):
            logs[-1].register(subscription)
        return logs[-1]

    yield make
    for log in logs:
        log.close()


@pytest.fixture
def log(make_log: Callable[..., SqliteLog], directory: Path | None) -> SqliteLog:
    return make_log(directory)


def _add(log: SqliteLog, session: str = "s", at: float = 100.0, payload: bytes = b"{}") -> str:
    entry = Entry(f"e{next(_numbers)}", session, "event", "llmtee", payload, at)
    log.absorb([], [entry])
    return entry.id


def _claim(log: SqliteLog, subscription: Subscription = UPSERTS, now: float = 1e6) -> Work:
    while log.take(subscription, 100):
        pass
    (work,) = log.claim(subscription, now, 1)
    return work


def _settle(log: SqliteLog, work: Work, content: bytes, exporter: str = "upserts") -> State:
    """Settles a unit of work with a state as far as it goes."""
    session = work.session or ""
    state = State(session, log.story(session, work.last_seq).mark, content)
    settled = Work(
        work.key, work.segment, work.after_seq, work.last_seq, work.events, 0, None, state
    )
    log.settle(exporter, [Settlement(settled, "delivered")])
    return state


def test_a_story_goes_on_after_the_newest_state_that_is_not_beyond_it(log: SqliteLog) -> None:
    first, second = _add(log), _add(log)
    story = log.story("s", 2)
    assert [entry.id for entry in story.entries] == [first, second]
    assert (story.state, story.goes_on, story.mark.seq) == (None, False, 2)
    state = _settle(log, _claim(log), b"two")
    third = _add(log)
    story = log.story("s", 3)
    assert story.state == state
    assert [entry.id for entry in story.entries] == [third]
    assert story.mark.seq == 3
    # For an exporter that is not as far, it is of no use.
    story = log.story("s", 1)
    assert story.state is None
    assert [entry.id for entry in story.entries] == [first]
    assert log.story("s", 0).mark.seq == 0
    assert log.story("nobody", 9).entries == []


def test_what_is_known_needs_no_state(log: SqliteLog) -> None:
    _add(log)
    _settle(log, _claim(log), b"one")
    second = _add(log)
    known = log.story("s", 1).mark
    story = log.story("s", 2, known)
    assert story.goes_on
    assert story.state is None
    assert [entry.id for entry in story.entries] == [second]
    # What is known beyond it is of no use, and neither is what is known of another log.
    assert not log.story("s", 1, story.mark).goes_on
    assert not log.story("s", 2, Mark(b"another", 1)).goes_on
    assert not log.story("t", 2, known).goes_on


def test_exporters_share_states_and_each_keeps_its_own(log: SqliteLog) -> None:
    for _ in range(2):
        _add(log)
    ended = Entry("end", "s", "end", "llmtee", b"", 100.0)
    log.absorb([], [ended])
    chat = _claim(log, CHATS)
    _settle(log, chat, b"of the chat", "chats")
    state = log.story("s", 3).state
    assert state is not None
    assert state.content == b"of the chat"
    for _ in range(3):
        _add(log)
        _settle(log, _claim(log), b"of the upsert")
    assert [log.story("s", upto).mark.seq for upto in (2, 6)] == [2, 6]
    contents = [found.content for upto in (2, 6) if (found := log.story("s", upto).state)]
    assert contents == [b"of the chat", b"of the upsert"]


def test_a_state_that_is_older_than_the_stored_one_is_not_taken(log: SqliteLog) -> None:
    _add(log)
    work = _claim(log)
    old = State("s", log.story("s", 1).mark, b"old")
    log.settle("upserts", [Settlement(work, "delivered")])
    _add(log)
    _settle(log, _claim(log), b"new")
    _add(log)
    again = _claim(log)
    held = Work(again.key, 0, 0, again.last_seq, 3, 0, None, old)
    log.settle("upserts", [Settlement(held, "pending", "busy", 0.0)])
    state = log.story("s", 3).state
    assert state is not None
    assert state.content == b"new"


def test_a_discarded_state_is_gone_and_counted_and_is_no_loss(log: SqliteLog) -> None:
    _add(log)
    state = _settle(log, _claim(log), b"?")
    log.discard(state)
    log.discard(state)
    assert log.story("s", 1).state is None
    assert log.discarded() == 1
    assert log.lost() == {}


def test_states_go_with_their_session(make_log: Callable[..., SqliteLog], tmp_path: Path) -> None:
    log = make_log(tmp_path, retention=Retention(keep_seconds=50.0))
    _add(log)
    _settle(log, _claim(log), b"one")
    _settle(log, _claim(log, CHATS), b"one", "chats")
    _settle(log, _claim(log, EVENTS), b"one", "events")
    known = log.story("s", 1).mark
    log.tidy(1e6)
    assert log._db.execute("SELECT count(*) FROM states").fetchone() == (0,)
    _add(log)
    story = log.story("s", 2, known)
    assert not story.goes_on
    assert len(story.entries) == 1
    # Nor does one come that was on its way.
    late = Work("session:s", 0, 0, 1, 1, 0, None, State("s", known, b"late"))
    log.settle("upserts", [Settlement(late, "pending", due_at=0.0)])
    assert log.story("s", 2).state is None


def test_a_log_in_memory_forgets_them_too(make_log: Callable[..., SqliteLog]) -> None:
    log = make_log(None, bound=100)
    for number in range(300):
        _add(log, f"s{number}")
        for subscription in (EVENTS, UPSERTS, CHATS):
            _settle(log, _claim(log, subscription), b"one", subscription.exporter)
        log._size += 1  # `append` counts what `absorb` takes over
        if log._size >= 100:
            _forget_some(log)
    assert log._db.execute("SELECT count(*) FROM events").fetchone()[0] <= 100
    assert log._db.execute("SELECT count(DISTINCT session) FROM states").fetchone()[0] <= 100


def _forget_some(log: SqliteLog) -> None:
    """As `append` does when the log is full."""
    with log._database.transaction() as db:
        names = ["events", "upserts", "chats"]
        log._size -= _retention.forget(db, 10, exporters=names).events


def _damaged() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def test_a_new_database_takes_nothing_that_is_of_the_old_one(
    make_log: Callable[..., SqliteLog], tmp_path: Path
) -> None:
    log = make_log(tmp_path)
    _add(log)
    work = _claim(log)
    known = log.story("s", 1).mark
    log._database.failed(_damaged())  # sets the file aside
    _add(log)
    story = log.story("s", 1, known)
    assert not story.goes_on
    assert len(story.entries) == 1
    late = Work(work.key, 0, 0, 1, 1, 0, None, State("s", known, b"of the old one"))
    log.settle("upserts", [Settlement(late, "delivered")])
    assert log.story("s", 1).state is None


def test_a_full_disk_takes_what_became_of_work_before_it_takes_states(
    make_log: Callable[..., SqliteLog], tmp_path: Path
) -> None:
    log = make_log(tmp_path)
    _add(log)
    work = _claim(log)
    (pages,) = log._db.execute("PRAGMA page_count").fetchone()
    log._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    _settle(log, work, b"x" * 100_000)
    assert log.counts("upserts") == Counts(delivered=1)
    assert log.story("s", 1).state is None
    full = make_log(tmp_path, retention=Retention(database_bytes=1))
    full._db.execute("PRAGMA max_page_count = 1000000")
    log._db.execute("PRAGMA max_page_count = 1000000")
    _settle(full, _claim(full, CHATS), b"small", "chats")
    assert full.story("s", 1).state is None


def test_a_log_of_version_2_goes_on(make_log: Callable[..., SqliteLog], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "events.db") as db:
        db.executescript(VERSION_2.read_text("utf-8"))
    db.close()
    log = make_log(tmp_path)
    assert log._db.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    assert log.counts("events") == Counts(delivered=3, pending=1)
    assert log.counts("upserts") == Counts(delivered=2, pending=2)
    assert log.counts("chats") == Counts(delivered=2, open=2)
    assert log.vendor_id("chats", "e2") == "c-s"
    upsert = _claim(log, now=2_000_000_000.0)
    assert (upsert.session, upsert.last_seq) == ("s", 5)
    assert len(log.story("s", 5).entries) == 3
    _settle(log, upsert, b"three")
    state = log.story("s", 5).state
    assert state is not None
    assert state.content == b"three"
    # It was put off until the year 2096, by a clock that was far ahead.
    assert log.claim(UPSERTS, 2_000_000_000.0, 9) == []
    log._db.execute("UPDATE work SET dated_at = 3999999970 WHERE key = 'session:t'")
    assert log.claim(UPSERTS, 2_000_000_000.0, 9) == []
    (late,) = log.claim(UPSERTS, 2_000_000_030.0, 9)
    assert late.session == "t"


# ── a clock that is put back ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("back", [0.5, 100.0, 7200.0, 9e8])
def test_nothing_waits_longer_than_it_was_told_to(log: SqliteLog, back: float) -> None:
    now = 1e9
    _add(log, "retried", now)
    _add(log, "quiet", now)
    log.take(EVENTS, 100)
    retried, _ = log.claim(EVENTS, now, 9)
    told = Settlement(retried, "pending", "busy", now + 900, 1, now, dated_at=now)
    log.settle("events", [told])
    for subscription in (UPSERTS, CHATS):
        log.take(subscription, 100)
    now -= back
    for subscription, seconds, units in ((EVENTS, 900, 1), (UPSERTS, 2, 2), (CHATS, 600, 2)):
        log.claim(subscription, now, 0)  # somebody looks
        assert log.next_due(subscription.exporter, now) == now + seconds
        assert log.claim(subscription, now + seconds - 0.25, 9) == []
        assert len(log.claim(subscription, now + seconds, 9)) == units


def test_a_retrys_wait_outlives_a_new_event_and_a_clock_that_is_put_back(log: SqliteLog) -> None:
    now = 1e9
    _add(log, at=now - 10)
    work = _claim(log, now=now)
    log.settle("upserts", [Settlement(work, "pending", "busy", now + 60, 1, now, dated_at=now)])
    now -= 7200
    _add(log, at=now)
    log.take(UPSERTS, 9)
    log.claim(UPSERTS, now, 9)
    log.hasten(UPSERTS)
    assert log.claim(UPSERTS, now + 59, 9) == []
    assert len(log.claim(UPSERTS, now + 60, 9)) == 1


def test_what_is_put_off_again_and_again_is_put_off_no_longer_by_each(log: SqliteLog) -> None:
    now = 1e9
    _add(log, at=now)
    log.take(UPSERTS, 9)
    for _ in range(5):
        assert log.claim(UPSERTS, now, 9) == []
        now -= 1000
    log.claim(UPSERTS, now, 9)
    assert log.next_due("upserts", now) == now + 2


# ── what questions cost ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sql", "values", "index"),
    [
        (_states.READ, ("s", 1, 2), "events_of_session"),
        (_states.NEWEST, ("s", 2), "sqlite_autoindex_states_1"),
        (_work.REDATE, {"now": 1.0, "exporter": "events"}, "work_dated"),
    ],
)
def test_questions_use_an_index(log: SqliteLog, sql: str, values: Any, index: str) -> None:
    plan = [row[3] for row in log._db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert any(index in line for line in plan), plan
    assert not any(line.startswith("SCAN") for line in plan), plan
