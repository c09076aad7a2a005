"""How many statements a batch costs: not one an event, since each lets go of the interpreter lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmtee.eventlog import DeadLetter, Entry, Settlement, SqliteLog, Subscription

EVENTS = Subscription("events", "event")
ODD = ("nul \0 in it", "quote ' and \" too", "grün", "event:event:", "%_?")


def _entries(ids: list[str]) -> list[Entry]:
    return [Entry(one, f"session of {one}", "event", "llmtee", b"{}", 1.0) for one in ids]


def _deliver(log: SqliteLog, ids: list[str]) -> None:
    assert log.absorb([], _entries(ids)) == 0
    log.take(EVENTS, len(ids))
    works = log.claim(EVENTS, 2.0, len(ids))
    assert [work.id for work in works] == ids
    log.sending(EVENTS.exporter, works)
    log.settle(
        EVENTS.exporter, [Settlement(one, "delivered", vendor_id=f"at {one.id}") for one in works]
    )


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    log = SqliteLog(tmp_path / "log")
    log.register(EVENTS)
    return log


def test_a_hundred_events_cost_as_many_statements_as_ten(log: SqliteLog) -> None:
    def statements(first: int, count: int) -> int:
        seen: list[str] = []
        log._db.set_trace_callback(seen.append)
        _deliver(log, [f"e{number:05}" for number in range(first, first + count)])
        log._db.set_trace_callback(None)
        return len(seen)

    statements(0, 1)
    assert statements(100, 10) == statements(1000, 100) < 40
    assert log.counts("events").delivered == 111
    assert not log.unfinished("events")
    log.close()


def test_ids_of_any_text_are_found_again(log: SqliteLog) -> None:
    _deliver(log, list(ODD))
    assert log.counts("events").delivered == len(ODD)
    assert [log.vendor_id("events", one) for one in ODD] == [f"at {one}" for one in ODD]
    log.close()


def test_some_of_a_batch_are_settled_in_other_ways(log: SqliteLog) -> None:
    ids = [f"e{number}" for number in range(300)]
    log.absorb([], _entries(ids))
    log.take(EVENTS, 300)
    works = log.claim(EVENTS, 2.0, 300)
    letter = DeadLetter("events", works[1].id, 0, 2.0, "no")
    log.settle(
        "events",
        [
            Settlement(works[0], "pending", due_at=5.0, attempts=1),
            Settlement(works[1], "dead", reason="no", letter=letter),
            *(Settlement(one, "delivered") for one in works[2:]),
        ],
    )
    counts = log.counts("events")
    assert (counts.delivered, counts.pending, counts.dead) == (298, 1, 1)
    log.settle("events", [Settlement(works[2], "delivered", vendor_id="v")])  # it is gone already
    assert log.counts("events").delivered == 298
    assert log.vendor_id("events", works[2].id) is None
    log.close()
