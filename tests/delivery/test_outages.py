"""Outages of an emulated vendor, through Tee and real HTTP: everything arrives, and the others notice nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from llmtee.model import Choice, Message, ModelCall, TextPart
from llmtee.spec import RetryPolicy
from llmtee.tee import Tee, Tuning
from llmtee.testing.emulators import Emulator, emulator_class, faults

Make = Callable[..., Any]

QUICK = (300, 0.3)
FULL = (5000, 5.0)
SIZES = [
    pytest.param(*QUICK, id="short"),
    pytest.param(*FULL, id="5000", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
]
FAULTS = ["refuses connections", "503", "429", "every tenth is reset", "hangs"]


def _call(number: int) -> ModelCall:
    messages = [
        Message(role=role, parts=(TextPart(text=f"{role} {number}"),))
        for role in ("user", "assistant")
    ]
    return ModelCall(
        session=f"session {number // 50}",
        model="gpt-4o",
        started_at="2026-01-01T10:00:00Z",
        ended_at="2026-01-01T10:00:01Z",
        input=(messages[0],),
        choices=(Choice(message=messages[1]),),
    )


def _opened(name: str, port: int = 0) -> Any:
    return emulator_class(name)(port=port).start()


@contextmanager
def _trouble(fault: str, emulator: Emulator, seconds: float) -> Iterator[None]:
    """The emulator has that fault, and after so many seconds it has not."""
    match fault:
        case "503":
            emulator.always(faults.status(503))
        case "429":
            emulator.always(faults.status(429, retry_after=1))
        case "hangs":
            emulator.always(faults.hang())
        case "every tenth is reset":
            emulator.script(*([faults.reset("after"), *[faults.ok()] * 9] * 1000))
    over = threading.Timer(seconds, lambda: emulator.always(None))
    begun = threading.Event()

    def begin(received: object) -> None:
        if not begun.is_set() and fault in ("503", "429"):
            begun.set()
            over.start()

    emulator.on_request = begin
    try:
        yield
    finally:
        over.cancel()


@pytest.mark.parametrize(("events", "seconds"), SIZES)
@pytest.mark.parametrize("fault", FAULTS)
def test_everything_arrives_and_no_other_vendor_is_delayed(
    make_tee: Make, fault: str, events: int, seconds: float
) -> None:
    ill, well = _opened("honeyhive"), _opened("honeyhive")
    quick = events < 1000
    retry = RetryPolicy(initial=0.05, jitter=0.05, maximum=0.3) if quick else None
    arrived: dict[str, float] = {}
    try:
        tee: Tee = make_tee(
            ill.exporter(name="ill", project="p", timeout=1.0 if quick else 2.0),
            well.exporter(name="well", project="p"),
            tuning=Tuning(retry=retry),
        )
        if fault == "refuses connections":
            port = int(ill.url.rpartition(":")[2])
            ill.stop()
        with _trouble(fault, ill, seconds):
            started = time.monotonic()
            ids = [tee.record(_call(number)) for number in range(events)]
            assert well.wait_for(lambda: len(_models(well)) == events, timeout=120)
            arrived["well"] = time.monotonic() - started
            if fault == "refuses connections":
                time.sleep(max(0.0, 2 * seconds - arrived["well"]))
                kept = ill
                ill = emulator_class("honeyhive")(port=port)
                ill.events = kept.events
                ill.start()
            if fault == "hangs":
                counts = tee.stats()["ill"].counts
                assert (counts.pending, counts.total) == (events, events)
                ill.always(None)
            deadline = time.monotonic() + (20 if quick else 200)
            while not (report := tee.flush(timeout=5)).ok and time.monotonic() < deadline:
                pass
        assert report.ok, report
        for name, emulator in (("ill", ill), ("well", well)):
            assert report[name].delivered == events, report
            # Once each, whatever was sent again: HoneyHive knows an event by its id.
            assert set(_models(emulator)) == set(ids)
        stats = tee.stats()["ill"]
        assert stats.retries > 0
        print(  # noqa: T201 - seen with -s
            f"{fault}: {events} events, {stats.requests} requests, {stats.retries} retries, "
            f"the other vendor had all after {arrived['well']:.1f} s"
        )
    finally:
        ill.stop()
        well.stop()


def _models(emulator: Any) -> list[str]:
    return [one for one, event in emulator.events.items() if event["event_type"] == "model"]
