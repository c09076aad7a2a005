"""Conversations from their stored states: what is said is what all events say, and each event is read once."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtee import jsontext
from llmtee.assembly import Session
from llmtee.delivery import Exporter, Tuning
from llmtee.delivery.recent import Recent
from llmtee.delivery.render import Render
from llmtee.eventlog import (
    CANONICAL,
    Entry,
    Settlement,
    SqliteLog,
    State,
    Subscription,
    Work,
    _retention,
)
from llmtee.model import Event, ModelCall, Step
from llmtee.testing.sessions import sessions

Make = Callable[..., Any]
FOREVER = 1e12


@dataclass
class Desk:
    """An exporter's place of work: its conversations in memory go with each process, the log does not."""

    log: SqliteLog
    exporter: Exporter
    claimed: list[Work] = field(default_factory=list)
    stored: int = 0

    def __post_init__(self) -> None:
        self.log.register(self.exporter.subscription)
        self.begin()

    def begin(self) -> None:
        """A process begins."""
        self.log.recover(self.exporter.name, repeat=True)
        self.claimed.clear()
        self.conversations = Render(self.exporter, self.log, _raise, Recent())._conversations

    def claim(self, limit: int = 9) -> list[Work]:
        """Claims what there is."""
        while self.log.take(self.exporter.subscription, 100):
            pass
        works = self.log.claim(self.exporter.subscription, FOREVER, limit)
        self.claimed += works
        return works

    def render(self, work: Work) -> Any:
        """The conversation of a unit of work, whose state waits for its settlement."""
        found, state = self.conversations.of(work)
        self.claimed[self.claimed.index(work)] = replace(work, state=state)
        self.stored += 0 if state is None else len(state.content)
        return found

    def settle(self, place: int, outcome: str) -> None:
        """Settles one of the claimed."""
        work = self.claimed.pop(place)
        due = 0.0 if outcome == "pending" else None
        settled = Settlement(work, outcome, due_at=due)  # type: ignore[arg-type]
        self.log.settle(self.exporter.name, [settled])

    def send(self) -> Any:
        """The conversation that is due, sent well."""
        (work,) = self.claim()
        found = self.render(work)
        self.settle(0, "delivered")
        return found


def _raise(error: BaseException) -> None:
    raise error


@pytest.fixture
def logs() -> Iterator[list[SqliteLog]]:
    opened: list[SqliteLog] = []
    yield opened
    for log in opened:
        log.close()


@pytest.fixture
def desk(member: Make, logs: list[SqliteLog], tmp_path: Path) -> Make:
    def make(
        vendor: str = "acme-upserts",
        log: SqliteLog | None = None,
        *,
        on_disk: bool = False,
        **options: Any,
    ) -> Desk:
        if log is None:
            logs.append(log := SqliteLog(tmp_path / "log" if on_disk else None))
        names = {key: options.pop(key) for key in ("name", "replay") if key in options}
        of, resolved = member(vendor, **names)
        tuning = Tuning(clock=lambda: 0.0, **options)
        return Desk(log, Exporter(vendor=of, settings=resolved, tuning=tuning))

    return make


def add(log: SqliteLog, *events: Event) -> int:
    """Adds events; returns their bytes."""
    entries = [
        Entry(e.id, e.session or e.id, "event", CANONICAL, jsontext.dumps(e.to_json()), 0.0)
        for e in events
    ]
    log.absorb([], entries)
    return sum(len(entry.payload) for entry in entries)


def end(log: SqliteLog, session: str, number: int) -> None:
    log.absorb([], [Entry(f"end {number}", session, "end", CANONICAL, b"", 0.0)])


# ── the law ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2)),
        st.tuples(st.just("end"), st.sampled_from(["s", "t"])),
        st.tuples(st.just("claim"), st.integers(0, 3)),
        st.tuples(
            st.just("settle"),
            st.tuples(
                st.integers(0, 3), st.sampled_from(["delivered", "pending", "dead", "skipped"])
            ),
        ),
        st.tuples(st.just("crash"), st.integers(0, 3)),
        st.tuples(st.just("damage"), st.integers(0, 200)),
        st.tuples(st.just("forget"), st.none()),
        st.tuples(st.just("come later"), st.none()),
    ),
    min_size=5,
    max_size=40,
)


def _others(events: list[Event], name: str | None) -> list[Event]:
    """The same events in another session, or without one."""
    return [
        event.model_copy(update={"id": f"{name}-{event.id}", "session": name}) for event in events
    ]


