"""Where exporters stand: all that the log says of them at one moment fits together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from llmtee.eventlog import (
    END,
    Counts,
    Entry,
    Record,
    Settlement,
    SqliteLog,
    Standing,
    Subscription,
)

EVENTS = Subscription("events", "event")
UPSERTS = Subscription("upserts", "conversation")
CHATS = Subscription("chats", "conversation", send_when="ended", quiet=600.0)

_numbers = count(1)


@pytest.fixture(params=["disk", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(tmp_path / "log" if request.param == "disk" else None)
    for subscription in (EVENTS, UPSERTS, CHATS):
        log.register(subscription)
    yield log
    log.close()


def _entry(at: float, session: str = "s") -> Entry:
    return Entry(f"e{next(_numbers)}", session, "event", "llmtee", b"{}", at)


def _one(log: SqliteLog, exporter: str) -> Standing:
    return log.standing([exporter]).exporters[exporter]


def test_what_waits_in_the_journal_is_pending_and_behind(log: SqliteLog) -> None:
    assert _one(log, "events") == Standing(
        counts=Counts(), position=0, behind=0, pending_since=None
    )
    log.append(Record("end", END, b'"s"', 5.0))
    assert _one(log, "events").pending_since is None
    for at in (10.0, 11.0):
        log.append(Record(f"at {at}", "llmtee", b"{}", at))
    expected = Standing(counts=Counts(pending=2), position=0, behind=2, pending_since=10.0)
    assert log.standing(["events", "chats"]).exporters == {"events": expected, "chats": expected}


def test_the_oldest_pending_event_is_the_oldest_that_is_not_settled(log: SqliteLog) -> None:
    log.absorb([], [_entry(10.0), _entry(20.0), _entry(30.0)])
    assert _one(log, "events").pending_since == 10.0
    log.take(EVENTS, 2)
    standing = _one(log, "events")
    assert (standing.counts.pending, standing.position, standing.behind) == (3, 2, 1)
    first, second = log.claim(EVENTS, 0.0, 2)
    log.settle("events", [Settlement(first, "delivered"), Settlement(second, "pending", "busy")])
    assert _one(log, "events").pending_since == 20.0
    log.settle("events", [Settlement(second, "dead", "no")])
    assert _one(log, "events").pending_since == 30.0
    log.take(EVENTS, 2)
    log.settle("events", [Settlement(work, "delivered") for work in log.claim(EVENTS, 0.0, 2)])
    assert _one(log, "events") == Standing(
        counts=Counts(delivered=2, dead=1), position=3, behind=0, pending_since=None
    )


def test_of_a_conversation_only_what_was_not_sent_waits(log: SqliteLog) -> None:
    log.absorb([], [_entry(10.0), _entry(20.0)])
    log.take(UPSERTS, 10)
    (work,) = log.claim(UPSERTS, 100.0, 1)
    assert _one(log, "upserts").pending_since == 10.0
    log.absorb([], [_entry(30.0), _entry(40.0)])
    log.take(UPSERTS, 10)
    assert _one(log, "upserts").pending_since == 10.0
    log.settle("upserts", [Settlement(work, "delivered")])
    assert _one(log, "upserts").pending_since == 30.0
    (work,) = log.claim(UPSERTS, 100.0, 1)
    log.settle("upserts", [Settlement(work, "dead", "no")])
    assert _one(log, "upserts").pending_since is None


def test_an_open_conversation_is_not_late(log: SqliteLog) -> None:
    log.absorb([], [_entry(10.0)])
    log.take(CHATS, 10)
    assert _one(log, "chats").counts == Counts(open=1)
    assert _one(log, "chats").pending_since is None
    log.claim(CHATS, 1000.0, 1)
    assert _one(log, "chats").pending_since == 10.0


def test_the_numbers_fit_together_while_others_work(tmp_path: Path) -> None:
    log, other = SqliteLog(tmp_path), SqliteLog(tmp_path)
    for each in (log, other):
        each.register(EVENTS)
        each.register(UPSERTS)
    done = threading.Event()
    recorded = 300

    def works() -> None:
        for number in range(recorded):
            other.append(Record(f"r{number}", "llmtee", b"{}", float(number)))
            for place, record in other.journal(2):
                entry = Entry(record.id, "s", "event", "llmtee", b"{}", record.recorded_at)
                other.absorb([place], [entry])
            for subscription in (EVENTS, UPSERTS):
                other.take(subscription, 3)
                other.settle(
                    subscription.exporter,
                    [Settlement(work, "delivered") for work in other.claim(subscription, 1e9, 3)],
                )
        done.set()

    thread = threading.Thread(target=works)
    thread.start()
    seen = [log.standing(["events", "upserts"])]
    while not done.is_set():
        seen.append(log.standing(["events", "upserts"]))
    thread.join()
    totals = []
    for standings in seen:
        first, second = standings.exporters.values()
        assert first.counts.total == second.counts.total
        totals.append(first.counts.total)
        for standing in (first, second):
            assert standing.behind <= standing.counts.pending
            assert (standing.pending_since is None) == (standing.counts.pending == 0)
            assert standing.position <= standing.counts.total
    assert totals == sorted(totals)
    assert log.standing(["events"]).exporters["events"].counts == Counts(delivered=recorded)
    log.close()
    other.close()
