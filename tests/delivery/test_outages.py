"""Outages of an emulated vendor, through Tee and real HTTP: everything arrives, and the others notice nothing.

That the others notice nothing is proved in simulated time too, where time is exact: see ``test_simulated.py``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llmtee.model import Choice, Message, ModelCall, TextPart
from llmtee.spec import RetryPolicy
from llmtee.tee import Tee, Tuning
from llmtee.testing.emulators import Emulator, emulator_class, faults

DELAY_SECONDS = 1.0
"""By how much an outage of one vendor may delay what goes to another."""
TRIES = 3
"""A machine that is busy with something else delays this or that run; an outage would delay each."""


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
def _trouble(fault: str | None, emulator: Emulator, seconds: float) -> Iterator[None]:
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


@dataclass
class Run:
    """A Tee with two vendors of which one is ill, or neither."""

    directory: Path
    fault: str | None
    events: int
    seconds: float
    """How long the outage takes."""
    over: float = 0.0
    """Seconds over which the events are recorded."""
    retry: RetryPolicy | None = None
    delays: list[float] = field(default_factory=list)
    """Of each event at the vendor that is well: from its record to its arrival, in seconds."""
    summary: str = ""

    def __post_init__(self) -> None:
        self.ill, self.well = _opened("honeyhive"), _opened("honeyhive")
        try:
            self._run()
        finally:
            self.ill.stop()
            self.well.stop()

    def _run(self) -> None:
        tee = Tee(
            [
                self.ill.exporter(name="ill", project="p", timeout=1.0 if self.retry else 2.0),
                self.well.exporter(name="well", project="p"),
            ],
            dir=self.directory,
            tuning=Tuning(retry=self.retry),
        )
        arrived: dict[str, float] = {}

        def note(received: Any) -> None:
            for event in received.body["events"]:
                arrived.setdefault(event["event_id"], time.monotonic())

        self.well.on_request = note
        port = int(self.ill.url.rpartition(":")[2])
        if self.fault == "refuses connections":
            self.ill.stop()
        with _trouble(self.fault, self.ill, self.seconds):
            began = time.monotonic()
            recorded = {}
            for number in range(self.events):
                while (now := time.monotonic()) < began + self.over * number / self.events:
                    time.sleep(0.002)
                recorded[tee.record(_call(number))] = now
            assert self.well.wait_for(lambda: len(_models(self.well)) == self.events, timeout=120)
            self.delays = [arrived[one] - at for one, at in recorded.items()]
            if self.fault == "refuses connections":
                time.sleep(max(0.0, began + self.seconds - time.monotonic()))
                kept, self.ill = self.ill, emulator_class("honeyhive")(port=port)
                self.ill.events = kept.events
                self.ill.start()
            if self.fault == "hangs":
                counts = tee.stats()["ill"].counts
                assert (counts.pending, counts.total) == (self.events, self.events)
                self.ill.always(None)
            deadline = time.monotonic() + 200
            while not (report := tee.flush(timeout=5)).ok and time.monotonic() < deadline:
                pass
        stats = tee.stats()["ill"]
        tee.close(1)
        assert report.ok, report
        for name, emulator in (("ill", self.ill), ("well", self.well)):
            assert report[name].delivered == self.events, report
            # Once each, whatever was sent again: HoneyHive knows an event by its id.
            assert set(_models(emulator)) == set(recorded)
        assert self.fault is None or stats.retries > 0
        self.summary = (
            f"{self.fault}: {self.events} events, {stats.requests} requests, {stats.retries} retries, "
            f"the other vendor had each after {max(self.delays):.2f} s at most"
        )


def _models(emulator: Any) -> list[str]:
    return [one for one, event in emulator.events.items() if event["event_type"] == "model"]


@pytest.mark.parametrize("fault", ["refuses connections", "every tenth is reset"])
def test_everything_arrives(tmp_path: Path, fault: str) -> None:
    retry = RetryPolicy(initial=0.05, jitter=0.05, maximum=0.3)
    print(Run(tmp_path, fault, events=300, seconds=0.3, retry=retry).summary)  # noqa: T201 - seen with -s


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ("refuses connections", 10.0),
        ("503", 5.0),
        ("429", 5.0),
        ("every tenth is reset", 0.0),
        ("hangs", 0.0),
    ],
)
def test_an_outage_of_one_vendor_does_not_delay_another(
    tmp_path: Path, fault: str, seconds: float
) -> None:
    late = []
    for number in range(TRIES):
        runs = [
            Run(tmp_path / f"{number} {name}", what, 5000, seconds, over=5.0)
            for name, what in (("before", None), ("ill", fault), ("after", None))
        ]
        delays = list(zip(*(run.delays for run in runs), strict=True))
        # How far two runs without a fault are apart on this machine now.
        noise = max(abs(after - before) for before, _, after in delays)
        late.append(max(ill - max(before, after) for before, ill, after in delays))
        print(  # noqa: T201 - seen with -s
            f"{runs[1].summary}; {late[-1]:+.2f} s at most against two runs without, "
            f"which are {noise:.2f} s apart"
        )
        if late[-1] <= DELAY_SECONDS:
            return
    pytest.fail(f"the other vendor got events so many seconds later: {late}")