class _Play:
    """Steps of a play with one log and several exporters; each conversation is compared as it is rendered."""

    def __init__(self, make: Make, simulation: Any, events: list[list[Event]], tuning: Any) -> None:
        self.make, self.simulation, self.events = make, simulation, events
        self.tuning = tuning
        self.desks = [make(**tuning)]
        self.log = self.desks[0].log
        self.desks.append(make("acme-chats", self.log, **tuning))
        self.number = 0

    def step(self, name: str, value: Any) -> None:
        self.number += 1
        desk = self.desks[value % len(self.desks)] if isinstance(value, int) else self.desks[0]
        match name:
            case "add" if self.events[value]:
                add(self.log, self.events[value].pop(0))
            case "end":
                end(self.log, value, self.number)
            case "claim":
                for work in desk.claim():
                    self.compare(desk, work)
            case "settle":
                self.settle(*value)
            case "crash":
                desk.begin()
            case "damage":
                self.damage(value)
            case "forget":
                with self.log._database.transaction() as db:
                    _retention.forget(db, 1000, exporters=[one.exporter.name for one in self.desks])
            case "come later" if len(self.desks) < 4:
                new = {**self.tuning, "replay": True, "name": f"later {self.number}"}
                self.desks.append(self.make("acme-chats", self.log, **new))

    def compare(self, desk: Desk, work: Work) -> None:
        expected = self.simulation.conversation_from_all(self.log, work)
        assert desk.render(work) == expected

    def settle(self, place: int, outcome: str) -> None:
        desk = self.desks[place % len(self.desks)]
        if desk.claimed:
            desk.settle(place % len(desk.claimed), outcome)

    def damage(self, place: int) -> None:
        for row, content in self.log._db.execute("SELECT rowid, content FROM states").fetchall():
            at = place % len(content)
            broken = content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :]
            self.log._db.execute("UPDATE states SET content = ? WHERE rowid = ?", (broken, row))


def _law(desk: Make, simulation: Any, logs: list[SqliteLog], data: st.DataObject) -> int:
    told = [data.draw(sessions()), _others(data.draw(sessions()), "t")]
    told = [data.draw(st.permutations(events)) for events in told]
    told.append(_others(data.draw(sessions())[:2], None))
    tuning = {
        "state_bytes": data.draw(st.sampled_from([1, 1, 1500])),
        "session_memory": data.draw(st.sampled_from([0, 60_000, 2**25])),
    }
    play = _Play(desk, simulation, told, tuning)
    for name, value in data.draw(_STEPS):
        play.step(name, value)
    for number in range(len(play.desks)):
        play.step("crash", number)
        play.step("claim", number)
    (stored,) = play.log._db.execute("SELECT count(*) FROM states").fetchone()
    logs.pop().close()
    return int(stored)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_what_a_state_says_is_what_all_events_say(
    desk: Make, simulation: Any, logs: list[SqliteLog], data: st.DataObject
) -> None:
    _law(desk, simulation, logs, data)


