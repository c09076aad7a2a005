"""From memory to the disk: whatever stood in the two logs, each event stands where it stood, and once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee.errors import EventLogError
from llmtee.eventlog import Counts, DeadLetter, Entry, Record, Settlement, SqliteLog, Subscription

EVENTS = Subscription("events", "event")
ORDERED = Subscription("ordered", "event", ordered=True)
UPSERTS = Subscription("upserts", "conversation", quiet=2.0, patience=30.0)
CHATS = Subscription("chats", "conversation", send_when="ended", quiet=600.0)
ALL = (EVENTS, ORDERED, UPSERTS, CHATS)

_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["event", "event", "event", "end", "undecodable", "record"]),
            st.sampled_from("abc"),
            st.integers(0, 25),
        ),
        st.tuples(
            st.just("work"),
            st.sampled_from(ALL),
            st.sampled_from(
                ["delivered", "dead", "unknown", "skipped", "pending", "crash", "sent"]
            ),
        ),
    ),
    max_size=30,
)


def _do(log: SqliteLog, steps: list[Any], ids: set[str], numbers: str, at: float) -> None:
    for place, (what, of, how) in enumerate(steps):
        now = at + place
        if what == "work":
            _work(log, of, how, now)
            continue
        # Now and then an id that was there before, in this log or in the other.
        event_id = f"{how}" if how < 5 and what != "end" else f"{numbers}{place}"
        if what == "record":
            log.append(Record(event_id, "llmtee", b"{}", now))
        else:
            error = "bad" if what == "undecodable" else None
            session = event_id if error else of
            log.absorb([], [Entry(event_id, session, what, "llmtee", b"{}", now, error)])
        if what != "end":
            ids.add(event_id)


def _work(log: SqliteLog, subscription: Subscription, how: str, now: float) -> None:
    name = subscription.exporter
    while log.take(subscription, 2):
        pass
    works = log.claim(subscription, now + 700.0, 2)
    if how == "crash":
        return
    log.sending(name, works)
    if how == "sent":
        return
    letter = None
    for work in works:
        if how == "dead":
            letter = DeadLetter(name, work.key.partition(":")[2], work.segment, now, "no", {"a": 1})
        done = Settlement(work, how, how, now + 9, 3, now, letter, f"v {work.key} {work.segment}")  # type: ignore[arg-type]
        log.settle(name, [done])


@given(before=_STEPS, meanwhile=_STEPS, restarted=st.booleans())
@settings(max_examples=25, deadline=None)
def test_every_event_stands_where_it_stood(
    before: list[Any], meanwhile: list[Any], restarted: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        disk, memory = SqliteLog(Path(name)), SqliteLog(None, bound=1000)
        for log in (disk, memory):
            for subscription in ALL:
                log.register(subscription)
        on_disk, in_memory = set[str](), set[str]()
        _do(disk, before, on_disk, "d", 1000.0)
        _do(memory, meanwhile, in_memory, "m", 5000.0)
        for subscription in ALL:
            memory.recover(subscription.exporter, repeat=subscription is EVENTS)
            for log in (disk, memory):
                while log.take(subscription, 100):
                    pass
        stood = _outcomes(memory, in_memory) | _outcomes(disk, on_disk)
        letters = {(one.exporter, one.id, one.reason) for one in memory.dead_letters()}
        disk.adopt(memory)
        with pytest.raises(EventLogError, match="moved to"):
            memory.append(Record("late", "llmtee", b"{}", 1.0))
        if restarted:
            disk.close()
            disk = SqliteLog(Path(name))
            for subscription in ALL:
                disk.register(subscription)
        recorded = on_disk | in_memory
        after = _outcomes(disk, recorded)
        for (exporter, one), (outcome, vendor_id) in after.items():
            # Where the disk had begun the conversation, it begins anew; where both had the event, either may count.
            alone = (
                not on_disk if exporter in ("upserts", "chats") else one not in on_disk & in_memory
            )
            if alone:
                assert (outcome, vendor_id) == stood[exporter, one], (exporter, one)
        if not on_disk:
            assert {(one.exporter, one.id, one.reason) for one in disk.dead_letters()} == letters
        _finish(disk, len(recorded))
        disk.close()
        memory.close()


def _outcomes(log: SqliteLog, ids: set[str]) -> dict[tuple[str, str], tuple[Any, Any]]:
    """What became of each event at each exporter, which fits with what is counted."""
    found = {}
    for exporter in (each.exporter for each in ALL):
        places = {one: log.outcome(exporter, one) for one in ids}
        counts = log.counts(exporter)
        assert counts.total == log.recorded(exporter) == len(ids)
        said = list(places.values())
        assert counts == Counts(**{place: said.count(place) for place in set(said)})
        found |= {(exporter, one): (places[one], log.vendor_id(exporter, one)) for one in ids}
    return found


def _finish(log: SqliteLog, recorded: int) -> None:
    """It goes on: all that is left can be delivered."""
    _absorb(log)
    for subscription in ALL:
        exporter = subscription.exporter
        log.recover(exporter, repeat=True)
        while log.take(subscription, 100):
            pass
        while works := log.claim(subscription, 1e9, 100):
            assert all(log.entries(work) for work in works)
            log.settle(exporter, [Settlement(work, "delivered") for work in works])
        counts = log.counts(exporter)
        assert (counts.pending, counts.open, counts.total) == (0, 0, recorded)


def _absorb(log: SqliteLog) -> None:
    while records := log.journal(10):
        entries = [Entry(r.id, "a", "event", "llmtee", b"{}", r.recorded_at) for _, r in records]
        log.absorb((place for place, _ in records), entries)


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    disk, memory = SqliteLog(tmp_path), SqliteLog(None, bound=1000)
    for log in (disk, memory):
        log.register(EVENTS)
    memory.absorb([], [Entry("a", "s", "event", "llmtee", b"x" * 10**6, 1.0)])
    memory.append(Record("b", "llmtee", b"{}", 1.0))
    (pages,) = disk._db.execute("PRAGMA page_count").fetchone()
    disk._db.execute(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(EventLogError, match="full"):
        disk.adopt(memory)
    assert disk.counts("events") == Counts()
    assert memory.counts("events") == Counts(pending=2)
    memory.append(Record("c", "llmtee", b"{}", 1.0))
    disk._db.execute("PRAGMA max_page_count = 1000000")
    assert disk.adopt(memory) == 3
    assert disk.counts("events") == Counts(pending=3)
    disk.close()
    memory.close()
