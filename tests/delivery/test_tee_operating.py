"""What an application sees and mends: hooks, stats of any process, dead letters, where an event stands."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from llmtee.delivery import Delivery, HostStats, PaceStats
from llmtee.delivery.hooks import Hooks
from llmtee.delivery.notes import Meter, note_of, with_note
from llmtee.delivery.report import ExporterStats
from llmtee.errors import UsageError
from llmtee.eventlog import Counts, Mended, Settlement, Work
from llmtee.model import ModelCall

Call = Callable[..., ModelCall]
Make = Callable[..., Any]
SECONDS = 60.0
"""Far more than any wait here needs."""


class Calls(list[Any]):
    """A hook that keeps what it was told, and can be waited for."""

    def __init__(self) -> None:
        self._more = threading.Condition()

    def __call__(self, value: Any) -> None:
        with self._more:
            self.append(value)
            self._more.notify_all()

    def wait(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self) >= count, SECONDS)


# ── hooks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hooks_are_told_what_became_of_each_item(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    delivered, dead = Calls(), Calls()
    tee = make_tee(exporter(), on_delivered=delivered, on_dead=dead)
    good = tee.record(call())
    tee.flush()
    acme.script.append(answer(words=("rejected",)))
    bad = tee.record(call())
    tee.flush()
    unreadable = tee.record_call("openai-chat", request={"messages": 7})
    tee.flush()
    tee.close(SECONDS)
    (told,) = delivered
    assert isinstance(told, Delivery)
    assert (told.exporter, told.id, told.segment, told.events) == ("acme", good, None, 1)
    assert [letter.id for letter in dead] == [bad, unreadable]
    assert sorted(dead, key=repr) == sorted(
        make_tee(exporter(), deliver=False).dead_letters(), key=repr
    )
    assert tee.stats().hook_failures == tee.stats().hook_drops == 0


def test_a_conversation_is_told_by_its_session(
    acme: Any, upserts: Make, make_tee: Make, call: Call
) -> None:
    delivered = Calls()
    tee = make_tee(upserts(), on_delivered=delivered)
    for _ in range(2):
        tee.record(call(session="s"))
    tee.flush()
    delivered.wait(1)
    assert (delivered[0].id, delivered[0].segment, delivered[0].events) == ("s", 0, 2)


def test_a_hook_that_fails_is_logged_once_and_harms_nothing(
    acme: Any, exporter: Make, make_tee: Make, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    calls = Calls()

    def fails(value: Delivery) -> None:
        calls(value)
        raise (ValueError, SystemExit)[len(calls) % 2]("a planted failure")

    tee = make_tee(exporter(), on_delivered=fails)
    for _ in range(5):
        tee.record(call())
    assert tee.flush().ok
    tee.close(SECONDS)
    assert len(calls) == 5
    assert tee.stats().hook_failures == 5
    assert sum("a hook failed" in line for line in caplog.messages) == 1


def test_a_slow_hook_delays_no_delivery_and_is_counted(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    go, calls = threading.Event(), Calls()

    def slow(value: Delivery) -> None:
        calls(value)
        go.wait(SECONDS)

    tee = make_tee(exporter(), on_delivered=slow)
    for _ in range(5):
        tee.record(call())
    assert tee.flush(SECONDS).ok  # while the first call still hangs
    calls.wait(1)
    tee.close(0)
    assert tee.stats().hook_drops == 4
    go.set()


def _settled(number: int) -> Settlement:
    return Settlement(Work(f"event:e{number}", 0, 0, 1, 1, 0, None), "delivered")


def test_calls_that_wait_are_bounded() -> None:
    go, calls = threading.Event(), Calls()

    def slow(value: Delivery) -> None:
        calls(value)
        go.wait(SECONDS)

    hooks = Hooks(slow, bound=3, clock=lambda: 7.0)
    hooks.settled("acme", [_settled(0)])
    calls.wait(1)
    hooks.settled("acme", [_settled(number) for number in range(1, 10)])
    assert hooks.dropped == 6
    go.set()
    hooks.close(SECONDS)
    assert [one.id for one in calls] == ["e0", "e1", "e2", "e3"]
    assert {one.at for one in calls} == {7.0}
    hooks.settled("acme", [_settled(10)])
    assert (hooks.dropped, len(calls)) == (7, 4)
    hooks.close(0)


def test_without_hooks_no_thread_runs() -> None:
    hooks = Hooks()
    hooks.settled("acme", [_settled(0)])
    hooks.close(0)
    assert not [one for one in threading.enumerate() if one.name == "llmtee-hooks"]


# ── what is known elsewhere ─────────────────────────────────────────────────────────────────────────────────────────


def test_another_process_sees_how_delivery_fares(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    acme.key = "another"
    own = make_tee(exporter())
    own.record(call())
    own.flush()
    other = make_tee(exporter(), deliver=False)
    deadline = time.monotonic() + SECONDS
    while not (seen := other.stats()["acme"]).paused and time.monotonic() < deadline:
        time.sleep(0.01)
    known = own.stats()["acme"]
    assert (seen.paused, seen.requests, seen.last_error) == (True, known.requests, known.last_error)
    assert seen.host is not None
    assert (seen.lag, seen.lag_seconds > 0) == (1, True)
    assert (other.stats().delivering, own.stats().delivering) == (False, True)
    assert other.stats().leader == own.stats().leader
    own.close(SECONDS)
    gone = other.stats()
    assert gone.leader is not None
    assert not gone.leader.alive
    assert (gone["acme"].rate, gone["acme"].pace, gone["acme"].paused) == (None, None, True)


def test_waits_are_told_by_their_end() -> None:
    pace = PaceStats(rate=None, concurrency=2, window=1.5, under_way=1, held=30.0)
    host = HostStats(host="https://h:443", breaker="open", failures=5, probe_in=4.0)
    plain = ExporterStats(counts=Counts(), position=3)
    stats = ExporterStats(
        counts=Counts(), position=3, paused=True, last_error="e", pace=pace, host=host
    )
    note = note_of(stats, 100.0)
    assert note == note_of(with_note(plain, note, 103.0, alive=True), 103.0)
    later = with_note(plain, note, 103.0, alive=True)
    assert later.pace is not None
    assert later.host is not None
    assert (later.pace.held, later.host.probe_in) == (27.0, 1.0)
    assert with_note(plain, note, 500.0, alive=True).pace == PaceStats(
        rate=None, concurrency=2, window=1.5, under_way=1, held=0.0
    )
    assert with_note(plain, {"from": "another version"}, 1.0, alive=True) == plain


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    meter = Meter()
    assert meter.see(0.0, 0) == 0.0
    rates = [meter.see(float(second), 50 * second) for second in range(1, 20)]
    assert rates == [50.0] * 19
    assert [meter.see(20.0 + second, 950) for second in (0, 5, 10)][-1] == 0.0
    assert meter.see(31.0, 900) == 0.0  # something is delivered again
    assert meter.see(32.0, 910) == 10.0
    assert meter.see(5.0, 920) == 0.0  # the clock was put back


# ── mending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_dead_letters_are_tried_again_and_dropped_from_the_application(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script += [answer(words=("rejected",))] * 3
    tee = make_tee(exporter(max_items=1))
    first, second, third = (tee.record(call()) for _ in range(3))
    tee.flush()
    assert {letter.id for letter in tee.dead_letters("acme")} == {first, second, third}
    assert tee.retry_dead([first], exporter="another") == Mended()
    assert tee.retry_dead(first) == Mended(changed=1)
    acme.wait_for(lambda: acme.stored_ids() == [first])  # without a flush
    assert tee.drop_dead([second]) == Mended(changed=1)
    assert tee.retry_dead() == Mended(changed=1)
    assert tee.flush().ok
    assert tee.stats()["acme"].counts == Counts(delivered=2, dropped=1)
    assert tee.drop_dead(None) == Mended()
    replayed = tee.replay("acme", dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dry_run=True)
    assert (replayed.again, replayed.added) == (2, 0)
    assert tee.replay("acme", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)) == replayed
    acme.wait_for(lambda: len(acme.stored) == 4)
    with pytest.raises(UsageError, match="no exporter is named 'amce'"):
        tee.replay("amce", dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    located = tee.locate(second)
    assert located is not None
    assert located.exporters["acme"].outcome == "dropped"
    assert tee.locate("nobody") is None


@pytest.mark.parametrize("where", ["memory", "another process"])
def test_what_is_tried_again_wakes_whoever_delivers(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any, tmp_path: Any, where: str
) -> None:
    acme.script.append(answer(words=("rejected",)))
    (tmp_path / "file").touch()
    options = {"dir": tmp_path / "file" / "log"} if where == "memory" else {}
    own = make_tee(exporter(), **options)
    event_id = own.record(call())
    own.flush()
    mender = own if where == "memory" else make_tee(exporter(), deliver=False)
    assert mender.retry_dead().changed == 1
    acme.wait_for(lambda: acme.stored_ids() == [event_id])


def test_what_perhaps_arrived_is_found_with_its_request(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.append(answer(cut=True))
    tee = make_tee(exporter(idempotent=False))
    event_id = tee.record(call())
    tee.flush()
    assert tee.dead_letters() == []
    (letter,) = tee.dead_letters(state="unknown")
    assert (letter.id, letter.state) == (event_id, "unknown")
    assert letter.request is not None
    assert letter.answer is not None
    assert tee.retry_dead(state="unknown").changed == 1
    assert tee.flush()["acme"].delivered == 1


def test_a_vendors_words_are_told_without_the_secrets_in_them(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any, caplog: Any
) -> None:
    secret = "sk-proj-" + "Ab3dE6gH9jK2mN5pQ8sT1vW4" * 2
    acme.script.append(answer(422, content=f"bad upstream key {secret}".encode()))
    tee = make_tee(exporter())
    tee.record(call())
    tee.flush()
    told = tee.stats()["acme"].last_error
    assert "bad upstream key [api_key]" in told
    assert secret not in caplog.text