@pytest.mark.slow
@settings(
    max_examples=3000,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_what_a_state_says_is_what_all_events_say_for_long(
    desk: Make, simulation: Any, logs: list[SqliteLog], data: st.DataObject
) -> None:
    _law(desk, simulation, logs, data)


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Meter:
    """Counts what is read from a log."""

    events: int = 0
    bytes: int = 0
    states: int = 0
    """Bytes of states, as JSON."""

    def on(self, log: SqliteLog) -> Meter:
        ask = log.story

        def story(*args: Any) -> Any:
            found = ask(*args)
            self.events += len(found.entries)
            self.bytes += sum(len(entry.payload) for entry in found.entries)
            if found.state is not None:
                self.states += _length(found.state)
            return found

        log.story = story  # type: ignore[method-assign]
        return self

    def spent(self) -> tuple[int, int, int]:
        """What was read since the last time."""
        found = self.events, self.bytes, self.states
        self.events = self.bytes = self.states = 0
        return found


def _length(state: State) -> int:
    return len(zlib.decompress(state.content[1:]))


def _turn(call: Make, number: int, window: int | None = None) -> ModelCall:
    texts = [
        f"{'hi' if place % 2 == 0 else 'hello'} {place // 2}" for place in range(2 * number + 2)
    ]
    made: ModelCall = call(f"call {number}", "s", *texts[-(window or len(texts)) :])
    return made


@pytest.mark.parametrize("on_disk", [False, True], ids=["in memory", "on disk"])
def test_the_nth_upsert_reads_what_is_new(desk: Make, call: Make, on_disk: bool) -> None:
    one = desk(on_disk=on_disk)
    meter = Meter().on(one.log)
    for number in range(40):
        new = add(one.log, _turn(call, number))
        assert len(one.send().messages) == 2 * number + 2
        assert meter.spent() == (1, new, 0)


@pytest.mark.parametrize("window", [None, 2], ids=["whole history", "only what is new"])
def test_a_process_for_each_upsert_reads_no_more_than_twice_the_state(
    desk: Make, call: Make, window: int | None
) -> None:
    one = desk(state_bytes=2000)
    meter = Meter().on(one.log)
    recorded = 0
    for number in range(30):
        new = add(one.log, _turn(call, number, window))
        recorded += new
        one.begin()
        one.send()
        _, read, state = meter.spent()
        assert read <= max(2000, state) + new
    assert 0 < one.stored <= recorded
    (kept,) = one.log._db.execute("SELECT count(*) FROM states").fetchone()
    assert kept == 1


def test_segments_read_what_is_new(desk: Make, call: Make) -> None:
    one = desk("acme-chats", state_bytes=500)
    meter = Meter().on(one.log)
    for number in range(30):
        new = add(one.log, _turn(call, number))
        end(one.log, "s", number)
        assert len(one.send().messages) == 2
        _, read, state = meter.spent()
        assert read <= max(500, state) + 2 * new


def test_a_short_session_has_no_state(desk: Make, call: Make) -> None:
    one = desk()
    for number in range(10):
        add(one.log, _turn(call, number))
        one.send()
    assert one.stored == 0


def test_memory_is_bounded_and_goes_to_the_sessions_in_use(desk: Make, call: Make) -> None:
    one = desk(session_memory=200_000)
    meter = Meter().on(one.log)
    for number in range(40):
        session = f"session {number}"
        add(one.log, call("call", session, "hi", "hello"))
        add(one.log, call("call", "in use", "hi", "hello"))
        for work in one.claim():
            one.render(work)
        while one.claimed:
            one.settle(0, "delivered")
        kept = one.conversations._kept
        assert sum(live.memory for live in kept.values()) <= 200_000
        assert "in use" in kept
        assert meter.spent()[0] == 2
    assert 2 < len(kept) < 40


def test_the_engine_reads_each_event_once(world: Make, member: Make, call: Make) -> None:
    one = world(member("acme-upserts", quiet=1))
    meter = Meter().on(one.log)
    for number in range(25):
        one.record([_turn(call, number)])
        one.run(5)
    assert len(one.vendors["acme-upserts"].asked) == 25
    assert meter.spent()[0] == 25
    one.check()


# ── states that are of no use ───────────────────────────────────────────────────────────────────────────────────────


def _content(log: SqliteLog) -> bytes:
    return bytes(log._db.execute("SELECT content FROM states").fetchone()[0])


def _replace(log: SqliteLog, content: bytes, **columns: Any) -> None:
    log._db.execute("UPDATE states SET content = ?", (content,))
    for name, value in columns.items():
        log._db.execute(f"UPDATE states SET {name} = ?", (value,))


@pytest.fixture
def stored(desk: Make, call: Make) -> Desk:
    """An exporter that sent three turns, and whose state was stored."""
    one: Desk = desk(state_bytes=1)
    for number in range(3):
        add(one.log, _turn(call, number))
    one.send()
    return one


def _older(content: bytes) -> bytes:
    return b"\x00" + content[1:]


def _of_an_older_session(content: bytes) -> bytes:
    state = jsontext.loads(zlib.decompress(content[1:]))
    state["session"]["version"] = 0
    return content[:1] + zlib.compress(jsontext.dumps(state))


def _of_another(content: bytes) -> bytes:
    state = {"seq": 3, "session": Session("t").to_json()}
    return content[:1] + zlib.compress(jsontext.dumps(state))


def _not_as_far(content: bytes) -> bytes:
    state = jsontext.loads(zlib.decompress(content[1:]))
    return content[:1] + zlib.compress(jsontext.dumps({**state, "seq": 2}))


def _without_calls(content: bytes) -> bytes:
    state = jsontext.loads(zlib.decompress(content[1:]))
    state["session"].pop("calls")
    return content[:1] + zlib.compress(jsontext.dumps(state))


@pytest.mark.parametrize(
    "damaged",
    [_older, _of_an_older_session, _of_another, _not_as_far, _without_calls, lambda content: b""],
)
def test_a_state_that_cannot_be_read_is_made_anew_from_the_events(
    stored: Desk, call: Make, damaged: Callable[[bytes], bytes], caplog: Any
) -> None:
    _replace(stored.log, damaged(_content(stored.log)))
    stored.begin()
    add(stored.log, _turn(call, 3))
    assert len(stored.send().messages) == 8
    assert stored.log.discarded() == 1
    assert "the state of session 's' cannot be read, and is made anew" in caplog.text
    # And the next one is of use again.
    stored.begin()
    meter = Meter().on(stored.log)
    add(stored.log, _turn(call, 4))
    assert len(stored.send().messages) == 10
    assert meter.spent()[0] == 1
    assert stored.log.discarded() == 1


def test_no_damaged_byte_makes_a_wrong_conversation(stored: Desk, call: Make) -> None:
    content = _content(stored.log)
    add(stored.log, _turn(call, 3))
    (work,) = stored.claim()
    right = stored.render(work)
    for place in range(len(content)):
        flip = 1 << place % 8
        broken = content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :]
        stored.log._db.execute(
            "INSERT OR REPLACE INTO states VALUES ('s', 'acme-upserts', 3, ?)", (broken,)
        )
        stored.conversations = Render(stored.exporter, stored.log, _raise, Recent())._conversations
        assert stored.conversations.of(work)[0] == right
    # All but where the bit says nothing, as some at the very end.
    assert len(content) - 8 <= stored.log.discarded() <= len(content)


