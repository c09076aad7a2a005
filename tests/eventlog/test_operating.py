"""What people do to an event log: look for an event, try again, drop, replay. Each event stays in exactly one place."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.errors import UsageError
from llmtee.eventlog import (
    Counts,
    DeadLetter,
    Disk,
    Entry,
    Leader,
    Leadership,
    Location,
    Mended,
    Period,
    Record,
    Replayed,
    Selection,
    Settlement,
    SqliteLog,
    Subscription,
    _letters,
    disk,
    existing_log,
    leader,
)

EVENTS = Subscription("events", "event")
ORDERED = Subscription("ordered", "event", ordered=True)
UPSERTS = Subscription("upserts", "conversation", quiet=2.0, patience=30.0)
CHATS = Subscription("chats", "conversation", send_when="ended", quiet=600.0)
ALL = (EVENTS, ORDERED, UPSERTS, CHATS)


def _entry(number: int, session: str = "s", kind: str = "event", at: float | None = None) -> Entry:
    error = "bad" if kind == "undecodable" else None
    time = 100.0 + number if at is None else at
    return Entry(f"e{number}", session, kind, "llmtee", b"{}", time, error)  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(tmp_path / "log")
    yield log
    log.close()


def _settle(log: SqliteLog, subscription: Subscription, outcome: str, limit: int = 100) -> None:
    """Claims what is due, whenever that is, and settles all of it."""
    log.take(subscription, 1000)
    name = subscription.exporter
    for work in log.claim(subscription, 1e9, limit):
        letter = None
        if outcome in ("dead", "unknown"):
            letter = DeadLetter(
                name, work.key.partition(":")[2], work.segment, 7.0, "The reason", {"body": 1}
            )
        log.settle(name, [Settlement(work, outcome, "The reason", letter=letter, vendor_id="v1")])  # type: ignore[arg-type]


def _balance(log: SqliteLog, *names: str) -> dict[str, Counts]:
    """The law: what was recorded stands in exactly one place, and each event is found where it is counted."""
    found = {}
    rows = log._db.execute("SELECT id, recorded_at FROM events WHERE kind <> 'end'").fetchall()
    ids = [event_id for event_id, _ in rows]
    for name in names or log.exporters():
        counts = found[name] = log.counts(name)
        assert counts.total == log.recorded(name), (name, counts)
        places = Counter(log.outcome(name, one) for one in ids)
        del places[None]
        assert places == {place: n for place, n in asdict(counts).items() if n}, name
        pending = [row for row in rows if log.outcome(name, row[0]) == "pending"]
        since = log.standing([name]).exporters[name].pending_since
        assert since == min((at for _, at in pending), default=None), name
    return found


# ── dead letters and unknown outcomes ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", ["dead", "unknown"])
@pytest.mark.parametrize("subscription", [EVENTS, UPSERTS, CHATS], ids=lambda one: one.exporter)
def test_what_failed_is_found_tried_again_and_dropped(
    log: SqliteLog, subscription: Subscription, state: Any
) -> None:
    name = subscription.exporter
    log.register(subscription)
    log.absorb([], [_entry(1, "a"), _entry(2, "b"), _entry(3, "end", kind="end")])
    _settle(log, subscription, state)
    selected = Selection(state=state)
    letters = log.letters(selected)
    keys = ["e1", "e2"] if subscription is EVENTS else ["a", "b"]
    assert [(one.id, one.state, one.at, one.request) for one in letters] == [
        (key, state, 7.0, {"body": 1}) for key in keys
    ]
    assert [entry.id for entry in log.letter_entries(letters[1])] == ["e2"]
    assert [one.request for one in log.letters(selected, whole=False)] == [None, None]

    first = Selection(state=state, ids={keys[0]})
    assert log.retry(first) == Mended(changed=1)
    assert _balance(log)[name] == Counts(pending=1, **{state: 1})
    (work,) = log.claim(subscription, 0.0, 10)
    assert (work.attempts, work.first_at) == (0, None)
    log.settle(name, [Settlement(work, "delivered")])
    assert log.retry(first) == Mended()

    assert log.drop(Selection(state=state, exporter=name, reason="the REASON")) == Mended(changed=1)
    assert log.letters(selected) == []
    assert _balance(log)[name] == Counts(delivered=1, dropped=1)
    assert log.claim(subscription, 1e9, 10) == []


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        (Selection(), {"e1", "e2"}),
        (Selection(exporter="nobody"), set()),
        (Selection(reason="reasons"), set()),
        (Selection(since=7.0), {"e1", "e2"}),
        (Selection(since=7.1), set()),
        (Selection(ids=["e2", "e3"]), {"e2"}),
        (Selection(state="unknown"), set()),
    ],
)
def test_letters_are_selected(log: SqliteLog, selection: Selection, ids: set[str]) -> None:
    log.register(EVENTS)
    log.absorb([], [_entry(1), _entry(2)])
    _settle(log, EVENTS, "dead")
    assert {letter.id for letter in log.letters(selection)} == ids


@pytest.mark.parametrize(
    ("which", "index"),
    [(_letters.ALL, "INDEX work_settled"), (_letters.SOME, "PRIMARY KEY (exporter=? AND key=?)")],
)
def test_letters_are_found_by_an_index(log: SqliteLog, which: dict[str, str], index: str) -> None:
    values = {"state": "dead", "exporter": None, "ids": "[]"}
    sql = _letters.FOUND.format(content="NULL, NULL", **which)
    plan = [row[3] for row in log._db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert any(line.startswith("SEARCH work") and index in line for line in plan), plan
    assert not any(line.startswith("SCAN work") for line in plan), plan


def test_what_a_crash_left_unknown_has_no_letter_but_is_found(log: SqliteLog) -> None:
    log.register(EVENTS)
    log.absorb([], [_entry(1)])
    log.take(EVENTS, 10)
    log.sending("events", log.claim(EVENTS, 0.0, 1))
    log.recover("events", repeat=False)
    (letter,) = log.letters(Selection(state="unknown"))
    assert (letter.id, letter.at, letter.request) == ("e1", 101.0, None)
    assert "the process ended" in letter.reason


def test_trying_again_leaves_alone_what_is_hopeless(log: SqliteLog) -> None:
    log.register(EVENTS)
    unreadable = _entry(2, kind="undecodable", at=1e6)
    log.absorb([], [_entry(1, "old"), unreadable, _entry(3, "new", at=1e6)])
    _settle(log, EVENTS, "dead")
    log.tidy(1e6)
    assert log.retry(Selection()) == Mended(changed=1, unreadable=("e2",), gone=("e1",))
    assert log.letter_entries(log.letters(Selection(ids=["e2"]))[0]) == [unreadable]
    assert log.letter_entries(log.letters(Selection(ids=["e1"]))[0]) == []
    assert log.drop(Selection()) == Mended(changed=2)
    assert log.counts("events") == Counts(pending=1, dropped=2)


def test_a_dropped_conversation_that_goes_on_is_sent_again_whole(log: SqliteLog) -> None:
    log.register(UPSERTS)
    log.absorb([], [_entry(1)])
    _settle(log, UPSERTS, "dead")
    log.drop(Selection())
    log.absorb([], [_entry(2)])
    log.take(UPSERTS, 10)
    assert _balance(log)["upserts"] == Counts(pending=2)
    (work,) = log.claim(UPSERTS, 1e9, 1)
    assert work.session is not None
    assert [entry.id for entry in log.story(work.session, work.last_seq).entries] == ["e1", "e2"]
    log.settle("upserts", [Settlement(work, "skipped", "no place")])
    assert _balance(log)["upserts"] == Counts(skipped=2)


# ── replay ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_events_of_a_time_are_pending_again(log: SqliteLog) -> None:
    log.register(EVENTS)
    log.absorb([], [_entry(number, "ab"[number % 2]) for number in range(1, 7)])
    _settle(log, EVENTS, "delivered")
    period = Period(start=102.0, end=105.0)
    assert log.replay(EVENTS, period, dry_run=True) == Replayed(again=3)
    assert _balance(log)["events"] == Counts(delivered=6)
    assert log.replay(EVENTS, period) == Replayed(again=3)
    assert log.replay(EVENTS, period) == Replayed()
    assert _balance(log)["events"] == Counts(delivered=3, pending=3)
    assert log.replay(EVENTS, Period(start=0.0, session="a")) == Replayed(again=1)
    _settle(log, EVENTS, "delivered")
    assert _balance(log)["events"] == Counts(delivered=6)


def test_a_conversation_is_replayed_whole_under_its_own_number(log: SqliteLog) -> None:
    log.register(CHATS)
    log.absorb([], [_entry(1), _entry(2), _entry(3, kind="end")])
    _settle(log, CHATS, "delivered")
    log.absorb([], [_entry(4), _entry(5, kind="end")])
    _settle(log, CHATS, "delivered")
    assert log.replay(CHATS, Period(start=102.0, end=103.0)) == Replayed(again=3, conversations=2)
    assert _balance(log)["chats"] == Counts(pending=3)
    works = log.claim(CHATS, 0.0, 10)
    assert [(work.segment, work.events) for work in works] == [(0, 2), (1, 1)]


@pytest.mark.parametrize("subscription", ALL, ids=lambda one: one.exporter)
def test_an_exporter_gets_what_was_recorded_before_it_was_added(
    log: SqliteLog, subscription: Subscription
) -> None:
    log.absorb([], [_entry(1, "a"), _entry(2, "b"), _entry(3, "c"), _entry(4, "b")])
    found = log.replay(subscription, Period(start=102.0, end=103.0))
    touched = 1 if subscription.grain == "event" else 2
    assert found.added == touched
    # The newest ones come after the time that was asked for, and nobody asked for the first.
    counts = _balance(log)[subscription.exporter]
    assert (counts.pending + counts.open, counts.skipped) == (touched, 3 - touched)
    _settle(log, subscription, "delivered")
    assert _balance(log)[subscription.exporter].delivered == touched


def test_a_period_without_events_changes_nothing(log: SqliteLog) -> None:
    log.absorb([], [_entry(1)])
    for subscription in ALL:
        assert log.replay(subscription, Period(start=500.0)) == Replayed()
        assert _balance(log)[subscription.exporter] == Counts()


_SESSIONS = st.sampled_from("abc")
_STEP = st.one_of(
    st.tuples(st.just("record"), _SESSIONS, st.sampled_from(["event", "event", "end", "undecodable"])),
    st.tuples(st.just("register")),
    st.tuples(st.just("settle"), st.sampled_from(["delivered", "dead", "unknown", "skipped"]), st.integers(1, 3)),
    st.tuples(st.just("retry"), st.sampled_from(["dead", "unknown"])),
    st.tuples(st.just("drop"), st.sampled_from(["dead", "unknown"])),
    st.tuples(st.just("replay"), st.integers(0, 12), st.integers(1, 12), st.none() | _SESSIONS, st.booleans()),
)  # fmt: skip


@pytest.mark.parametrize("subscription", ALL, ids=lambda one: one.exporter)
@given(steps=st.lists(_STEP, max_size=12))
def test_whatever_is_done_each_event_stands_in_one_place(
    subscription: Subscription, steps: list[tuple[Any, ...]]
) -> None:
    log = SqliteLog(None)
    name = subscription.exporter
    number = 0
    for step in [*steps, ("settle", "delivered", 100)]:
        before = log.counts(name)
        match step:
            case ("record", session, kind):
                number += 1
                log.absorb([], [_entry(number, session, kind)])
            case ("register",):
                log.register(subscription)
            case ("settle", outcome, limit) if name in log.exporters():
                _settle(log, subscription, outcome, limit)
            case ("retry", state):
                changed = log.retry(Selection(state=state)).changed
                assert (changed > 0) == (log.counts(name) != before)
            case ("drop", state):
                log.drop(Selection(state=state))
                assert getattr(log.counts(name), state) == 0
            case ("replay", first, length, session, dry_run):
                period = Period(start=100.0 + first, end=100.0 + first + length, session=session)
                found = log.replay(subscription, period, dry_run=dry_run)
                after = log.counts(name)
                gained = after.pending + after.open - before.pending - before.open
                assert dry_run or (before.delivered or found.again == 0)
                assert gained == 0 if dry_run else gained <= found.again + found.added
        _balance(log)
    log.close()


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_is_located_at_each_exporter(log: SqliteLog) -> None:
    log.register(EVENTS)
    log.register(CHATS)
    log.append(Record("e0", "llmtee", b"{}", 1.0))
    waiting = log.locate("e0")
    assert waiting is not None
    assert waiting.session is None
    assert {name: place.outcome for name, place in waiting.exporters.items()} == {
        "events": "pending",
        "chats": "pending",
    }
    log.absorb([place for place, _ in log.journal(10)], [_entry(1)])
    _settle(log, EVENTS, "delivered")
    log.take(CHATS, 10)
    log.register(UPSERTS)
    located = log.locate("e1")
    assert located is not None
    assert (located.session, located.recorded_at) == ("s", 101.0)
    assert located.exporters == {
        "chats": Location(outcome="open", due_at=701.0, segment=0),
        "events": Location(outcome="delivered", vendor_id="v1"),
        "upserts": Location(outcome=None),
    }
    assert log.locate("nobody") is None


def test_health_is_kept_for_other_processes(log: SqliteLog, tmp_path: Path) -> None:
    other = SqliteLog(tmp_path / "log")
    other.touched()
    log.note_health({"a": {"paused": False}, "b": {}}, 5.0)
    log.note_health({"a": {"paused": True}}, 6.0)
    assert other.touched()
    assert not other.touched()
    assert other.health() == {"a": (6.0, {"paused": True}), "b": (5.0, {})}
    assert other.health() == log.health()
    other.close()


def test_who_delivers_is_seen_without_taking_it_from_him(tmp_path: Path) -> None:
    assert leader(tmp_path) == Leader(None, alive=False)
    leadership = Leadership(tmp_path)
    assert leadership.acquire()
    assert leader(tmp_path) == Leader(os.getpid(), alive=True)
    leadership.release()
    assert leader(tmp_path) == Leader(os.getpid(), alive=False)
    assert leadership.acquire()
    leadership.release()


def test_the_files_are_weighed(log: SqliteLog, tmp_path: Path) -> None:
    log.append(Record("e0", "llmtee", b"{}", 1.0))
    (tmp_path / "log" / "events.db.corrupt-20260101T000000Z-1").write_bytes(b"x")
    (tmp_path / "log" / "events.db.corrupt-20260101T000000Z-1-wal").write_bytes(b"x")
    found = disk(tmp_path / "log")
    assert found.bytes > found.journal_bytes > 0
    assert found.set_aside == ("events.db.corrupt-20260101T000000Z-1",)
    assert disk(None) == disk(tmp_path / "nowhere") == Disk()


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        existing_log(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(UsageError, match=r"holds no event log \(no events\.db\)"):
        existing_log(tmp_path)
    assert list(tmp_path.iterdir()) == []
