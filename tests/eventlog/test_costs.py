"""What the log costs when it is large: steps of SQLite's machine are counted, not seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee import HoneyHive, Tee
from llmtee.eventlog import Entry, Retention, Settlement, SqliteLog, Subscription

EVENTS = Subscription("events", "event")
ORDERED = Subscription("ordered", "event", ordered=True)
UPSERTS = Subscription("upserts", "conversation", quiet=2.0, patience=30.0)
CHATS = Subscription("chats", "conversation", send_when="ended", quiet=600.0)
ALL = (EVENTS, ORDERED, UPSERTS, CHATS)
LATER = 1e9
SMALL, LARGE = 4_000, 20_000


def _entries(first: int, last: int, payload_bytes: int = 2) -> list[Entry]:
    return [
        Entry(
            f"{number:036d}",
            f"s{number // 10}",
            "event",
            "llmtee",
            b"x" * payload_bytes,
            float(number),
        )
        for number in range(first, last)
    ]


def _large_log(
    directory: Path, events: int, *, finished: int = 50, payload_bytes: int = 2
) -> SqliteLog:
    """A log in which the conversations' exporters have taken everything, and the others only a part."""
    log = SqliteLog(directory, retention=Retention(keep_seconds=0.0))
    for subscription in ALL:
        log.register(subscription)
    for first in range(0, events, 20_000):
        log.absorb([], _entries(first, min(events, first + 20_000), payload_bytes))
    for subscription in (UPSERTS, CHATS):
        while log.take(subscription, 20_000):
            pass
    for subscription in (EVENTS, ORDERED):
        log.take(subscription, events // 2)
    # The oldest are finished everywhere, and may be forgotten.
    for subscription in ALL:
        left = finished // (10 if subscription.grain == "conversation" else 1)
        while left > 0:
            works = log.claim(subscription, LATER, finished // 10)
            done = [Settlement(work, "delivered", vendor_id="v") for work in works]
            log.settle(subscription.exporter, done)
            left -= len(works)
    return log


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, SqliteLog]:
    return {size: _large_log(tmp_path_factory.mktemp("log"), size) for size in (SMALL, LARGE)}


def _steps(log: SqliteLog, act: Callable[[SqliteLog], object]) -> int:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 10

    log._db.set_progress_handler(step, 10)
    try:
        act(log)
    finally:
        log._db.set_progress_handler(None, 10)
    return steps


def _claim_and_settle(subscription: Subscription) -> Callable[[SqliteLog], object]:
    def act(log: SqliteLog) -> None:
        log.take(subscription, 10)
        works = log.claim(subscription, LATER, 10)
        assert works
        log.sending(subscription.exporter, works)
        log.settle(
            subscription.exporter,
            [
                *(Settlement(work, "pending", "busy", LATER) for work in works[:4]),
                *(Settlement(work, "delivered", vendor_id="v") for work in works[4:8]),
            ],
        )
        log.release(subscription.exporter, works[8:])

    return act


def _tidy(log: SqliteLog) -> None:
    before = log._db.execute("SELECT min(seq) FROM events").fetchone()
    log.tidy(LATER)
    assert log._db.execute("SELECT min(seq) FROM events").fetchone() > before
    assert log.lost() == {}


STEPS = [
    *(
        pytest.param(_claim_and_settle(each), id=f"claim and settle, {each.exporter}")
        for each in ALL
    ),
    pytest.param(lambda log: log.absorb([], _entries(10**6, 10**6 + 10)), id="store new events"),
    pytest.param(lambda log: [log.register(each) for each in ALL], id="register"),
    pytest.param(
        lambda log: [log.recover(each.exporter, repeat=True) for each in ALL], id="recover"
    ),
    pytest.param(lambda log: [log.next_due(each.exporter, LATER) for each in ALL], id="next due"),
    pytest.param(
        lambda log: [log.unfinished(each.exporter) or log.behind(each.exporter) for each in ALL],
        id="is anything left",
    ),
    pytest.param(
        lambda log: [
            log.outcome(each.exporter, f"{600:036d}") or log.vendor_id(each.exporter, f"{30:036d}")
            for each in ALL
        ],
        id="where is an event",
    ),
    pytest.param(lambda log: log.dead_letters(), id="dead letters"),
    pytest.param(_tidy, id="tidy"),
]


def test_a_step_costs_the_same_in_a_small_and_in_a_large_log(logs: dict[int, SqliteLog]) -> None:
    # One after the other in one test: each finds what those before it left.
    costs = {}
    for step in STEPS:
        [act] = step.values
        costs[step.id] = [_steps(logs[size], act) for size in (SMALL, LARGE)]
    assert [name for name, (small, large) in costs.items() if large > 1.5 * small + 100] == [], (
        costs
    )


def test_what_is_counted_costs_a_few_steps_an_event(logs: dict[int, SqliteLog]) -> None:
    """No payload is read, nothing is sorted, nothing is looked up for each event: so a million takes a moment only."""
    names = [each.exporter for each in ALL]
    assert _steps(logs[LARGE], lambda log: log.standing(names)) <= 10 * LARGE * len(ALL)


# ── a million ───────────────────────────────────────────────────────────────────────────────────────────────────

MILLION = 1_000_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_million_events_are_no_burden(tmp_path: Path, capsys: Any) -> None:
    directory = tmp_path / "log"
    _large_log(directory, MILLION, finished=50_000, payload_bytes=300).close()
    figures: dict[str, float] = {}

    def timed(what: str, act: Callable[[], Any]) -> Any:
        # Of the processor, so that what else runs on the machine does not count.
        start = time.process_time()
        result = act()
        figures[what] = time.process_time() - start
        return result

    def start() -> SqliteLog:
        log = SqliteLog(directory)
        for subscription in ALL:
            log.register(subscription)
            log.recover(subscription.exporter, repeat=True)
            log.take(subscription, 100)
            assert len(log.claim(subscription, LATER, 100)) == 100
        return log

    tee = timed(
        "Tee", lambda: Tee([HoneyHive(project="p", replay=True)], dir=directory, deliver=False)
    )
    stats = timed("Tee.stats", tee.stats)
    assert stats["honeyhive"].counts.pending == MILLION
    tee.close(0)
    log = timed("open, register and claim the first", start)
    standings = timed(
        "where all exporters stand", lambda: log.standing(each.exporter for each in ALL)
    )
    for standing in standings.exporters.values():
        assert standing.counts.total == MILLION
    timed("the next claim", lambda: log.claim(UPSERTS, LATER, 100))
    timed("tidy", lambda: log.tidy(LATER))
    log.close()
    with capsys.disabled():
        print("\nA log of 1,000,000 events, seconds of the processor:")  # noqa: T201 - a figure
        for what, seconds in figures.items():
            print(f"  {what:40} {seconds:7.3f}")  # noqa: T201
    assert max(figures.values()) < 1.0, figures