def test_the_next_best_state_is_taken(desk: Make, call: Make) -> None:
    one = desk(state_bytes=1)
    other = desk("acme-chats", one.log, state_bytes=1)
    for number in range(2):
        add(one.log, _turn(call, number))
    end(one.log, "s", 0)
    other.send()
    add(one.log, *(_turn(call, number) for number in range(2, 9)))
    one.send()
    one.log._db.execute(
        "UPDATE states SET content = x'00' || substr(content, 2) WHERE exporter = 'acme-upserts'"
    )
    one.begin()
    meter = Meter().on(one.log)
    add(one.log, _turn(call, 9))
    assert len(one.send().messages) == 20
    assert one.log.discarded() == 1
    assert meter.events == 1 + 8  # after the one that cannot be read, and after the other


def test_discarded_states_are_in_the_stats(
    upserts: Make, make_tee: Make, call: Make, caplog: Any
) -> None:
    first = make_tee(upserts(), tuning=Tuning(state_bytes=1))
    first.record(_turn(call, 0))
    assert first.flush().ok
    _replace(first._log, b"?")
    first.close()
    second = make_tee(upserts(), tuning=Tuning(state_bytes=1))
    second.record(_turn(call, 1))
    assert second.flush().ok
    assert second.stats().discarded_states == 1
    assert second.stats().lost == {}


def test_a_late_event_changes_what_was_stored(desk: Make, call: Make) -> None:
    one = desk(state_bytes=1)
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    turns = [
        _turn(call, number).model_copy(update={"started_at": start + dt.timedelta(minutes=number)})
        for number in range(4)
    ]
    late = turns.pop(1)
    add(one.log, *turns)
    before = one.send()
    one.begin()
    add(one.log, late, late)
    after = one.send()
    assert [message.text for message in after.messages] == [m.text for m in before.messages]
    assert after.messages[3].generation.event == late.id


def test_a_step_alone_is_nothing_to_send_and_is_remembered(desk: Make, call: Make) -> None:
    one = desk(state_bytes=1)
    add(one.log, Step(session="s", name="plan"))
    (work,) = one.claim()
    assert one.render(work) is None
    one.settle(0, "skipped")
    one.begin()
    meter = Meter().on(one.log)
    add(one.log, _turn(call, 0))
    assert len(one.send().messages) == 2
    assert meter.events == 1


def test_an_exporter_that_comes_later_takes_the_states_of_others(desk: Make, call: Make) -> None:
    one = desk(state_bytes=1)
    for number in range(3):
        add(one.log, _turn(call, number))
    one.send()
    later = desk("acme-chats", one.log, replay=True)
    assert later.exporter.subscription == Subscription(
        "acme-chats", "conversation", send_when="ended", quiet=600.0, replay=True
    )
    meter = Meter().on(one.log)
    assert len(later.send().messages) == 6
    assert meter.events == 0
