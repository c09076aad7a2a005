"""Threads of the application beside those of the Tee: who closes, who records meanwhile, and what each is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from llmtee import Tee
from llmtee.model import ModelCall
from llmtee.testing.emulators import HoneyHiveEmulator, faults

Make = Callable[..., Any]


def call() -> ModelCall:
    return ModelCall(name="call", session="s", started_at="2026-01-01T10:00:00Z")


def test_what_threads_record_while_close_runs_arrives_or_is_counted(
    tee: Callable[..., Tee],
    honeyhive: HoneyHiveEmulator,
    rest: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = tee()
    recorded: list[list[str]] = [[], [], []]
    closed = threading.Event()

    def work(own: list[str]) -> None:
        after = 0
        while after < 20:
            after += closed.wait(0.001)
            own.append(one.record(call()))

    threads = [threading.Thread(target=work, args=(own,)) for own in recorded]
    for thread in threads:
        thread.start()
    assert honeyhive.wait_for(lambda: bool(honeyhive.events), 60)
    one.close(0.1)
    closed.set()
    for thread in threads:
        thread.join()
    refused = one.stats().refused
    assert refused >= 60
    ids = set().union(*recorded)
    assert rest().delivered == len(ids) - refused == len(honeyhive.events)
    assert set(honeyhive.events) <= ids
    # Told at 1, 2, 4, 8, …: not a line for each.
    told = [line for line in caplog.messages if "this Tee is closed" in line]
    assert 1 <= len(told) < 20


def test_many_threads_close_at_once(tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator) -> None:
    one = tee()
    ids = {one.record(call()) for _ in range(20)}
    reports: list[Any] = []
    threads = [threading.Thread(target=lambda: reports.append(one.close(60))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report["honeyhive"].delivered for report in reports] == [20] * 5
    assert set(honeyhive.events) == ids


def test_a_flush_learns_that_another_thread_has_closed(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator
) -> None:
    honeyhive.always(faults.hang())
    one = tee()
    one.record(call())
    assert honeyhive.wait_for(lambda: bool(honeyhive.requests), 60)
    reports: list[Any] = []
    # For far longer than the test may take.
    flushing = threading.Thread(target=lambda: reports.append(one.flush(600)), daemon=True)
    flushing.start()
    one.close(0.1)
    flushing.join(60)
    assert [report["honeyhive"].pending for report in reports] == [1]


def test_a_closed_tee_starts_no_thread_whoever_was_about_to_record(
    tee: Callable[..., Tee], log: Any
) -> None:
    for _ in range(20):
        one = tee()
        gate = threading.Barrier(3)

        def work(one: Tee = one, gate: threading.Barrier = gate) -> None:
            gate.wait()
            for _ in range(5):
                one.record(call())

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        gate.wait()
        one.close(0)
        for thread in threads:
            thread.join()
        engine = one._engine
        assert engine is None or engine.join(60)
    assert not [thread for thread in threading.enumerate() if thread.name == "llmtee"]


def test_a_signal_handler_may_close_in_the_middle_of_close(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tee()
    event_id = one.record(call())
    nested: list[Any] = []
    give_up = one._inbox.give_up

    def interrupted() -> None:
        # As if the signal came between two steps of the outer one.
        if not nested:
            nested.append("interrupted")
            nested.append(one.close(60))
        give_up()

    monkeypatch.setattr(one._inbox, "give_up", interrupted)
    assert one.close(60)["honeyhive"].delivered == 1
    assert nested[1]["honeyhive"].delivered == 1
    assert set(honeyhive.events) == {event_id}
